"""Keyrings and files of volumes, made for the tests of volseal.py: what the program itself only reads."""

from __future__ import annotations

import base64
import json
import os
import pathlib
from typing import Callable, Dict, List, Optional

import volseal
from support import ALPHA

VOLUME_ID = bytes(range(0x40, 0x50))
DATE = '2026-11-22T09:16:00.000Z'
MUTABLE_SUITES = {'aes-256-gcm': volseal.XAES_256_GCM, 'xchacha20-poly1305': volseal.XCHACHA20_POLY1305}
RECOVERY = volseal.make_secret('recovery key', bytes(range(60, 92)), volseal.SLOT_RECOVERY_KEY)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b'=').decode('ascii')


def wrap_local(kek: bytes, key: bytes, aad: bytes) -> bytes:
    nonce = os.urandom(24)
    sealed = nonce + volseal.xaes_256_gcm_seal(volseal.slot_encryption_key(kek), nonce, key, aad)
    return sealed + volseal.slot_commitment(kek, aad, sealed)


class Key:
    """A volume key as a test wants it."""

    def __init__(self, version: int, state: str = 'active', volume_id: bytes = VOLUME_ID):
        self.version, self.state = version, state
        self.bytes = os.urandom(32)
        self.key_id = volume_id[:8] + os.urandom(8)

    def record(self, keyring_key: bytes, volume_id: bytes) -> dict:
        wrap_key = volseal.hkdf_expand_32(keyring_key, b'volseal/v1/keyring-wrap')
        aad = volume_id + self.key_id + volseal.u32(self.version)
        record = {'version': self.version, 'keyId': volseal.show_key_id(self.key_id), 'state': self.state,
                  'created': DATE, 'changed': DATE}
        return record if self.state == 'destroyed' else {**record, 'wrap': b64(wrap_local(wrap_key, self.bytes, aad))}


def keyring_slot(keyring_key: bytes, secret: volseal.Secret, primary: bool, volume_id: bytes = VOLUME_ID) -> dict:
    aad = b'volseal/v1/keyring-slot' + volume_id + volseal.u8(secret.slot_type) + secret.key_id
    local = {volseal.SLOT_FLY_SECRET: 'fly-secrets', volseal.SLOT_RECOVERY_KEY: 'recovery'}
    slot = {'type': local[secret.slot_type], 'keyId': volseal.show_key_id(secret.key_id), 'primary': primary,
            'created': DATE, 'wrap': b64(wrap_local(secret.volume_kek(volume_id), keyring_key, aad))}
    return {**slot, 'label': secret.label} if secret.slot_type == volseal.SLOT_FLY_SECRET else slot


def make_keyring(keys: List[Key], secrets: Optional[List[volseal.Secret]] = None, volume_id: bytes = VOLUME_ID,
                 change: Optional[Callable[[dict], None]] = None, generation: int = 1) -> bytes:
    """A keyring document. `change` may alter its payload before it is authenticated."""
    keyring_key = os.urandom(32)
    payload = {
        'volumeId': b64(volume_id),
        'generation': generation,
        'created': DATE,
        'changed': DATE,
        'policy': {'suite': 'aes-256-gcm', 'segmentBytes': 16384, 'writeOnceSegmentBytes': 65536,
                   'requireContext': []},
        'slots': [keyring_slot(keyring_key, secret, index == 0, volume_id)
                  for index, secret in enumerate(secrets or [ALPHA, RECOVERY])],
        'volumeKeys': [key.record(keyring_key, volume_id) for key in keys],
    }
    if change:
        change(payload)
    return seal_payload(json.dumps(payload).encode('utf-8'), keyring_key)


def seal_payload(payload: bytes, keyring_key: bytes) -> bytes:
    mac = volseal.hmac_sha256(volseal.hkdf_expand_32(keyring_key, b'volseal/v1/keyring-mac'), payload)
    return json.dumps({'volsealKeyring': 1, 'payload': b64(payload), 'mac': b64(mac)}).encode('ascii')


class MutableFile:
    """A mutable file that is built segment by segment."""

    def __init__(self, key: Key, suite: str = 'aes-256-gcm', segment_bytes: int = 4096,
                 pairs: Optional[Dict[str, str]] = None, body_kind: int = volseal.BODY_MUTABLE,
                 aead_id: Optional[int] = None):
        self.file_key, self.file_id = os.urandom(32), os.urandom(16)
        self.context = volseal.encode_context(pairs or {})
        self.body_kind = body_kind
        associated_data = b'volseal/v1/body\0' + volseal.u8(body_kind) + self.file_id + self.context
        self.floe = volseal.Floe(volseal.hkdf_expand_32(self.file_key, b'volseal/v1/floe'),
                                 MUTABLE_SUITES[suite] if aead_id is None else aead_id, segment_bytes,
                                 os.urandom(32), associated_data)
        aad = volseal.slot_aad(volseal.SLOT_VOLUME_KEY, key.key_id, key.version, self.file_id, self.floe.header)
        self.slot = volseal.Slot(volseal.SLOT_VOLUME_KEY, key.key_id, key.version,
                                 wrap_local(key.bytes, self.file_key, aad), '')

    def segments(self, plain: bytes) -> List[bytes]:
        inner = self.floe.plain_segment_bytes
        count = max(1, -(-len(plain) // inner))
        return [self.floe.seal_segment(plain[i * inner:(i + 1) * inner], i, last=i == count - 1)
                for i in range(count)]

    def half(self, index: int, generation: int, sync_seq: int, body_bytes: int, acc: bytes = bytes(32)) -> bytes:
        copy = volseal.encode_copy(index, 4096, self.file_id, self.floe.header, self.context,
                                   [volseal.encode_slot(self.slot)], self.file_key, generation, self.body_kind,
                                   volseal.u64(sync_seq) + volseal.u64(body_bytes) + acc)
        return copy.ljust(2048, b'\0')

    def region(self, body_bytes: int, sync_seq: int = 0, acc: bytes = bytes(32)) -> bytes:
        return b''.join(self.half(index, 1, sync_seq, body_bytes, acc) for index in (0, 1))

    def sealed(self, plain: bytes) -> bytes:
        body = b''.join(self.segments(plain))
        return self.region(len(body)) + body


class VolumeFolder:
    """A volume in a folder of its own."""

    def __init__(self, folder: pathlib.Path):
        self.root = folder
        self.key = Key(1, 'primary')
        (folder / '.volseal' / 'journal').mkdir(parents=True)
        self.keyring = folder / '.volseal' / 'keyring.json'
        self.keyring.write_bytes(make_keyring([self.key]))

    def journal(self, file: MutableFile) -> pathlib.Path:
        return self.root / '.volseal' / 'journal' / file.file_id.hex()

    def put(self, name: str, plain: bytes, **options: object) -> MutableFile:
        file = MutableFile(self.key, **options)  # type: ignore[arg-type]
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(file.sealed(plain))
        return file

    def volume(self, *secrets: volseal.Secret) -> volseal.Volume:
        return volseal.Volume(str(self.root), None, list(secrets or [ALPHA]))

