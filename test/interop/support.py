"""What the tests of volseal.py share: keys, sealed files, changed headers, the program as a process."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import pathlib
import resource
import subprocess
import sys
import unittest
from typing import Callable, Dict, Optional

import volseal

HERE = pathlib.Path(__file__).resolve().parent
PROGRAM = HERE / 'volseal.py'
VECTORS = HERE.parents[1].parent / 'shared' / 'vectors'

SUITES = sorted(volseal.SUITE_IDS)
SMALLEST_SEGMENT_BYTES = volseal.MIN_SEGMENT_BYTES

KEY_TEXT = base64.b64encode(bytes(range(32))).decode('ascii')
OTHER_KEY_TEXT = base64.b64encode(bytes(range(1, 33))).decode('ascii')
ALPHA = volseal.make_secret('alpha', bytes(range(32)))
BETA = volseal.make_secret('beta', bytes(range(1, 33)))

def seal(plain: bytes, suite: str = 'aes-256-gcm', segment_bytes: int = SMALLEST_SEGMENT_BYTES,
         secret: volseal.Secret = ALPHA, pairs: Optional[Dict[str, str]] = None,
         region_bytes: Optional[int] = None) -> bytes:
    aead_id = volseal.SUITE_IDS[suite]
    pieces = volseal.encrypt_stream(io.BytesIO(plain), secret, aead_id, segment_bytes, pairs, region_bytes)
    return b''.join(pieces)


def unseal(sealed: bytes, *secrets: volseal.Secret, demanded: Optional[Dict[str, str]] = None) -> bytes:
    return b''.join(volseal.decrypt_stream(io.BytesIO(sealed), list(secrets or [ALPHA]), demanded))


def pattern(length_bytes: int) -> bytes:
    """Bytes without a period that fits a segment, so that a moved segment shows."""
    return hashlib.shake_128(b'volseal test pattern').digest(length_bytes)


def flip(data: bytes, *offsets: int) -> bytes:
    changed = bytearray(data)
    for offset in offsets:
        changed[offset] ^= 0x01
    return bytes(changed)


def header_of(sealed: bytes) -> volseal.Header:
    return volseal.choose_header(volseal.find_halves(sealed[:volseal.MAX_REGION_BYTES]))


def context_of(context_bytes: int) -> Dict[str, str]:
    """Pairs whose stored form has exactly so many bytes."""
    pairs: Dict[str, str] = {}
    left = context_bytes - 2
    while left:
        value_bytes = min(left - 7, 1024) if left - 7 <= 1024 or left - 1031 >= 7 else left - 14
        pairs[f'{len(pairs):03}'] = 'v' * value_bytes
        left -= 7 + value_bytes
    assert len(volseal.encode_context(pairs)) == context_bytes
    return pairs


class Halves:
    """A sealed file whose header copies can be rewritten, with a checksum that matches again."""

    def __init__(self, sealed: bytes):
        header = header_of(sealed)
        self.region_bytes = header.region_bytes
        self.copy_bytes = len(header.raw)
        self._sealed = bytearray(sealed)

    def offset(self, half: int) -> int:
        return half * self.region_bytes // 2

    def write(self, half: int, at: int, data: bytes) -> 'Halves':
        self._sealed[self.offset(half) + at:self.offset(half) + at + len(data)] = data
        return self

    def flip(self, half: int, at: int) -> 'Halves':
        self._sealed[self.offset(half) + at] ^= 0x01
        return self

    def fix_checksum(self, half: int, file_key: Optional[bytes] = None) -> 'Halves':
        """With the file's key the MAC is made to match as well."""
        start, end = self.offset(half), self.offset(half) + self.copy_bytes
        body, mac = bytes(self._sealed[start:end - 36]), bytes(self._sealed[end - 32:end])
        if file_key is not None:
            mac = volseal.hmac_sha256(volseal.header_mac_key(file_key), body)
        self._sealed[end - 36:end] = volseal.u32(volseal.crc32c(body + mac)) + mac
        return self

    def both(self, at: int, data: bytes, file_key: Optional[bytes] = None) -> 'Halves':
        for half in (0, 1):
            self.write(half, at, data).fix_checksum(half, file_key)
        return self

    @property
    def sealed(self) -> bytes:
        return bytes(self._sealed)


class Case(unittest.TestCase):
    def assert_code(self, code: str, action: Callable[[], object]) -> volseal.VolsealError:
        with self.assertRaises(volseal.VolsealError) as caught:
            action()
        self.assertEqual(caught.exception.code, 'ERR_VOLSEAL_' + code)
        return caught.exception

    def assert_refused(self, code: str, sealed: bytes, released: bytes, *secrets: volseal.Secret) -> None:
        """The code, and exactly the authentic plaintext that comes before the fault."""
        got = bytearray()

        def read_all() -> None:
            for piece in volseal.decrypt_stream(io.BytesIO(sealed), list(secrets or [ALPHA])):
                got.extend(piece)

        self.assert_code(code, read_all)
        self.assertEqual(bytes(got), released)


def one_key(value: str = KEY_TEXT, label: str = 'alpha') -> Dict[str, str]:
    return {f'VOLSEAL_SECRET_{label}': value}


def environment(ours: Dict[str, str]) -> Dict[str, str]:
    """This process's environment with no secrets but the given ones."""
    others = {name: value for name, value in os.environ.items() if not name.startswith('VOLSEAL_')}
    return {**others, **ours, 'PYTHONDONTWRITEBYTECODE': '1'}


def run(*arguments: object, env: Optional[Dict[str, str]] = None, stdin: bytes = b'',
        limit_bytes: Optional[int] = None) -> 'subprocess.CompletedProcess[bytes]':
    def limit() -> None:
        if limit_bytes:
            resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))

    return subprocess.run([sys.executable, str(PROGRAM), *map(str, arguments)], input=stdin,
                          env=environment(env or {}), capture_output=True, preexec_fn=limit, check=False)
