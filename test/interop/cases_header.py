"""Headers that are damaged, changed or contradictory (§7, steps 1 to 8)."""

from __future__ import annotations

import hashlib

import volseal
from support import ALPHA, BETA, Case, Halves, flip, header_of, pattern, seal, unseal


class OrderOfChecks(Case):
    """§7, with every code of the header."""

    PLAIN = pattern(5000)

    def setUp(self) -> None:
        self.sealed = seal(self.PLAIN, pairs={'tenant': 'a'})
        self.file_key = volseal.unwrap_file_key(header_of(self.sealed), [ALPHA])

    def refused(self, code: str, sealed: bytes, *secrets: volseal.Secret) -> None:
        self.assert_refused(code, sealed, b'', *secrets)

    def halves(self) -> Halves:
        return Halves(self.sealed)

    def test_not_sealed(self) -> None:
        for data in (b'', b'\x89', b'\x89VSL\r\n\x1a', b'plaintext', bytes(100_000),
                     b'\x89VSL\n\x1a\n' + bytes(5000)):
            self.refused('NOT_SEALED', data)
        self.refused('NOT_SEALED', self.sealed[4096:])
        self.refused('NOT_SEALED', b'x' + self.sealed)

    def test_a_flip_anywhere_in_one_half_is_survived(self) -> None:
        copy_bytes = self.halves().copy_bytes
        for half in (0, 1):
            for at in range(copy_bytes):
                self.assertEqual(unseal(self.halves().flip(half, at).sealed), self.PLAIN, (half, at))

    def test_a_flip_in_both_halves_is_damage(self) -> None:
        for at in list(range(10, 60)) + list(range(120, self.halves().copy_bytes, 7)):
            damaged = self.halves().flip(0, at).flip(1, at).sealed
            self.refused('HEADER_DAMAGED', damaged)
        self.refused('UNSUPPORTED_VERSION', self.halves().flip(0, 8).flip(1, 8).sealed)
        self.refused('NOT_SEALED', self.halves().flip(0, 0).flip(1, 0).sealed)
        self.refused('HEADER_DAMAGED', self.halves().flip(0, 0).flip(1, 30).sealed)

    def test_absurd_lengths_without_a_checksum(self) -> None:
        for value in (0, 35, 36, 208, 2049, 2 ** 31, 2 ** 32 - 1):
            changed = self.halves().write(0, 12, volseal.u32(value)).write(1, 12, volseal.u32(value)).sealed
            self.refused('HEADER_DAMAGED', changed)
        for value in (0, 10, 17, 255):
            changed = self.halves().write(0, 11, bytes([value])).write(1, 11, bytes([value])).sealed
            self.refused('HEADER_DAMAGED', changed)

    def test_an_end_inside_the_header(self) -> None:
        copy_bytes = self.halves().copy_bytes
        for length_bytes in (8, 9, 11, 12, 15, 16, 100, copy_bytes - 1):
            self.refused('TRUNCATED', self.sealed[:length_bytes])
        # Half 0 is whole: the key is looked for first, then the body is missing.
        for length_bytes in (copy_bytes, 2048, 2060, 4095, 4096):
            self.refused('TRUNCATED', self.sealed[:length_bytes])
            self.refused('KEY_MISSING', self.sealed[:length_bytes], BETA)
        # Half 0 is gone and half 1 is cut.
        for length_bytes in (2048 + 8, 2048 + 16, 2048 + copy_bytes - 1):
            self.refused('TRUNCATED', flip(self.sealed[:length_bytes], 0))

    def test_what_a_later_version_wrote(self) -> None:
        self.refused('UNSUPPORTED_VERSION', self.halves().write(0, 8, b'\0\2').write(1, 8, b'\0\2').sealed)
        self.refused('UNSUPPORTED_VERSION', self.halves().both(8, b'\0\2').sealed)
        self.refused('UNSUPPORTED_VERSION', self.sealed[:8] + b'\0\2' + b'?' * 100)
        self.refused('UNSUPPORTED_FEATURE', self.halves().both(16, b'\3').sealed)
        self.refused('UNSUPPORTED_FEATURE', self.halves().both(16, b'\0').sealed)
        self.refused('UNSUPPORTED_SUITE', self.halves().both(16, b'\2').sealed)
        self.refused('UNSUPPORTED_FEATURE', self.halves().both(18, b'\0\1').sealed)
        self.refused('UNSUPPORTED_FEATURE', self.halves().both(18, b'\x80\0').sealed)
        self.refused('UNSUPPORTED_FEATURE', self.halves().both(17, b'\1').sealed)
        slot_at = 166 + 2 + len(header_of(self.sealed).context) + 2 + 1 + 2
        for slot_type in (0, 4, 127, 129, 255):
            self.refused('UNSUPPORTED_FEATURE', self.halves().both(slot_at, bytes([slot_type])).sealed)
        for suite in (1, 0xF0, 0xF2, 0xFF):
            self.refused('UNSUPPORTED_SUITE', self.halves().both(44, bytes([suite])).sealed)
        self.refused('UNSUPPORTED_SUITE', self.halves().both(45, b'\1').sealed)

    def test_a_half_of_an_unknown_version_counts_as_damaged(self) -> None:
        for half in (0, 1):
            for version in (0, 2, 0x0101):
                changed = self.halves().write(half, 8, volseal.u16(version))
                self.assertEqual(unseal(changed.sealed), self.PLAIN)
                self.assertEqual(unseal(changed.fix_checksum(half, self.file_key).sealed), self.PLAIN)
                self.refused('UNSUPPORTED_VERSION', changed.flip(1 - half, 30).sealed)

    def test_another_suite_of_ours_does_not_open(self) -> None:
        self.refused('WRONG_KEY', self.halves().both(44, b'\xf1').sealed)

    def test_fields_out_of_bounds(self) -> None:
        slots_at = 166 + 2 + len(header_of(self.sealed).context) + 2
        for at, data in (
                (20, bytes(8)), (20, volseal.u64(2 ** 53)), (46, volseal.u32(4095)),
                (46, volseal.u32(4097)), (46, volseal.u32(2 ** 22 + 512)), (46, volseal.u32(0)),
                (50, volseal.u32(12)),
                (118, b'\1'), (126, b'\1'), (134, b'\1'), (165, b'\1'), (166, b'\0\0'), (166, b'\xff\xff'),
                (166, b'\0\2'), (168, b'\0\2'), (slots_at - 2, b'\0\1'), (slots_at, b'\0'), (slots_at, b'\2'),
                (slots_at, b'\x09'), (slots_at + 1, b'\0\0'), (slots_at + 1, b'\xff\xff'),
                (slots_at + 1, b'\0\x16'), (slots_at + 3, b'\x01'), (slots_at + 3, b'\x80'),
                (slots_at + 4, b'\x04'), (slots_at + 4, b'\x06'), (slots_at + 4, b'\xff'),
                (slots_at + 3 + 18, b'\0\0\0\1'), (slots_at + 3 + 126, b'-')):
            with self.subTest(at=at, data=data):
                # A writer that knows the key would make the MAC match as well; it must not matter.
                self.refused('HEADER_INVALID', self.halves().both(at, data, self.file_key).sealed)

    def test_a_copy_in_the_wrong_half_counts_as_damaged(self) -> None:
        first, second = self.sealed[:2048], self.sealed[2048:4096]
        body = self.sealed[4096:]
        self.refused('HEADER_DAMAGED', second + first + body)
        self.assertEqual(unseal(first + first + body), self.PLAIN)
        self.assertEqual(unseal(second + second + body), self.PLAIN)
        self.refused('HEADER_DAMAGED', flip(first, 30) + first + body)
        self.refused('HEADER_DAMAGED', second + flip(second, 30) + body)

    def test_half_1_counts_only_where_it_says_it_is(self) -> None:
        first_gone = Halves(self.sealed).write(0, 0, bytes(2048))
        self.assertEqual(unseal(first_gone.sealed), self.PLAIN)
        for at, data in ((10, b'\0'), (11, b'\x0d')):
            self.refused('HEADER_DAMAGED', first_gone.write(1, 0, self.sealed[2048:4096]).write(1, at, data)
                         .fix_checksum(1, self.file_key).sealed)

    def test_a_short_input_with_an_unreadable_region_size_is_truncated(self) -> None:
        self.refused('TRUNCATED', self.halves().write(0, 11, b'\xff').sealed[:2047])
        self.refused('HEADER_DAMAGED', self.halves().write(0, 11, b'\xff').sealed[:2048])

    def test_bytes_between_the_slots_and_the_checksum(self) -> None:
        header = header_of(self.sealed)
        slot = volseal.encode_slot(header.slots[0])
        region = volseal.encode_region(header.file_id, header.floe_header, header.context, [slot, slot],
                                       self.file_key)
        count_at = 166 + 2 + len(header.context) + 2
        changed = Halves(region + self.sealed[4096:])
        self.assertEqual(unseal(changed.sealed), self.PLAIN)
        self.refused('HEADER_INVALID', changed.both(count_at, b'\1', self.file_key).sealed)

    def test_two_good_halves_that_contradict_each_other(self) -> None:
        other = seal(self.PLAIN, pairs={'tenant': 'a'})
        self.refused('HEADER_CONFLICT', self.sealed[:2048] + other[2048:])
        self.refused('HEADER_CONFLICT', other[:2048] + self.sealed[2048:])
        for at in (28, 54, 86, 176):  # file id, FLOE IV, header tag, context
            self.refused('HEADER_CONFLICT', self.halves().flip(1, at).fix_checksum(1, self.file_key).sealed)
        # A slot differs: allowed between generations, not within one.
        slot_at = 166 + 2 + len(header_of(self.sealed).context) + 3 + 2
        changed = self.halves().flip(1, slot_at + 30).fix_checksum(1, self.file_key)
        self.refused('HEADER_CONFLICT', changed.sealed)
        changed.write(1, 20, volseal.u64(2)).fix_checksum(1, self.file_key)
        larger = self.halves().write(1, 11, b'\x0d').write(1, 20, volseal.u64(2))
        self.refused('HEADER_CONFLICT', larger.fix_checksum(1, self.file_key).sealed)
        self.refused('WRONG_KEY', changed.sealed)

    def rewrapped(self, half: int) -> Halves:
        """A file whose one half is of generation 2, with its slot for another secret."""
        header = header_of(self.sealed)
        secret = volseal.Secret('betas', BETA.key_id, BETA.kek)
        slot = volseal.wrap_file_key(secret, self.file_key, header.file_id, header.floe_header)
        copy = volseal.encode_copy(half, 4096, header.file_id, header.floe_header, header.context,
                                   [volseal.encode_slot(slot)], self.file_key, generation=2)
        return self.halves().write(half, 0, copy)

    def test_the_higher_generation_is_the_header(self) -> None:
        for half in (0, 1):
            sealed = self.rewrapped(half).sealed
            self.assertEqual(header_of(sealed).generation, 2)
            self.assertEqual(unseal(sealed, BETA), self.PLAIN)
            # The older half still has a slot for alpha; it is not gone to.
            self.refused('KEY_MISSING', sealed, ALPHA)
            # Torn while it was written, the older half is the header again.
            torn = self.rewrapped(half).flip(half, 300).sealed
            self.assertEqual(unseal(torn, ALPHA), self.PLAIN)
            self.refused('KEY_MISSING', torn, BETA)

    def test_the_older_half_must_be_authentic_too(self) -> None:
        for half in (0, 1):
            older = 1 - half
            sealed = self.rewrapped(half).flip(older, 250).fix_checksum(older).sealed
            self.refused('HEADER_TAMPERED', sealed, BETA)

    def test_key_missing(self) -> None:
        self.refused('KEY_MISSING', self.sealed, BETA)
        error = self.assert_code('KEY_MISSING', lambda: unseal(self.sealed, BETA))
        self.assertIn(volseal.show_key_id(ALPHA.key_id), str(error))
        self.assertIn(volseal.show_key_id(BETA.key_id), str(error))
        self.assertIn('alpha', str(error))

    def test_wrong_key(self) -> None:
        slot_at = 166 + 2 + len(header_of(self.sealed).context) + 2 + 1 + 2
        for name, at in (('file id', 28), ('FLOE IV', 54), ('FLOE header tag', 90), ('context', 176),
                         ('nonce', slot_at + 22), ('ciphertext', slot_at + 50), ('tag', slot_at + 80),
                         ('commitment', slot_at + 100)):
            with self.subTest(name):
                changed = self.halves()
                for half in (0, 1):
                    changed.flip(half, at).fix_checksum(half)
                self.refused('WRONG_KEY', changed.sealed)

    def test_a_slot_from_another_file(self) -> None:
        other = header_of(seal(self.PLAIN, pairs={'tenant': 'a'}))
        slot_at = 166 + 2 + len(other.context) + 2 + 1 + 2
        moved = self.halves().both(slot_at, volseal.encode_slot(other.slots[0]), self.file_key)
        self.refused('WRONG_KEY', moved.sealed)

    def test_another_key_under_the_same_label_and_key_id(self) -> None:
        self.refused('WRONG_KEY', self.sealed, volseal.Secret('alpha', ALPHA.key_id, BETA.kek))

    def test_header_tampered(self) -> None:
        slot_at = 166 + 2 + len(header_of(self.sealed).context) + 2 + 1 + 2
        # Generation, the label of the slot, the MAC itself: nothing but the MAC covers them.
        for at, data in ((20, volseal.u64(7)), (slot_at + 126, b'omega')):
            self.refused('HEADER_TAMPERED', self.halves().both(at, data).sealed)
            self.assertEqual(unseal(self.halves().both(at, data, self.file_key).sealed), self.PLAIN)
        mac_at = self.halves().copy_bytes - 1
        for half in (0, 1):
            self.refused('HEADER_TAMPERED', self.halves().flip(half, mac_at).fix_checksum(half).sealed)

    def test_any_of_several_slots(self) -> None:
        header = header_of(self.sealed)
        external = b'\x04kms9' + b'\0\x03k/1' + b'\0\x05blob!'
        slots = [
            volseal.Slot(volseal.SLOT_EXTERNAL, volseal.external_key_id('kms9', 'k/1'), 0, external, ''),
            volseal.Slot(volseal.SLOT_VOLUME_KEY, bytes(16), 5, bytes(104), ''),
            volseal.Slot(volseal.SLOT_RECOVERY_KEY, bytes(16), 0, bytes(104), 'paper'),
        ] + [volseal.wrap_file_key(secret, self.file_key, header.file_id, header.floe_header)
             for secret in (BETA, ALPHA)]
        region = volseal.encode_region(header.file_id, header.floe_header, header.context,
                                       [volseal.encode_slot(slot) for slot in slots], self.file_key)
        sealed = region + self.sealed[4096:]
        for secrets in ([ALPHA], [BETA], [ALPHA, BETA]):
            self.assertEqual(unseal(sealed, *secrets), self.PLAIN)
        shown = volseal.describe(sealed, len(sealed))['slots']
        self.assertEqual([slot['type'] for slot in shown],
                         ['external', 'volume-key', 'recovery-key', 'fly-secret', 'fly-secret'])
        self.assertEqual((shown[0]['provider'], shown[0]['providerKey']), ('kms9', 'k/1'))
        self.assertEqual(shown[1]['keyVersion'], 5)
        self.assertEqual((shown[2]['label'], shown[4]['label']), ('paper', 'alpha'))
        key_id = slots[0].key_id
        self.assertEqual(key_id, hashlib.sha256(b'volseal/v1/external-key\0kms9\0k/1').digest()[:16])
        for key_id, wrapped in ((bytes(16), external), (key_id, external[:-1]), (key_id, external + b'\0'),
                                (key_id, b'\xff' + external[1:]), (key_id, external + bytes(2048))):
            slots[0] = volseal.Slot(volseal.SLOT_EXTERNAL, key_id, 0, wrapped, '')
            region = volseal.encode_region(header.file_id, header.floe_header, header.context,
                                           [volseal.encode_slot(slot) for slot in slots], self.file_key)
            self.refused('HEADER_INVALID', region + self.sealed[4096:])
