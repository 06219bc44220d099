"""Published known answers."""

from __future__ import annotations

import hashlib
import io
import json
import pathlib
import tempfile
import unittest.mock
from typing import Iterator, Tuple

import volseal
from support import VECTORS, Case, flip, run


class KnownAnswers(Case):
    def test_crc32c(self) -> None:
        self.assertEqual(volseal.crc32c(b'123456789'), 0xE3069283)
        self.assertEqual(volseal.crc32c(b''), 0)
        # RFC 3720 appendix B.4: 32 bytes of zeros, of ones, and ascending.
        self.assertEqual(volseal.crc32c(bytes(32)), 0x8A9136AA)
        self.assertEqual(volseal.crc32c(b'\xff' * 32), 0x62A8AB43)
        self.assertEqual(volseal.crc32c(bytes(range(32))), 0x46DD794E)

    def test_hkdf_sha_256(self) -> None:
        # RFC 5869 appendix A.1 and A.3: the first 32 bytes of the output.
        key_material = b'\x0b' * 22
        self.assertEqual(
            volseal.hkdf_32(key_material, bytes(range(13)), bytes(range(0xF0, 0xFA))).hex(),
            '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf')
        self.assertEqual(
            volseal.hkdf_32(key_material, b'', b'').hex(),
            '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d')

    def test_xaes_256_gcm(self) -> None:
        # c2sp.org/XAES-256-GCM, both vectors: doubling has no carry in the first and one in the second.
        nonce = b'ABCDEFGHIJKLMNOPQRSTUVWX'
        for key, aad, derived, expected in (
                (b'\x01' * 32, b'',
                 'c8612c9ed53fe43e8e005b828a1631a0bbcb6ab2f46514ec4f439fcfd0fa969b',
                 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'),
                (b'\x03' * 32, b'c2sp.org/XAES-256-GCM',
                 'e9c621d4cdd9b11b00a6427ad7e559aeedd66b3857646677748f8ca796cb3fd8',
                 '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d')):
            self.assertEqual(volseal.xaes_256_gcm_keys(key, nonce), (bytes.fromhex(derived), b'MNOPQRSTUVWX'))
            sealed = volseal.xaes_256_gcm_seal(key, nonce, b'XAES-256-GCM', aad)
            self.assertEqual(sealed.hex(), expected)
            self.assertEqual(volseal.xaes_256_gcm_open(key, nonce, sealed, aad), b'XAES-256-GCM')
            self.assertIsNone(volseal.xaes_256_gcm_open(key, nonce, flip(sealed, 3), aad))

    def test_xaes_256_gcm_accumulated(self) -> None:
        # c2sp.org/XAES-256-GCM, 10,000 iterations over inputs from SHAKE-128 of nothing.
        random = io.BytesIO(hashlib.shake_128(b'').digest(10_000 * (32 + 24 + 2 * 256)))
        self.assertEqual(random.getvalue()[:16].hex(), '7f9c2ba4e88f827d616045507605853e')
        accumulated = hashlib.shake_128()
        for _ in range(10_000):
            key, nonce = random.read(32), random.read(24)
            plain = random.read(random.read(1)[0])
            aad = random.read(random.read(1)[0])
            accumulated.update(volseal.xaes_256_gcm_seal(key, nonce, plain, aad))
        self.assertEqual(accumulated.hexdigest(32),
                         'e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939')

    def test_hchacha20(self) -> None:
        # draft-irtf-cfrg-xchacha-03 §2.2.1
        self.assertEqual(
            volseal.hchacha20(bytes(range(32)), bytes.fromhex('000000090000004a0000000031415927')).hex(),
            '82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc')

    def test_xchacha20_poly1305(self) -> None:
        # draft-irtf-cfrg-xchacha-03 appendix A.3.1
        cipher, nonce = volseal.suite_cipher(
            volseal.XCHACHA20_POLY1305, bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58)))
        plain = (b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the "
                 b'future, sunscreen would be it.')
        self.assertEqual(cipher.encrypt(nonce, plain, bytes.fromhex('50515253c0c1c2c3c4c5c6c7')).hex(), (
            'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb'
            '731c7f1b0b4aa6440bf3a82f4eda7e39ae64c6708c54c216cb96b72e1213b452'
            '2f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9'
            '21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49'))

    def test_wycheproof_xchacha20_poly1305(self) -> None:
        path = VECTORS / 'wycheproof' / 'xchacha20_poly1305_test.json'
        if not path.exists():
            self.skipTest('no Wycheproof vectors beside this repository')
        tried = 0
        for group in json.loads(path.read_text())['testGroups']:
            if group['ivSize'] != 192:
                continue
            for test in group['tests']:
                key, iv, aad, plain, sealed = (
                    bytes.fromhex(test[name]) for name in ('key', 'iv', 'aad', 'msg', 'ct'))
                sealed += bytes.fromhex(test['tag'])
                cipher, nonce = volseal.suite_cipher(volseal.XCHACHA20_POLY1305, key, iv)
                opened = volseal.aead_open(cipher, nonce, sealed, aad)
                self.assertEqual(opened, plain if test['result'] == 'valid' else None, test['tcId'])
                tried += 1
        self.assertGreater(tried, 200)


class FloeVectors(Case):
    """The published known answers: key of zeros, associated data "This is AAD"."""

    KEY, ASSOCIATED_DATA = bytes(32), b'This is AAD'

    def setUp(self) -> None:
        if not (VECTORS / 'floe').exists():
            self.skipTest('no FLOE vectors beside this repository')

    @staticmethod
    def vectors() -> Iterator[Tuple[str, bytes, bytes, int]]:
        for path in sorted((VECTORS / 'floe').glob('*_ct.txt')):
            message, plain = (bytes.fromhex(p.read_text().strip())
                              for p in (path, path.with_name(path.name.replace('_ct', '_pt'))))
            yield path.name, message, plain, 2 if 'rotation' in path.name else 20

    def test_decrypts_each(self) -> None:
        names = []
        for name, message, plain, mask_bits in self.vectors():
            with self.subTest(name):
                pieces = volseal.floe_decrypt_stream(
                    self.KEY, self.ASSOCIATED_DATA, io.BytesIO(message), mask_bits)
                self.assertEqual(b''.join(pieces), plain)
            names.append(name)
        self.assertEqual(len(names), 8)

    def test_reseals_each(self) -> None:
        """With its IVs given, sealing the plaintext yields the published bytes."""
        resealed = 0
        for name, message, plain, mask_bits in self.vectors():
            if 'lastSegEmpty' in name:
                continue  # a form that readers accept and writers do not make
            with self.subTest(name):
                segment_bytes = int.from_bytes(message[2:6], 'big')
                segments = [message[i:i + segment_bytes] for i in range(74, len(message), segment_bytes)]
                ivs = [message[10:42]] + [segment[4:16] for segment in segments]
                pieces = volseal.floe_encrypt_stream(self.KEY, self.ASSOCIATED_DATA, io.BytesIO(plain),
                                                     volseal.AES_256_GCM, segment_bytes, mask_bits)
                with unittest.mock.patch.object(volseal.os, 'urandom', lambda _length_bytes: ivs.pop(0)):
                    made = b''.join(pieces)
                self.assertEqual(made, message)
                self.assertEqual(ivs, [])
                resealed += 1
        self.assertEqual(resealed, 7)

    def test_the_rotation_vectors_need_their_mask(self) -> None:
        message = bytes.fromhex((VECTORS / 'floe' / 'java_rotation_ct.txt').read_text().strip())
        self.assert_code('TAMPERED', lambda: list(
            volseal.floe_decrypt_stream(self.KEY, self.ASSOCIATED_DATA, io.BytesIO(message))))

    def test_command(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            message, plain = pathlib.Path(folder, 'message'), pathlib.Path(folder, 'plain')
            files = (VECTORS / 'floe' / f'cpp_GCM256_IV256_4K_{kind}.txt' for kind in ('ct', 'pt'))
            expected_message, expected_plain = (bytes.fromhex(file.read_text().strip()) for file in files)
            message.write_bytes(expected_message)
            result = run('floe-decrypt', '00' * 32, self.ASSOCIATED_DATA.hex(), message, plain)
            self.assertEqual((result.returncode, result.stderr), (0, b''))
            self.assertEqual(plain.read_bytes(), expected_plain)
