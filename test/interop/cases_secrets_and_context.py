"""Secrets, key ids and the encryption context (§4.3, §5)."""

from __future__ import annotations

import base64
import hashlib

import volseal
from support import ALPHA, BETA, Case, context_of, pattern, seal, unseal


class Secrets(Case):
    def parse(self, value: bytes, mounted_file: bool = False) -> bytes:
        return volseal.parse_secret(value, mounted_file)

    def assert_not_a_key(self, value: bytes, mounted_file: bool = False) -> None:
        with self.assertRaises(volseal.SecretError) as caught:
            self.parse(value, mounted_file)
        self.assertNotIn(value.decode('latin-1') or '-', str(caught.exception))

    def test_every_form_gives_its_bytes(self) -> None:
        key = hashlib.sha256(b'a key').digest()
        check = hashlib.sha256(b'volseal/v1/key-check' + key).digest()[:4]
        self.assertEqual(self.parse(b'vsk1.' + base64.urlsafe_b64encode(key + check)), key)
        self.assertEqual(self.parse(key.hex().encode()), key)
        self.assertEqual(self.parse(key.hex().upper().encode()), key)
        self.assertEqual(self.parse(b' \r\n\t' + base64.b64encode(key) + b'\n'), key)
        for length_bytes in (32, 33, 34, 48, 63, 64):
            key = pattern(length_bytes)
            for encoded in (base64.b64encode(key), base64.urlsafe_b64encode(key)):
                self.assertEqual(self.parse(encoded), key)
                self.assertEqual(self.parse(encoded.rstrip(b'=')), key)

    def test_64_hex_digits_are_hex_although_they_are_base64_too(self) -> None:
        self.assertEqual(len(base64.b64decode('ab' * 32)), 48)
        self.assertEqual(self.parse(b'ab' * 32), b'\xab' * 32)
        self.assertEqual(self.parse(b'ab' * 64), b'\xab' * 64)

    def test_a_mounted_file_may_be_raw(self) -> None:
        key = b'\x00' + bytes(range(31)) + b'\n'
        self.assertEqual(self.parse(key, mounted_file=True), key)
        self.assertEqual(self.parse(base64.b64encode(key) + b'\n', mounted_file=True), key)
        self.assert_not_a_key(key)
        self.assert_not_a_key(b'\x00' * 31, mounted_file=True)
        self.assert_not_a_key(b'\x00' * 65, mounted_file=True)
        self.assert_not_a_key(b'a text of thirty-two characters!', mounted_file=True)

    def test_refused(self) -> None:
        key = bytes(range(0xE0, 0x100))
        standard = base64.b64encode(key)
        self.assertIn(b'+', standard)
        self.assertIn(b'/', standard)
        for value in (
                b'', b'correct horse battery staple', base64.b64encode(key[:31]),
                base64.b64encode(pattern(65)), b'ab' * 31, b'ab' * 65, b'"' + standard + b'"',
                standard[:20] + b'\n' + standard[20:],
                standard + b'=', standard.replace(b'+', b'-'), b'vsk1.' + standard):
            with self.subTest(value):
                self.assert_not_a_key(value)

    def test_unused_bits_must_be_zero(self) -> None:
        spelled = base64.b64encode(bytes(32))
        self.assertTrue(spelled.endswith(b'A='))
        self.assertEqual(self.parse(spelled), bytes(32))
        self.assert_not_a_key(spelled[:-2] + b'B=')
        self.assert_not_a_key(spelled[:-2] + b'B')

    def test_a_mistyped_vsk1_is_told(self) -> None:
        key = bytes(32)
        check = hashlib.sha256(b'volseal/v1/key-check' + key).digest()[:4]
        good = b'vsk1.' + base64.urlsafe_b64encode(key + check)
        self.assertEqual(self.parse(good), key)
        self.assert_not_a_key(good[:10] + b'B' + good[11:])
        self.assert_not_a_key(good[:-1])

    def test_shown_key_id(self) -> None:
        shown = volseal.show_key_id(ALPHA.key_id)
        self.assertRegex(shown, r'\A[A-Z2-7]{4}(-[A-Z2-7]{4}){7}\Z')
        decoded = base64.b32decode(shown.replace('-', ''))
        self.assertEqual(decoded[:16], ALPHA.key_id)
        self.assertEqual(decoded[16:], hashlib.sha256(b'volseal/v1/key-id-check' + ALPHA.key_id).digest()[:4])


class Context(Case):
    def test_pairs_are_sorted_by_the_bytes_of_the_key(self) -> None:
        # U+FF5E sorts before U+1F511 by code point and by UTF-8, but behind it by UTF-16 units.
        context = volseal.encode_context({'\U0001F511': '3', '～': '2', 'Z': '0', 'a': '1'})
        self.assertEqual(context, b'\0\4' + b'\0\1Z\0\0010' + b'\0\1a\0\0011' + b'\0\3\xef\xbd\x9e\0\0012'
                         + b'\0\4\xf0\x9f\x94\x91\0\0013')
        self.assertEqual(volseal.parse_context(context), {'Z': '0', 'a': '1', '～': '2', '\U0001F511': '3'})
        self.assertEqual(volseal.encode_context({}), b'\0\0')

    def test_bounds(self) -> None:
        volseal.encode_context({f'{n}': '' for n in range(32)})
        volseal.encode_context({'k' * 128: 'v' * 1024})
        self.assertEqual(len(volseal.encode_context(context_of(8192))), 8192)
        for pairs in ({f'{n}': '' for n in range(33)}, {'': 'v'}, {'k' * 129: ''}, {'k': 'v' * 1025},
                      {f'{n}': 'v' * 1024 for n in range(8)}):
            with self.assertRaises(volseal.UsageError):
                volseal.encode_context(pairs)

    def test_malformed(self) -> None:
        pair = b'\0\1a\0\0'
        for context in (
                b'', b'\0', b'\0\0\0', b'\0\1', b'\0\1' + pair[:-1], b'\0\1' + pair + b'\0',
                b'\0\2' + pair * 2, b'\0\2' + b'\0\1b\0\0' + pair, b'\0\1\0\0\0\0',
                b'\0\1\0\1\xff\0\0', b'\0\1\0\1a\0\1\xff',
                b'\0\1\0\x81' + b'k' * 129 + b'\0\0', b'\0\1\0\1a\4\1' + b'v' * 1025,
                b'\0\x21' + b''.join(b'\0\1' + bytes([65 + n]) + b'\0\0' for n in range(33)),
                b'\0\1\xff\xffa\0\0'):
            with self.subTest(context[:16]):
                self.assert_code('HEADER_INVALID', lambda: volseal.parse_context(context))

    def test_the_demanded_pairs(self) -> None:
        sealed = seal(b'text', pairs={'app': 'shop', 'tenant': 'a'})
        self.assertEqual(unseal(sealed, demanded={'tenant': 'a'}), b'text')
        self.assert_code('CONTEXT_MISMATCH', lambda: unseal(sealed, demanded={'tenant': 'b'}))
        self.assert_code('CONTEXT_MISMATCH', lambda: unseal(sealed, demanded={'purpose': ''}))
        # What is not authentic is told as that, whatever its context.
        self.assert_code('KEY_MISSING', lambda: unseal(sealed, BETA, demanded={'tenant': 'b'}))
