"""Bodies that are changed, cut or extended (§7, step 9), and bare FLOE messages."""

from __future__ import annotations

import io
import unittest.mock
from typing import Iterator, List, Tuple

import volseal
from support import SUITES, Case, flip, one_key, pattern, run, seal, unseal


class Segments(Case):
    """§7, step 9: the code, and not one byte more than is authentic."""

    def each(self) -> Iterator[Tuple[str, int, bytes, bytes, List[int]]]:
        """For both suites: plain bytes of a whole segment, plaintext, sealed file, starts of segments."""
        for suite in SUITES:
            inner = 4096 - volseal.segment_overhead_bytes(volseal.SUITE_IDS[suite])
            plain = pattern(3 * inner + 700)
            sealed = seal(plain, suite)
            with self.subTest(suite):
                yield suite, inner, plain, sealed, [4096 * n for n in (1, 2, 3, 4)]

    def test_flips(self) -> None:
        for _, inner, plain, sealed, starts in self.each():
            for number, start in enumerate(starts):
                end = min(start + 4096, len(sealed))
                for at in (start, start + 3, start + 4, start + 27, start + 28, start + 500, end - 16,
                           end - 1):
                    self.assert_refused('TAMPERED', flip(sealed, at), plain[:number * inner])

    def test_every_end(self) -> None:
        for _, inner, plain, sealed, starts in self.each():
            for number, start in enumerate(starts):
                end = min(start + 4096, len(sealed))
                for length_bytes in (start, start + 1, start + 4, start + 31, start + 32, start + 44,
                                     start + 45, end - 1):
                    # At the start of a segment the one before is authentic, but not the last: kept back.
                    whole = max(0, number - 1 if length_bytes == start else number)
                    self.assert_refused('TRUNCATED', sealed[:length_bytes], plain[:whole * inner])

    def test_bytes_after_the_end(self) -> None:
        for suite, inner, plain, sealed, _ in self.each():
            for extra in (b'\0', bytes(31), bytes(4000), bytes(100_000), sealed, sealed[8192:]):
                self.assert_refused('TRAILING_DATA', sealed + extra, plain[:3 * inner])
            aligned = seal(plain[:2 * inner], suite)
            for extra in (b'\0', bytes(4096), bytes(5000)):
                self.assert_refused('TRAILING_DATA', aligned + extra, plain[:inner])
            for size in (0, 1, inner):
                self.assert_refused('TRAILING_DATA', seal(plain[:size], suite) + b'\0', b'')

    def test_swapped_repeated_and_dropped(self) -> None:
        for suite, inner, plain, sealed, _ in self.each():
            head = sealed[:4096]
            s0, s1, s2, s3 = (sealed[at:at + 4096] for at in range(4096, len(sealed), 4096))
            self.assertEqual(unseal(head + s0 + s1 + s2 + s3), plain)
            for segments, good in (([s1, s0, s2, s3], 0), ([s0, s2, s1, s3], 1), ([s0, s0, s1, s2, s3], 1),
                                   ([s0, s1, s3], 2), ([s1, s2, s3], 0), ([s0, s1, s2, s2], 3), ([s3], 0),
                                   ([s0, s1, s2, s3[:4] + s2[4:]], 3)):
                self.assert_refused('TAMPERED', head + b''.join(segments), plain[:good * inner])
            # The same plaintext under another file's key.
            other = seal(plain, suite)
            self.assert_refused('TAMPERED', head + s0 + other[8192:12288] + s2 + s3, plain[:inner])
            self.assert_refused('TAMPERED', head + other[4096:], b'')

    def test_a_changed_first_four_bytes_of_the_last_segment(self) -> None:
        for _, inner, plain, sealed, starts in self.each():
            last_bytes = len(sealed) - starts[3]
            for value in (0, 31, last_bytes - 1, last_bytes + 1, 4096, 4097, 0xFFFFFFFF):
                changed = sealed[:starts[3]] + volseal.u32(value) + sealed[starts[3] + 4:]
                self.assert_refused('TAMPERED', changed, plain[:3 * inner])

    def test_more_segments_than_the_format_allows(self) -> None:
        for _, inner, plain, sealed, _ in self.each():
            with unittest.mock.patch.object(volseal, 'MAX_SEGMENTS', 4):
                self.assertEqual(unseal(sealed), plain)
            with unittest.mock.patch.object(volseal, 'MAX_SEGMENTS', 3):
                self.assert_refused('TAMPERED', sealed, plain[:2 * inner])

    def test_no_body(self) -> None:
        for suite in SUITES:
            self.assert_refused('TRUNCATED', seal(b'', suite)[:4096], b'')


class FloeMessages(Case):
    def test_round_trips_and_wrong_inputs(self) -> None:
        key, associated_data = bytes(range(32)), b'data beside'
        for suite in SUITES:
            aead_id = volseal.SUITE_IDS[suite]
            for segment_bytes in (volseal.segment_overhead_bytes(aead_id) + 1, 64, 4096):
                plain = pattern(333)
                message = b''.join(volseal.floe_encrypt_stream(
                    key, associated_data, io.BytesIO(plain), aead_id, segment_bytes))

                def open_with(key: bytes, associated_data: bytes, message: bytes) -> bytes:
                    return b''.join(volseal.floe_decrypt_stream(key, associated_data, io.BytesIO(message)))

                self.assertEqual(open_with(key, associated_data, message), plain)
                self.assert_code('WRONG_KEY', lambda: open_with(bytes(32), associated_data, message))
                self.assert_code('WRONG_KEY', lambda: open_with(key, b'', message))
                self.assert_code('WRONG_KEY', lambda: open_with(key, associated_data, flip(message, 20)))
                self.assert_code('TAMPERED', lambda: open_with(key, associated_data, flip(message, 90)))
                self.assert_code('TRUNCATED', lambda: open_with(key, associated_data, message[:-1]))
                self.assert_code('TRUNCATED', lambda: open_with(key, associated_data, message[:73]))
                self.assert_code('TRAILING_DATA', lambda: open_with(key, associated_data, message + b'\0'))
                changed = b'\x07' + message[1:]
                self.assert_code('UNSUPPORTED_SUITE', lambda: open_with(key, associated_data, changed))
                for value in (0, 32, 2 ** 32 - 1):
                    changed = message[:2] + volseal.u32(value) + message[6:]
                    self.assert_code('HEADER_INVALID', lambda: open_with(key, associated_data, changed))

    def test_a_sealed_file_cut_open_is_a_floe_message(self) -> None:
        """As docs/escape-hatch.md shows it: 74 bytes at offset 44, then all that is behind the region."""
        for suite in SUITES:
            plain = pattern(9999)
            sealed = seal(plain, suite, pairs={'tenant': 'a'})
            printed = run('floe-key', '-', stdin=sealed, env=one_key()).stdout
            key, associated_data = printed.decode('ascii').split()
            message = sealed[44:118] + sealed[4096:]
            result = run('floe-decrypt', key, associated_data, '-', '-', stdin=message)
            self.assertEqual((result.returncode, result.stdout), (0, plain))
