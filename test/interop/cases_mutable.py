"""Mutable bodies and the slots of volume keys (§4.4, §6.2)."""

from __future__ import annotations

import io
import os
import pathlib
import tempfile
from typing import Optional

import volseal
from support import ALPHA, BETA, Case, flip, pattern, seal
from volume_files import MUTABLE_SUITES, Key, MutableFile, VolumeFolder, make_keyring


class Volumes(Case):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = VolumeFolder(pathlib.Path(folder.name) / 'data')

    def unseal(self, sealed: bytes, *secrets: volseal.Secret, volume: Optional[volseal.Volume] = None) -> bytes:
        pieces = volseal.decrypt_stream(io.BytesIO(sealed), list(secrets or [ALPHA]), None,
                                        volume or self.folder.volume(*secrets))
        return b''.join(pieces)

    def refused(self, code: str, sealed: bytes, *secrets: volseal.Secret) -> volseal.VolsealError:
        return self.assert_code(code, lambda: self.unseal(sealed, *secrets))


class MutableBodies(Volumes):
    def test_every_size_around_every_boundary(self) -> None:
        for suite in MUTABLE_SUITES:
            for segment_bytes in (4096, 4608):
                inner = segment_bytes - 44
                for size in sorted({0, 1, 2, 100} | {k * inner + d for k in (1, 2, 3) for d in (-1, 0, 1)}):
                    with self.subTest(suite=suite, segment_bytes=segment_bytes, size=size):
                        file = MutableFile(self.folder.key, suite, segment_bytes)
                        sealed = file.sealed(pattern(size))
                        self.assertEqual(self.unseal(sealed), pattern(size))
                        self.assertEqual(len(sealed), 4096 + size + max(1, -(-size // inner)) * 44)
                        described = volseal.describe(sealed, len(sealed))
                        self.assertEqual((described['bodyKind'], described['suite'], described['plainBytes']),
                                         ('mutable', suite, size))

    def test_the_residue_of_a_crash_is_ignored(self) -> None:
        file = MutableFile(self.folder.key)
        sealed = file.sealed(pattern(10_000))
        for residue in (b'\0', os.urandom(5000), sealed[4096:]):
            self.assertEqual(self.unseal(sealed + residue), pattern(10_000))

    def test_a_file_that_ends_before_its_body(self) -> None:
        sealed = MutableFile(self.folder.key).sealed(pattern(10_000))
        for length_bytes in (4096, 4097, 8192, len(sealed) - 1):
            self.refused('TRUNCATED', sealed[:length_bytes])

    def test_segments_that_are_not_authentic(self) -> None:
        file = MutableFile(self.folder.key)
        plain = pattern(3 * 4052)
        sealed = file.sealed(plain)
        for at in (4096, 4100, 4130, 8191, 8192, len(sealed) - 1):
            self.refused('TAMPERED', flip(sealed, at))
        self.refused('TAMPERED', sealed[:8192] + bytes(4096) + sealed[12288:])  # a hole
        self.refused('TAMPERED', sealed[:4096] + sealed[8192:12288] + sealed[4096:8192] + sealed[12288:])
        other = MutableFile(self.folder.key).sealed(plain)
        self.refused('TAMPERED', sealed[:4096] + other[4096:8192] + sealed[8192:])
        # The last one in the middle, and a middle one at the end.
        self.refused('TAMPERED', file.region(2 * 4096) + sealed[4096:12288])

    def test_an_old_segment_of_the_same_place_opens(self) -> None:
        """What a mutable body does not promise (§9)."""
        file = MutableFile(self.folder.key)
        old, new = file.segments(pattern(9000)), file.segments(bytes(9000))
        body = new[0] + old[1] + new[2]
        expected = bytes(4052) + pattern(9000)[4052:8104] + bytes(9000 - 8104)
        self.assertEqual(self.unseal(file.region(len(body)) + body), expected)

    def test_states_out_of_bounds(self) -> None:
        for body_bytes in (0, 1, 43, 4096 + 1, 4096 + 43, 2 ** 53 - 1 - 4096, 2 ** 53, 2 ** 64 - 1):
            file = MutableFile(self.folder.key)
            self.refused('HEADER_INVALID', file.region(body_bytes) + b''.join(file.segments(b'x')))
        file = MutableFile(self.folder.key)
        self.refused('HEADER_INVALID', file.region(45, sync_seq=2 ** 53) + b''.join(file.segments(b'x')))
        self.refused('UNSUPPORTED_FEATURE', file.region(45, acc=b'\1' * 32) + b''.join(file.segments(b'x')))

    def test_suites_of_the_other_kind(self) -> None:
        mutable = MutableFile(self.folder.key, aead_id=volseal.AES_256_GCM)
        self.refused('UNSUPPORTED_SUITE', mutable.sealed(b'x'))
        write_once = MutableFile(self.folder.key, aead_id=volseal.XAES_256_GCM, body_kind=volseal.BODY_WRITE_ONCE)
        region = b''.join(write_once.half(index, 1, 0, 0) for index in (0, 1))
        self.refused('UNSUPPORTED_SUITE', region + b''.join(write_once.segments(b'x')))

    def test_the_newer_half_says_how_long_it_is(self) -> None:
        file = MutableFile(self.folder.key)
        old, new = b''.join(file.segments(pattern(100))), b''.join(file.segments(pattern(120)))
        for half in (0, 1):
            halves = [file.half(index, 2 if index == half else 1, int(index == half),
                                len(new if index == half else old)) for index in (0, 1)]
            self.assertEqual(self.unseal(halves[0] + halves[1] + new), pattern(120))
            # Torn while it was written: the older one holds, and its segment must be there.
            halves[half] = flip(halves[half], 300)
            self.assertEqual(self.unseal(halves[0] + halves[1] + old + b'residue'), pattern(100))
            self.refused('TAMPERED', halves[0] + halves[1] + new)

    def test_a_write_once_file_of_a_volume(self) -> None:
        file = MutableFile(self.folder.key, aead_id=volseal.AES_256_GCM, body_kind=volseal.BODY_WRITE_ONCE)
        region = b''.join(file.half(index, 1, 0, 0) for index in (0, 1))
        body = b''.join(file.segments(pattern(9000)))
        self.assertEqual(self.unseal(region + body), pattern(9000))
        self.refused('TRAILING_DATA', region + body + b'x')


class VolumeKeys(Volumes):
    def test_without_the_keyring(self) -> None:
        sealed = MutableFile(self.folder.key).sealed(b'x')
        error = self.assert_code('KEY_MISSING', lambda: b''.join(volseal.decrypt_stream(io.BytesIO(sealed), [ALPHA])))
        self.assertIn('--volume', error.hint or '')
        self.folder.keyring.unlink()
        self.refused('KEYRING_MISSING', sealed)

    def test_with_another_secret(self) -> None:
        self.refused('KEY_MISSING', MutableFile(self.folder.key).sealed(b'x'), BETA)

    def test_the_keyring_is_older_than_the_file(self) -> None:
        self.refused('KEYRING_ROLLED_BACK', MutableFile(Key(2)).sealed(b'x'))

    def test_a_file_of_another_volume(self) -> None:
        error = self.refused('KEY_MISSING', MutableFile(Key(1, volume_id=bytes(16))).sealed(b'x'))
        self.assertIn('another volume', str(error))

    def test_keys_that_may_not_be_used(self) -> None:
        for state in ('disabled', 'destroyed'):
            key = Key(2, state)
            self.folder.keyring.write_bytes(make_keyring([self.folder.key, key]))
            self.assertIn(state, str(self.refused('KEY_MISSING', MutableFile(key).sealed(b'x'))))

    def test_the_version_belongs_to_the_key(self) -> None:
        key = Key(2)
        self.folder.keyring.write_bytes(make_keyring([self.folder.key, key]))
        self.assertEqual(self.unseal(MutableFile(key).sealed(b'x')), b'x')
        key.version = 3
        self.refused('WRONG_KEY', MutableFile(key).sealed(b'x'))

    def test_a_file_that_a_secret_opens_needs_no_keyring(self) -> None:
        self.folder.keyring.write_bytes(b'not a keyring')
        self.assertEqual(self.unseal(seal(b'alone')), b'alone')
