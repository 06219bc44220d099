"""The keyring of a volume (keyring-v1.md)."""

from __future__ import annotations

import hashlib
import json
import os
from typing import Callable

import volseal
from support import ALPHA, BETA, Case
from volume_files import RECOVERY, VOLUME_ID, Key, b64, make_keyring, seal_payload

TEXT = 'vrk1-H24R-N2WC-HP78-Z44H-JA9S-95CP-JYC9-K6MV-KJES-X7X0-M6HA-7955-MTKM-VG5S'


class RecoveryKey(Case):
    """§6."""

    KEY = bytes(range(0x88, 0xA8))

    def test_spellings(self) -> None:
        bare = TEXT[5:].replace('-', '')
        for text in (TEXT, TEXT.lower(), TEXT[5:], bare, 'VRK1' + bare, f'  {TEXT}\n', TEXT.replace('-', ' '),
                     TEXT.replace('-', '_'), TEXT.replace('-', '.'), TEXT.replace('-', '\u2013'),
                     TEXT.replace('1', 'l').replace('vrkl', 'vrk1').replace('0', 'o')):
            with self.subTest(text):
                self.assertEqual(volseal.parse_recovery_key(text), self.KEY)

    def test_what_is_none(self) -> None:
        for text in ('', 'vrk1', TEXT[:-1], TEXT + '0', TEXT.replace('G', 'U'), TEXT.replace('P', '!'),
                     TEXT[:-1] + 'T', TEXT.replace('H24R', 'H25R')):
            with self.subTest(text), self.assertRaises(volseal.SecretError) as caught:
                volseal.parse_recovery_key(text)
            self.assertNotIn(TEXT[8:20], str(caught.exception))

    def test_a_key_that_begins_as_the_prefix_does(self) -> None:
        """Without a prefix there are 56 characters, whatever they begin with."""
        number = sum(volseal.RECOVERY_ALPHABET.index(c) << 5 * (55 - i) for i, c in enumerate('VRK1'))
        key = number.to_bytes(35, 'big')[:32]
        check = hashlib.sha256(b'volseal/v1/recovery-check' + key).digest()[:3]
        number = int.from_bytes(key + check, 'big')
        text = ''.join(volseal.RECOVERY_ALPHABET[number >> 5 * (55 - i) & 31] for i in range(56))
        self.assertTrue(text.startswith('VRK1'))
        self.assertEqual(volseal.parse_recovery_key(text), key)
        self.assertEqual(volseal.parse_recovery_key('vrk1-' + text), key)


class Keyring(Case):
    def setUp(self) -> None:
        self.keys = [Key(1), Key(2, 'primary'), Key(3, 'disabled'), Key(7, 'destroyed')]

    def open(self, document: bytes, *secrets: volseal.Secret) -> volseal.Keyring:
        return volseal.open_keyring(document, list(secrets or [ALPHA]))

    def refused(self, code: str, document: bytes, *secrets: volseal.Secret) -> volseal.VolsealError:
        return self.assert_code(code, lambda: self.open(document, *secrets))

    def changed(self, change: Callable[[dict], None]) -> bytes:
        return make_keyring(self.keys, change=change)

    def test_any_slot_opens_it(self) -> None:
        document = make_keyring(self.keys, [BETA, ALPHA, RECOVERY], generation=9)
        for secrets in ([ALPHA], [BETA], [RECOVERY], [RECOVERY, ALPHA]):
            keyring = self.open(document, *secrets)
            self.assertEqual((keyring.volume_id, keyring.generation), (VOLUME_ID, 9))
            self.assertEqual({key_id: (key.version, key.state, key.kek) for key_id, key in keyring.keys.items()},
                             {key.key_id: (key.version, key.state,
                                           key.bytes if key.state in ('primary', 'active') else None)
                              for key in self.keys})

    def test_no_slot_fits(self) -> None:
        error = self.refused('KEY_MISSING', make_keyring(self.keys, [ALPHA]), BETA)
        for text in (volseal.show_key_id(ALPHA.key_id), volseal.show_key_id(BETA.key_id), 'alpha', 'beta'):
            self.assertIn(text, str(error))
        self.refused('KEY_MISSING', make_keyring(self.keys, [ALPHA]), RECOVERY)
        # A slot is for its own type alone, also under the same key id.
        twin = volseal.make_secret('twin', ALPHA.key_material, volseal.SLOT_RECOVERY_KEY)
        self.refused('KEY_MISSING', make_keyring(self.keys, [ALPHA]), twin)

    def test_a_slot_of_another_volume(self) -> None:
        other = json.loads(make_keyring(self.keys, volume_id=bytes(16), change=lambda p: p.update(volumeKeys=[])))
        slots = json.loads(base64_payload(other['payload']))['slots']
        self.refused('WRONG_KEY', self.changed(lambda payload: payload.update(slots=slots)))

    def test_tampered(self) -> None:
        document = json.loads(make_keyring(self.keys))
        payload = base64_payload(document['payload'])
        for change in (payload.replace(b'"generation": 1', b'"generation": 2'), payload + b' ',
                       payload.replace(b'aes-256-gcm', b'xchacha20-poly1305')):
            self.assertNotEqual(change, payload)
            self.refused('KEYRING_TAMPERED', json.dumps({**document, 'payload': b64(change)}).encode())
        self.refused('KEYRING_TAMPERED', json.dumps({**document, 'mac': b64(bytes(32))}).encode())
        self.refused('KEYRING_TAMPERED', seal_payload(payload, os.urandom(32)))

    def test_documents_that_are_none(self) -> None:
        good = json.loads(make_keyring(self.keys))
        for document in (b'', b'{}', b'[]', b'null', b'"x"', b'{"volsealKeyring":1}', b'\xff', b'\xef\xbb\xbf{}',
                         json.dumps({**good, 'mac': b64(bytes(31))}).encode(),
                         json.dumps({**good, 'mac': good['mac'] + '='}).encode(),
                         json.dumps({**good, 'payload': ''}).encode(),
                         json.dumps({**good, 'payload': None}).encode(),
                         json.dumps({**good, 'volsealKeyring': True}).encode(),
                         json.dumps({**good, 'volsealKeyring': '1'}).encode(),
                         json.dumps(good).encode() + b'{}',
                         json.dumps(good).replace('"mac"', '"mac": "", "mac"').encode(),
                         json.dumps(good).encode() + b' ' * volseal.MAX_KEYRING_BYTES):
            with self.subTest(document[:60]):
                self.refused('KEYRING_INVALID', document)
        for version in (0, 2, 2 ** 40):
            self.refused('UNSUPPORTED_VERSION', json.dumps({**good, 'volsealKeyring': version, 'x': 1}).encode())
        self.refused('UNSUPPORTED_FEATURE', json.dumps({**good, 'x': 1}).encode())

    def test_json_of_a_form_that_is_not_allowed(self) -> None:
        for text in ('{"a":1.0}', '{"a":-1}', '{"a":-0}', '{"a":1e3}', '{"a":9007199254740992}', '{"a":NaN}', '{"a":null}',
                     '{"a":1,"a":1}', '{"a":1,"\\u0061":1}', '{"a":"\\ud800"}', '{"\\udfff":1}', '{"a":01}',
                     '[' * 10 + ']' * 10, '[' * 100_000, "{'a':1}", '{"a":1,}', '{"a":"\n"}', ''):
            with self.subTest(text[:30]):
                self.assert_code('KEYRING_INVALID', lambda: volseal.parse_json(text.encode(), 'it'))
        self.assertEqual(volseal.parse_json(b' {"a":\t[ 0, 9007199254740991, true,\r\n"\\u00e9\xc3\xa9"]} ', 'it'),
                         {'a': [0, 9007199254740991, True, '\u00e9\u00e9']})

    def test_unknown_members(self) -> None:
        for change in (lambda p: p.update(nameKeys=[]), lambda p: p['slots'][0].update(x=1),
                       lambda p: p['volumeKeys'][0].update(x=1)):
            self.refused('UNSUPPORTED_FEATURE', self.changed(change))

    def test_members_out_of_bounds(self) -> None:
        def of_key(index: int, **members: object) -> Callable[[dict], None]:
            return lambda payload: payload['volumeKeys'][index].update(members)

        def of_slot(**members: object) -> Callable[[dict], None]:
            return lambda payload: payload['slots'][0].update(members)

        other_id = volseal.show_key_id(bytes(16))
        for change in (
                lambda p: p.update(volumeId=b64(bytes(15))), lambda p: p.update(generation=0),
                lambda p: p.update(created='yesterday'), lambda p: p.pop('changed'), lambda p: p.update(slots=[]),
                lambda p: p.update(volumeKeys=[]), lambda p: p.update(policy=1),
                lambda p: p['slots'].append(p['slots'][0]), lambda p: p['slots'][1].update(primary=True),
                of_slot(primary=False), of_slot(wrap=b64(bytes(103))), of_slot(label=7),
                lambda p: p['volumeKeys'].reverse(), of_key(0, version=2), of_key(0, version=0),
                of_key(0, state='primary'), of_key(1, state='active'), of_key(0, state='odd'),
                of_key(0, state='destroyed'), of_key(3, wrap=b64(bytes(104))), of_key(0, wrap=b64(bytes(104))),
                of_key(0, keyId=other_id), of_key(0, keyId=self.keys[0].key_id.hex()),
                lambda p: p['volumeKeys'][1].update(keyId=p['volumeKeys'][0]['keyId'])):
            self.refused('KEYRING_INVALID', self.changed(change))

    def test_a_wrap_moved_from_one_volume_key_to_another(self) -> None:
        def swap(payload: dict) -> None:
            first, second = payload['volumeKeys'][:2]
            first['wrap'], second['wrap'] = second['wrap'], first['wrap']

        self.refused('KEYRING_INVALID', self.changed(swap))


def base64_payload(text: str) -> bytes:
    decoded = volseal.decode_base64url(text)
    assert decoded is not None
    return decoded
