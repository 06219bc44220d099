#!/usr/bin/env python3
"""Reads and writes volseal sealed files, and reads volseal volumes, without Node.

Written from docs/format/{v1,keyring-v1,journal-v1}.md and the public specifications they name, not from the
TypeScript code: it checks that the documents are enough, and it is the way to get data back when nothing else is
left. One file; it needs Python 3.9 or newer and the package "cryptography" (Debian: python3-cryptography).
docs/escape-hatch.md shows its use. Section signs (§) in comments refer to v1.md, or to the document they name.

    volseal.py decrypt SEALED PLAIN|-        volseal.py inspect SEALED          volseal.py key-id
    volseal.py encrypt PLAIN SEALED|-        volseal.py floe-key SEALED
    volseal.py extract VOLUME FOLDER         volseal.py keyring [VOLUME]
    volseal.py floe-decrypt KEYHEX ADHEX MESSAGE PLAIN|-
    volseal.py floe-encrypt KEYHEX ADHEX PLAIN MESSAGE|-

Secrets come from the environment: VOLSEAL_SECRET_<label> holds one, VOLSEAL_SECRET_FILE_<label> names a file
that holds one, VOLSEAL_PRIMARY names the label that encrypt uses when there are several; VOLSEAL_RECOVERY_KEY or
VOLSEAL_RECOVERY_KEY_FILE is the recovery key of a volume. A file of a volume is opened with the keyring of the
volume that it lies in; --volume DIR or --keyring FILE (an export) name another one. "-" is standard input or
output. With "-" as the output, authenticated segments are released before the end of the input has been seen:
discard the output unless the exit code is 0.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 no key opens it, 4 not authentic, 5 file system, 10 not a volseal
file of this version.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import errno
import functools
import hashlib
import hmac
import json
import os
import re
import signal
import stat
import struct
import sys
import unicodedata
from dataclasses import dataclass
from typing import BinaryIO, Callable, Dict, Iterator, List, Optional, Tuple

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
except ImportError:
    if __name__ != '__main__':
        raise
    sys.exit('volseal.py: the Python package "cryptography" is not installed\n'
             '  hint: apt-get install python3-cryptography, or: pip install cryptography')

# ----------------------------------------------------------------------------------------------------
# Limits and names (§2 to §6)

MAGIC = b'\x89VSL\r\n\x1a\n'
VERSION = 1
MIN_REGION_LOG2, MAX_REGION_LOG2 = 11, 16
MAX_REGION_BYTES = 1 << MAX_REGION_LOG2
HALF_1_OFFSETS = tuple(1 << (n - 1) for n in range(MIN_REGION_LOG2, MAX_REGION_LOG2 + 1))

FIXED_BYTES = 168  # the header copy up to and with the length of the context
FLOE_OFFSET, FLOE_HEADER_BYTES = 44, 74
CRC_AND_MAC_BYTES = 36
EMPTY_CONTEXT = b'\0\0'
# Fixed fields, an empty context, the length of the location, the number of slots, CRC and MAC.
MIN_COPY_BYTES = FIXED_BYTES + len(EMPTY_CONTEXT) + 2 + 1 + CRC_AND_MAC_BYTES
LOCATION_ROOM_BYTES = 320
MIN_SLOT_ROOM_BYTES = 128
MAX_GENERATION = 2 ** 53 - 1
MAX_COUNT = 2 ** 53 - 1  # of syncs, and of the bytes of a body

MAX_CONTEXT_BYTES, MAX_CONTEXT_PAIRS, MAX_CONTEXT_KEY_BYTES, MAX_CONTEXT_VALUE_BYTES = 8192, 32, 128, 1024

SLOT_VOLUME_KEY, SLOT_FLY_SECRET, SLOT_RECOVERY_KEY, SLOT_EXTERNAL = 1, 2, 3, 128
SLOT_NAMES = {
    SLOT_VOLUME_KEY: 'volume-key',
    SLOT_FLY_SECRET: 'fly-secret',
    SLOT_RECOVERY_KEY: 'recovery-key',
    SLOT_EXTERNAL: 'external',
}
MAX_SLOTS = 8
SLOT_HEAD_BYTES = 22
LOCAL_WRAP_BYTES = 104
MAX_EXTERNAL_WRAP_BYTES = 2048
LABEL = re.compile(rb'[A-Za-z0-9_]{1,32}')

BODY_WRITE_ONCE, BODY_MUTABLE = 1, 2
BODY_NAMES = {BODY_WRITE_ONCE: 'write-once', BODY_MUTABLE: 'mutable'}

MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES, SEGMENT_STEP_BYTES = 4096, 4_194_304, 512
DEFAULT_SEGMENT_BYTES = 65536
MAX_SEGMENTS = 2 ** 40
ROTATION_MASK_BITS = 20
NOT_LAST = 0xFFFFFFFF
FLOE_IV_BYTES = 32
FLOE_PARAMETER_BYTES = 10
TAG_BYTES = 16

AES_256_GCM, XCHACHA20_POLY1305, XAES_256_GCM = 0, 0xF1, 0xF2
# The suites of write-once bodies, which this program writes as well.
SUITE_IDS = {'aes-256-gcm': AES_256_GCM, 'xchacha20-poly1305': XCHACHA20_POLY1305}
SUITE_NAMES = {AES_256_GCM: 'aes-256-gcm', XCHACHA20_POLY1305: 'xchacha20-poly1305', XAES_256_GCM: 'aes-256-gcm'}
SUITES_OF_BODY = {BODY_WRITE_ONCE: (AES_256_GCM, XCHACHA20_POLY1305), BODY_MUTABLE: (XAES_256_GCM, XCHACHA20_POLY1305)}
SEGMENT_IV_BYTES = {AES_256_GCM: 12, XCHACHA20_POLY1305: 24, XAES_256_GCM: 24}

MAX_SECRET_FILE_BYTES = 65536

# ----------------------------------------------------------------------------------------------------
# Errors (§8)

EXIT_USAGE, EXIT_KEYS, EXIT_NOT_AUTHENTIC, EXIT_FILE_SYSTEM, EXIT_NOT_OURS = 2, 3, 4, 5, 10

EXIT_CODES = {
    'ERR_VOLSEAL_NOT_SEALED': EXIT_NOT_OURS,
    'ERR_VOLSEAL_UNSUPPORTED_VERSION': EXIT_NOT_OURS,
    'ERR_VOLSEAL_UNSUPPORTED_SUITE': EXIT_NOT_OURS,
    'ERR_VOLSEAL_UNSUPPORTED_FEATURE': EXIT_NOT_OURS,
    'ERR_VOLSEAL_HEADER_DAMAGED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_HEADER_INVALID': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_HEADER_CONFLICT': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_HEADER_TAMPERED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_KEY_MISSING': EXIT_KEYS,
    'ERR_VOLSEAL_KEYRING_MISSING': EXIT_FILE_SYSTEM,
    'ERR_VOLSEAL_KEYRING_INVALID': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_KEYRING_TAMPERED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_KEYRING_ROLLED_BACK': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_JOURNAL_TAMPERED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_WRONG_KEY': EXIT_KEYS,
    'ERR_VOLSEAL_CONTEXT_MISMATCH': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_TAMPERED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_TRUNCATED': EXIT_NOT_AUTHENTIC,
    'ERR_VOLSEAL_TRAILING_DATA': EXIT_NOT_AUTHENTIC,
}


class VolsealError(Exception):
    """A sealed file that cannot be read; `code` is one of §8 without the prefix ERR_VOLSEAL_."""

    def __init__(self, code: str, message: str, hint: Optional[str] = None):
        super().__init__(message)
        self.code = 'ERR_VOLSEAL_' + code
        self.hint = hint
        self.exit_code = EXIT_CODES[self.code]


class SecretError(Exception):
    """A secret in the environment that is missing or not of a form of §4.3. Never carries its value."""

    exit_code = EXIT_KEYS

    def __init__(self, message: str, hint: Optional[str] = None):
        super().__init__(message)
        self.hint = hint


class UsageError(Exception):
    """An argument that cannot be used."""

    exit_code = EXIT_USAGE
    hint: Optional[str] = None


# ----------------------------------------------------------------------------------------------------
# Primitives


def u8(value: int) -> bytes:
    return struct.pack('>B', value)


def u16(value: int) -> bytes:
    return struct.pack('>H', value)


def u32(value: int) -> bytes:
    return struct.pack('>I', value)


def u64(value: int) -> bytes:
    return struct.pack('>Q', value)


def hmac_sha256(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


def hkdf_expand_32(key: bytes, info: bytes) -> bytes:
    """E(key, info, 32) of §1: the first block of HKDF-Expand-SHA-256 (RFC 5869 §2.3)."""
    return hmac_sha256(key, info + b'\x01')


def hkdf_32(key_material: bytes, salt: bytes, info: bytes) -> bytes:
    """HKDF-SHA-256 (RFC 5869), 32 bytes of output."""
    return hkdf_expand_32(hmac_sha256(salt, key_material), info)


def _crc32c_table() -> Tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)  # 0x1EDC6F41 with its bits reversed
        table.append(value)
    return tuple(table)


CRC32C_TABLE = _crc32c_table()


def crc32c(data: bytes) -> int:
    """CRC-32C (§1)."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC32C_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def xaes_256_gcm_keys(key: bytes, nonce: bytes) -> Tuple[bytes, bytes]:
    """The AES-256-GCM key (32 bytes) and nonce (12 bytes) of c2sp.org/XAES-256-GCM for a 24-byte nonce."""
    aes = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
    left = int.from_bytes(aes.update(bytes(16)), 'big')
    doubled = (left << 1) & (2 ** 128 - 1)
    if left >> 127:
        doubled ^= 0b10000111
    blocks = b''
    for counter in (1, 2):
        message = b'\0' + u8(counter) + b'X\0' + nonce[:12]
        blocks += (int.from_bytes(message, 'big') ^ doubled).to_bytes(16, 'big')
    return aes.update(blocks), nonce[12:]


def xaes_256_gcm_seal(key: bytes, nonce: bytes, plain: bytes, aad: bytes) -> bytes:
    subkey, subnonce = xaes_256_gcm_keys(key, nonce)
    return AESGCM(subkey).encrypt(subnonce, plain, aad)


def xaes_256_gcm_open(key: bytes, nonce: bytes, sealed: bytes, aad: bytes) -> Optional[bytes]:
    subkey, subnonce = xaes_256_gcm_keys(key, nonce)
    return aead_open(AESGCM(subkey), subnonce, sealed, aad)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """HChaCha20 (draft-irtf-cfrg-xchacha §2.2): a 32-byte subkey from a 32-byte key and a 16-byte nonce."""
    state = list(struct.unpack('<16I', b'expand 32-byte k' + key + nonce))

    def quarter_round(a: int, b: int, c: int, d: int) -> None:
        for target, source, mixed, bits in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
            state[target] = (state[target] + state[source]) & 0xFFFFFFFF
            word = state[mixed] ^ state[target]
            state[mixed] = ((word << bits) | (word >> (32 - bits))) & 0xFFFFFFFF

    for _ in range(10):
        quarter_round(0, 4, 8, 12)
        quarter_round(1, 5, 9, 13)
        quarter_round(2, 6, 10, 14)
        quarter_round(3, 7, 11, 15)
        quarter_round(0, 5, 10, 15)
        quarter_round(1, 6, 11, 12)
        quarter_round(2, 7, 8, 13)
        quarter_round(3, 4, 9, 14)
    return struct.pack('<8I', *state[:4], *state[12:])


def aead_open(cipher, nonce: bytes, sealed: bytes, aad: bytes) -> Optional[bytes]:
    """The plaintext of ciphertext and tag, or None when the tag does not match."""
    try:
        return cipher.decrypt(nonce, sealed, aad)
    except InvalidTag:
        return None


def suite_cipher(aead_id: int, key: bytes, iv: bytes):
    """The cipher object and the nonce it takes, for one segment of a suite of §6."""
    if aead_id == AES_256_GCM:
        return AESGCM(key), iv
    if aead_id == XAES_256_GCM:
        subkey, subnonce = xaes_256_gcm_keys(key, iv)
        return AESGCM(subkey), subnonce
    return ChaCha20Poly1305(hchacha20(key, iv[:16])), bytes(4) + iv[16:]


# ----------------------------------------------------------------------------------------------------
# FLOE (§6, c2sp.org/FLOE)


def floe_parameters(aead_id: int, segment_bytes: int) -> bytes:
    """PARAM_ENCODE: 10 bytes."""
    return u8(aead_id) + b'\0' + u32(segment_bytes) + u32(FLOE_IV_BYTES)


def segment_overhead_bytes(aead_id: int) -> int:
    return 4 + SEGMENT_IV_BYTES[aead_id] + TAG_BYTES


class Floe:
    """One FLOE message: its derived keys, and the sealing and opening of single segments.

    `key` is 32 bytes, `iv` 32 bytes; `segment_bytes` is ENC_SEG_LEN. `rotation_mask_bits` is 20 in every
    file; some published known answers use another.
    """

    def __init__(self, key: bytes, aead_id: int, segment_bytes: int, iv: bytes, associated_data: bytes,
                 rotation_mask_bits: int = ROTATION_MASK_BITS):
        self.aead_id = aead_id
        self.segment_bytes = segment_bytes
        self.iv_bytes = SEGMENT_IV_BYTES[aead_id]
        self.overhead_bytes = segment_overhead_bytes(aead_id)
        self.plain_segment_bytes = segment_bytes - self.overhead_bytes
        self._prefix = floe_parameters(aead_id, segment_bytes) + iv
        self._associated_data = associated_data
        self._rotation_mask_bits = rotation_mask_bits
        self.header = self._prefix + self._kdf(key, b'HEADER_TAG:', 32)
        self._message_key = self._kdf(key, b'MESSAGE_KEY:', 48)
        self._segment_key: Tuple[int, bytes] = (-1, b'')

    def _kdf(self, key: bytes, purpose: bytes, length_bytes: int) -> bytes:
        data = self._prefix + purpose + self._associated_data + b'\x01'
        return hmac.new(key, data, hashlib.sha384).digest()[:length_bytes]

    def _key_at(self, position: int) -> bytes:
        window = position >> self._rotation_mask_bits << self._rotation_mask_bits
        if self._segment_key[0] != window:
            self._segment_key = (window, self._kdf(self._message_key, b'DEK:' + u64(window), 32))
        return self._segment_key[1]

    def seal_segment(self, plain: bytes, position: int, last: bool) -> bytes:
        if position >= MAX_SEGMENTS - (0 if last else 1):
            raise UsageError('the input is too long for this segment size: choose larger segments')
        iv = os.urandom(self.iv_bytes)
        cipher, nonce = suite_cipher(self.aead_id, self._key_at(position), iv)
        sealed = cipher.encrypt(nonce, plain, u64(position) + u8(last))
        return u32(self.overhead_bytes + len(plain) if last else NOT_LAST) + iv + sealed

    def open_segment(self, segment: bytes, position: int, last: bool) -> Optional[bytes]:
        """The plaintext of a segment, or None when its tag does not match. Ignores the first four bytes."""
        iv = segment[4:4 + self.iv_bytes]
        cipher, nonce = suite_cipher(self.aead_id, self._key_at(position), iv)
        return aead_open(cipher, nonce, segment[4 + self.iv_bytes:], u64(position) + u8(last))


def seal_segments(floe: Floe, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The segments of everything `read` gives. The last is empty only when there is nothing at all (§6)."""
    position = 0
    plain = read(floe.plain_segment_bytes)
    while True:
        following = read(floe.plain_segment_bytes) if len(plain) == floe.plain_segment_bytes else b''
        yield floe.seal_segment(plain, position, last=not following)
        if not following:
            return
        plain = following
        position += 1


def open_segments(floe: Floe, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The plaintext of every segment in turn, each yielded only once it is authenticated (§7, step 9).

    The end of the input decides which segment is the last; what its first four bytes say must agree.
    """
    position = 0
    segment = read(floe.segment_bytes)
    while True:
        following = read(floe.segment_bytes) if len(segment) == floe.segment_bytes else b''
        if not following:
            yield open_last_segment(floe, segment, position)
            return
        yield open_inner_segment(floe, segment, position)
        segment = following
        position += 1


def open_inner_segment(floe: Floe, segment: bytes, position: int) -> bytes:
    """Opens a whole segment that more bytes follow."""
    if position >= MAX_SEGMENTS - 1:
        raise tampered(position)
    plain = floe.open_segment(segment, position, last=False)
    if plain is not None and int.from_bytes(segment[:4], 'big') == NOT_LAST:
        return plain
    raise trailing_data(position) if begins_with_last_segment(floe, segment, position) else tampered(position)


def open_last_segment(floe: Floe, segment: bytes, position: int) -> bytes:
    """Opens what is left at the end of the input, or says why it is not a last segment."""
    if len(segment) < floe.overhead_bytes:
        raise truncated(position)
    marker = int.from_bytes(segment[:4], 'big')
    plain = floe.open_segment(segment, position, last=True)
    if plain is not None:
        if marker == len(segment):
            return plain
        raise tampered(position)
    if marker == NOT_LAST:
        if len(segment) < floe.segment_bytes or floe.open_segment(segment, position, last=False) is not None:
            raise truncated(position)
    elif len(segment) < marker <= floe.segment_bytes:
        raise truncated(position)
    elif begins_with_last_segment(floe, segment, position):
        raise trailing_data(position)
    raise tampered(position)


def open_mutable_segments(floe: Floe, read: Callable[[int], bytes], body_bytes: int,
                          overlay: Dict[int, bytes]) -> Iterator[bytes]:
    """The plaintext of a mutable body (§6.2) of a known length. `overlay`: segments of the journal, by position."""
    count = -(-body_bytes // floe.segment_bytes)
    for position in range(count):
        last = position == count - 1
        length_bytes = body_bytes - position * floe.segment_bytes if last else floe.segment_bytes
        segment = read(length_bytes)
        if position in overlay:
            segment = overlay[position]
        elif len(segment) < length_bytes:
            raise truncated(position)
        plain = floe.open_segment(segment, position, last)
        if plain is None or int.from_bytes(segment[:4], 'big') != (length_bytes if last else NOT_LAST):
            raise tampered(position)
        yield plain


def begins_with_last_segment(floe: Floe, segment: bytes, position: int) -> bool:
    """Whether these bytes start with an authentic last segment, as long as its first four bytes say."""
    length_bytes = int.from_bytes(segment[:4], 'big')
    return (floe.overhead_bytes <= length_bytes <= len(segment)
            and floe.open_segment(segment[:length_bytes], position, last=True) is not None)


def trailing_data(position: int) -> VolsealError:
    return VolsealError('TRAILING_DATA', f'bytes follow the last segment (segment {position})',
                        'something was appended to the file; restore it from a backup')


def tampered(position: int) -> VolsealError:
    return VolsealError('TAMPERED',
                        f'segment {position} is not authentic: changed, moved, or from another file',
                        'restore the file from a backup')


def truncated(position: int) -> VolsealError:
    return VolsealError('TRUNCATED', f'the input ends before its last segment does (in segment {position})',
                        'the file was cut short or not copied whole; copy it again or restore it')


# ----------------------------------------------------------------------------------------------------
# Secrets (§4.3)


def parse_secret(value: bytes, mounted_file: bool) -> bytes:
    """The input key material (32 to 64 bytes) of a secret's value."""
    text = value.strip(b'\t\n\r ')
    if re.fullmatch(rb'vsk1\.[A-Za-z0-9_-]{48}', text):
        decoded = base64.urlsafe_b64decode(text[5:])
        key, check = decoded[:32], decoded[32:]
        if not hmac.compare_digest(hashlib.sha256(b'volseal/v1/key-check' + key).digest()[:4], check):
            raise SecretError('the check characters of this vsk1. secret do not match: it was mistyped')
        return key
    if 64 <= len(text) <= 128 and len(text) % 2 == 0 and re.fullmatch(rb'[0-9A-Fa-f]+', text):
        return bytes.fromhex(text.decode('ascii'))
    decoded = decode_canonical_base64(text)
    if decoded is not None and 32 <= len(decoded) <= 64:
        return decoded
    text_bytes = len(re.findall(rb'[\t\n\r\x20-\x7e]', value))
    if mounted_file and text_bytes < 0.85 * len(value) and 32 <= len(value) <= 64:
        return value
    raise SecretError('not a key: it must be vsk1. and 48 characters, or 32 to 64 bytes as hex or base64',
                      'compare it with the value that was set; quotes and missing characters are common')


def decode_canonical_base64(text: bytes) -> Optional[bytes]:
    """Bytes of base64 or base64url, padded or not, or None unless it is the canonical spelling."""
    stripped = text.rstrip(b'=')
    padded = stripped + b'=' * (-len(stripped) % 4)
    if text not in (stripped, padded):
        return None
    for alphabet in (None, b'-_'):
        try:
            decoded = base64.b64decode(padded, altchars=alphabet, validate=True)
        except binascii.Error:
            continue
        # Encoding again shows unused bits that are not zero, and a mix of the two alphabets.
        if base64.b64encode(decoded, altchars=alphabet) == padded:
            return decoded
    return None


def show_key_id(key_id: bytes) -> str:
    """Eight groups of four base32 characters: 16 bytes of key id and 4 of checksum."""
    check = hashlib.sha256(b'volseal/v1/key-id-check' + key_id).digest()[:4]
    text = base64.b32encode(key_id + check).decode('ascii')
    return '-'.join(text[i:i + 4] for i in range(0, 32, 4))


@dataclass
class Secret:
    label: str
    key_id: bytes
    kek: bytes  # for files sealed outside a volume: scope 0, id of zeros
    key_material: bytes = b''
    slot_type: int = SLOT_FLY_SECRET

    def volume_kek(self, volume_id: bytes) -> bytes:
        return hkdf_32(self.key_material, b'volseal/v1/kek', u8(1) + volume_id)


def make_secret(label: str, key_material: bytes, slot_type: int = SLOT_FLY_SECRET) -> Secret:
    return Secret(
        label=label,
        key_id=hkdf_32(key_material, b'volseal/v1/kid', b'')[:16],
        kek=hkdf_32(key_material, b'volseal/v1/kek', u8(0) + bytes(16)),
        key_material=key_material,
        slot_type=slot_type,
    )


RECOVERY_ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'


def parse_recovery_key(text: str) -> bytes:
    """The 32 bytes of a recovery key as it was written down (keyring-v1.md §6)."""
    characters = ''.join(c for c in text.upper() if not (c.isspace() or c in '_.' or unicodedata.category(c) == 'Pd'))
    if characters.startswith('VRK1') and len(characters) > 56:
        characters = characters[4:]
    characters = characters.replace('I', '1').replace('L', '1').replace('O', '0')
    if len(characters) != 56 or any(c not in RECOVERY_ALPHABET for c in characters):
        raise SecretError(f'not a recovery key: it has 56 letters and digits after vrk1, and this has {len(characters)}',
                          'compare it with what was written down; there is no U among the letters')
    number = 0
    for character in characters:
        number = number << 5 | RECOVERY_ALPHABET.index(character)
    decoded = number.to_bytes(35, 'big')
    key, check = decoded[:32], decoded[32:]
    if not hmac.compare_digest(hashlib.sha256(b'volseal/v1/recovery-check' + key).digest()[:3], check):
        raise SecretError('the check characters of the recovery key do not match: it was mistyped')
    return key


def recovery_key_from_environment() -> List[Secret]:
    text = os.environ.get('VOLSEAL_RECOVERY_KEY', '')
    path = os.environ.get('VOLSEAL_RECOVERY_KEY_FILE', '')
    if not text and path:
        try:
            text = read_secret_file(path).decode('utf-8', 'replace')
        except OSError as error:
            raise SecretError(f'VOLSEAL_RECOVERY_KEY_FILE: it cannot be read: {error.strerror}') from None
    return [make_secret('recovery key', parse_recovery_key(text), SLOT_RECOVERY_KEY)] if text else []


def secrets_from_environment() -> List[Secret]:
    """Every secret that is set, sorted by label. Raises SecretError for one that is not a key."""
    secrets: Dict[str, Secret] = {}
    for name, value in sorted(os.environ.items()):
        match = re.fullmatch('VOLSEAL_SECRET_(FILE_)?(.*)', name, re.DOTALL)
        if not match:
            continue
        if not LABEL.fullmatch(os.fsencode(match.group(2))):
            raise SecretError(f'{name!a}: a label is 1 to 32 of A-Z a-z 0-9 _')
        try:
            if match.group(1):
                key_material = parse_secret(read_secret_file(value), mounted_file=True)
            else:
                key_material = parse_secret(os.fsencode(value), mounted_file=False)
        except SecretError as error:
            raise SecretError(f'{name}: {error}', error.hint) from None
        except OSError as error:
            raise SecretError(f'{name}: its file cannot be read: {error.strerror}') from None
        secret = make_secret(match.group(2), key_material)
        other = secrets.setdefault(secret.label, secret)
        if other.key_id != secret.key_id:
            raise SecretError(f'the label {secret.label} is set twice, with different keys',
                              'set VOLSEAL_SECRET_<label> or VOLSEAL_SECRET_FILE_<label>, not both')
    return [secrets[label] for label in sorted(secrets)]


def read_secret_file(path: str) -> bytes:
    with open(path, 'rb') as file:
        value = file.read(MAX_SECRET_FILE_BYTES + 1)
    if len(value) > MAX_SECRET_FILE_BYTES:
        raise SecretError('the file is far too long for a key')
    return value


def primary_secret(secrets: List[Secret]) -> Secret:
    wanted = os.environ.get('VOLSEAL_PRIMARY')
    if not secrets:
        raise SecretError('no secret is set', 'put the key into VOLSEAL_SECRET_<label>')
    if not wanted:
        if len(secrets) == 1:
            return secrets[0]
        raise SecretError('several secrets are set, and none is named as primary',
                          'set VOLSEAL_PRIMARY to one of: ' + ', '.join(secret.label for secret in secrets))
    for secret in secrets:
        if secret.label == wanted:
            return secret
    raise SecretError(f'VOLSEAL_PRIMARY names {wanted!r}, which is not set',
                      'set it to one of: ' + ', '.join(secret.label for secret in secrets))


# ----------------------------------------------------------------------------------------------------
# Encryption context (§5)

Pairs = Dict[str, str]


def encode_context(pairs: Pairs) -> bytes:
    """The context as it is stored. Raises UsageError when it is out of bounds."""
    encoded = sorted((key.encode('utf-8'), value.encode('utf-8')) for key, value in pairs.items())
    if len(encoded) > MAX_CONTEXT_PAIRS:
        raise UsageError(f'more than {MAX_CONTEXT_PAIRS} context pairs')
    context = u16(len(encoded))
    for key, value in encoded:
        if not 1 <= len(key) <= MAX_CONTEXT_KEY_BYTES:
            raise UsageError(f'a context key must have 1 to {MAX_CONTEXT_KEY_BYTES} bytes')
        if len(value) > MAX_CONTEXT_VALUE_BYTES:
            raise UsageError(f'a context value must have at most {MAX_CONTEXT_VALUE_BYTES} bytes')
        context += u16(len(key)) + key + u16(len(value)) + value
    if len(context) > MAX_CONTEXT_BYTES:
        raise UsageError(f'the context has more than {MAX_CONTEXT_BYTES} bytes')
    return context


def parse_context(context: bytes) -> Pairs:
    """The pairs of a stored context. Raises HEADER_INVALID when it is not exactly as §5 says."""
    fields = Fields(context)
    count = fields.u16()
    if count > MAX_CONTEXT_PAIRS:
        raise invalid('the context has too many pairs')
    pairs: Pairs = {}
    previous = b''
    for _ in range(count):
        key = fields.take(fields.u16(1, MAX_CONTEXT_KEY_BYTES))
        value = fields.take(fields.u16(0, MAX_CONTEXT_VALUE_BYTES))
        # A key has at least one byte, so that the first one sorts after the empty start value.
        if key <= previous:
            raise invalid('the context is not sorted, or a key occurs twice')
        previous = key
        try:
            pairs[key.decode('utf-8')] = value.decode('utf-8')
        except UnicodeDecodeError:
            raise invalid('the context is not UTF-8') from None
    fields.end()
    return pairs


# ----------------------------------------------------------------------------------------------------
# Header (§2 to §4)


def invalid(what: str) -> VolsealError:
    return VolsealError('HEADER_INVALID', f'the checksum of the header matches, but {what}',
                        'the file was made by something other than volseal, or altered on purpose')


class Fields:
    """Reads fields in turn; every length is checked against what is left before it is used."""

    def __init__(self, data: bytes):
        self._data = data
        self._offset = 0

    def take(self, length_bytes: int) -> bytes:
        if length_bytes > len(self._data) - self._offset:
            raise invalid('a length in it points past its end')
        self._offset += length_bytes
        return self._data[self._offset - length_bytes:self._offset]

    def number(self, length_bytes: int, low: int = 0, high: Optional[int] = None) -> int:
        value = int.from_bytes(self.take(length_bytes), 'big')
        if value < low or (high is not None and value > high):
            raise invalid(f'a field is out of bounds ({value})')
        return value

    def u8(self, low: int = 0, high: Optional[int] = None) -> int:
        return self.number(1, low, high)

    def u16(self, low: int = 0, high: Optional[int] = None) -> int:
        return self.number(2, low, high)

    def end(self) -> None:
        if self._offset != len(self._data):
            raise invalid('bytes are left over behind its fields')


@dataclass
class Slot:
    type: int
    key_id: bytes
    key_version: int
    wrapped: bytes
    hint: str


@dataclass
class Header:
    """One header copy whose checksum matched."""

    half_index: int
    region_bytes: int
    body_kind: int
    generation: int
    file_id: bytes
    floe_header: bytes
    sync_seq: int  # both zero in a write-once body
    body_bytes: int
    context: bytes
    slots: List[Slot]
    raw: bytes

    @property
    def aead_id(self) -> int:
        return self.floe_header[0]

    @property
    def segment_bytes(self) -> int:
        return int.from_bytes(self.floe_header[2:6], 'big')

    @property
    def associated_data(self) -> bytes:
        """The FLOE associated data (§6)."""
        return b'volseal/v1/body\0' + u8(self.body_kind) + self.file_id + self.context

    def parts_that_never_change(self) -> Tuple[int, bytes, bytes, bytes]:
        return self.body_kind, self.file_id, self.floe_header, self.context

    def all_but_index_and_mac(self) -> bytes:
        return self.raw[:10] + self.raw[11:-CRC_AND_MAC_BYTES]


def parse_slot(data: bytes) -> Slot:
    fields = Fields(data)
    slot_type = fields.u8()
    hint_bytes = fields.u8()
    key_id = fields.take(16)
    key_version = fields.number(4)
    if slot_type not in SLOT_NAMES:
        raise unsupported('FEATURE', f'slot type {slot_type}')
    if hint_bytes > (32 if slot_type in (SLOT_FLY_SECRET, SLOT_RECOVERY_KEY) else 0):
        raise invalid('the label of a key slot is too long')
    if key_version != 0 and slot_type != SLOT_VOLUME_KEY:
        raise invalid('a key slot has a key version where none belongs')
    wrapped_bytes = len(data) - SLOT_HEAD_BYTES - hint_bytes
    if slot_type == SLOT_EXTERNAL:
        if wrapped_bytes > MAX_EXTERNAL_WRAP_BYTES:
            raise invalid('the key slot of an external provider is too long')
    elif wrapped_bytes != LOCAL_WRAP_BYTES:
        raise invalid('a key slot has the wrong length')
    wrapped = fields.take(wrapped_bytes)
    hint = fields.take(hint_bytes)
    if hint and not LABEL.fullmatch(hint):
        raise invalid('the label of a key slot has characters that no label has')
    if slot_type == SLOT_EXTERNAL:
        provider, key_text, _ = parse_external(wrapped)
        if key_id != external_key_id(provider, key_text):
            raise invalid('the key slot of an external provider has the key id of another key')
    return Slot(slot_type, key_id, key_version, wrapped, hint.decode('ascii'))


def external_key_id(provider: str, key_text: str) -> bytes:
    text = b'volseal/v1/external-key\0' + provider.encode('ascii') + b'\0' + key_text.encode('utf-8')
    return hashlib.sha256(text).digest()[:16]


def parse_external(wrapped: bytes) -> Tuple[str, str, bytes]:
    """Provider type, key id text and the provider's own bytes of an external slot (§4.2)."""
    fields = Fields(wrapped)
    try:
        provider = fields.take(fields.u8()).decode('ascii')
        key_text = fields.take(fields.u16()).decode('utf-8')
    except UnicodeDecodeError:
        raise invalid('the key slot of an external provider is not text where it should be') from None
    provider_bytes = fields.take(fields.u16())
    fields.end()
    return provider, key_text, provider_bytes


def parse_copy(raw: bytes) -> Header:
    """The fields of a copy whose checksum matched: §7, step 3."""
    body_kind, flags = raw[16], int.from_bytes(raw[18:20], 'big')
    if body_kind not in BODY_NAMES:
        raise unsupported('FEATURE', f'body kind {body_kind}')
    if flags != 0:
        raise unsupported('FEATURE', f'flag bits {flags:#06x}')
    if raw[17] != 0:
        raise unsupported('FEATURE', f'value {raw[17]} of the reserved byte')
    aead_id, kdf_id = raw[FLOE_OFFSET], raw[FLOE_OFFSET + 1]
    if aead_id not in SUITES_OF_BODY[body_kind] or kdf_id != 0:
        raise unsupported('SUITE', f'suite {aead_id:#04x} with key derivation {kdf_id}, '
                                   f'for a {BODY_NAMES[body_kind]} body,')

    fields = Fields(raw[:-CRC_AND_MAC_BYTES])
    fields.take(10)
    half_index = fields.u8()
    region_bytes = 1 << fields.u8(MIN_REGION_LOG2, MAX_REGION_LOG2)
    fields.number(4, MIN_COPY_BYTES, region_bytes // 2)
    fields.take(4)  # body kind, reserved byte, flags
    generation = fields.number(8, 1, MAX_GENERATION)
    file_id = fields.take(16)
    floe_header = fields.take(FLOE_HEADER_BYTES)
    check_floe_parameters(floe_header)
    sync_seq, body_bytes = fields.number(8, 0, MAX_COUNT), fields.number(8, 0, MAX_COUNT)
    check_state(body_kind, floe_header, sync_seq, body_bytes, fields.take(32))
    context = fields.take(fields.u16(len(EMPTY_CONTEXT), MAX_CONTEXT_BYTES))
    parse_context(context)
    fields.u16(0, 0)
    slots = [parse_slot(fields.take(fields.u16(SLOT_HEAD_BYTES))) for _ in range(fields.u8(1, MAX_SLOTS))]
    fields.end()
    return Header(half_index, region_bytes, body_kind, generation, file_id, floe_header, sync_seq, body_bytes,
                  context, slots, raw)


def check_state(body_kind: int, floe_header: bytes, sync_seq: int, body_bytes: int, acc: bytes) -> None:
    if body_kind == BODY_WRITE_ONCE:
        if sync_seq or body_bytes or acc != bytes(32):
            raise invalid('it has the state of a mutable body')
        return
    if acc != bytes(32):
        raise unsupported('FEATURE', 'the accumulator of its state')
    if not is_body_length(body_bytes, floe_header[0], int.from_bytes(floe_header[2:6], 'big')):
        raise invalid(f'no segments have the length of its body together ({body_bytes} bytes)')


def is_body_length(body_bytes: int, aead_id: int, segment_bytes: int) -> bool:
    """Whether segments can add up to a length: the last one has at least its overhead (§6.2)."""
    overhead_bytes = segment_overhead_bytes(aead_id)
    last_bytes = body_bytes % segment_bytes or segment_bytes
    return (overhead_bytes <= body_bytes and overhead_bytes <= last_bytes
            and -(-body_bytes // segment_bytes) <= MAX_SEGMENTS)


def check_floe_parameters(floe_header: bytes) -> None:
    segment_bytes, iv_bytes = struct.unpack('>II', floe_header[2:FLOE_PARAMETER_BYTES])
    if iv_bytes != FLOE_IV_BYTES:
        raise invalid(f'its FLOE IV has {iv_bytes} bytes instead of {FLOE_IV_BYTES}')
    if not MIN_SEGMENT_BYTES <= segment_bytes <= MAX_SEGMENT_BYTES or segment_bytes % SEGMENT_STEP_BYTES:
        raise invalid(f'its segment size is out of bounds ({segment_bytes})')


def unsupported(what: str, named: str) -> VolsealError:
    return VolsealError('UNSUPPORTED_' + what, f'{named} is not known to this program', 'use a newer one')


@dataclass
class Place:
    """What is found at one of the offsets where a header copy can be."""

    offset: int
    has_magic: bool
    version: int = 0
    half_index: int = -1
    region_bytes: int = 0  # 0 when the field is out of bounds or past the end of the input
    cut_short: bool = False
    # The whole copy, when its version is known, its half index is that of the place and its checksum matches.
    copy: Optional[bytes] = None

    @property
    def counts_as_half_1(self) -> bool:
        return self.half_index == 1 and self.region_bytes == 2 * self.offset


def look_at(prefix: bytes, offset: int) -> Place:
    """Magic, version, sizes and checksum at an offset: §7, steps 1 and 2. `prefix`: the first 64 KiB."""
    head = prefix[offset:offset + 16]
    if head[:8] != MAGIC:
        return Place(offset, has_magic=False)
    if len(head) < 16:
        return Place(offset, has_magic=True, version=VERSION, cut_short=True)
    version, half_index, region_log2, copy_bytes = struct.unpack('>HBBI', head[8:])
    # The prefix is as long as the largest region unless the input ended before.
    place = Place(offset, True, version, half_index, cut_short=len(prefix) < 1 << MIN_REGION_LOG2)
    if not MIN_REGION_LOG2 <= region_log2 <= MAX_REGION_LOG2:
        return place
    place.region_bytes = 1 << region_log2
    if offset == 0 or place.counts_as_half_1:
        place.cut_short = len(prefix) < place.region_bytes
    if version != VERSION or half_index != (0 if offset == 0 else 1):
        return place
    copy = prefix[offset:offset + copy_bytes]
    if MIN_COPY_BYTES <= copy_bytes <= place.region_bytes // 2 and len(copy) == copy_bytes:
        body, crc, mac = copy[:-36], copy[-36:-32], copy[-32:]
        if u32(crc32c(body + mac)) == crc:
            place.copy = copy
    return place


def find_halves(prefix: bytes) -> List[Header]:
    """The halves with a matching checksum, parsed: §7, steps 1 to 3. One or two."""
    first = look_at(prefix, 0)
    if first.copy is not None:
        halves = [parse_copy(first.copy)]
        second = look_at(prefix, first.region_bytes // 2)
        if second.copy is not None:
            halves.append(parse_copy(second.copy))
        return halves

    places = [look_at(prefix, offset) for offset in HALF_1_OFFSETS]
    for place in reversed(places):  # a context can hold what looks like a copy in front of the true one
        if place.copy is not None and place.counts_as_half_1:
            return [parse_copy(place.copy)]

    found = [place for place in [first] + places if place.has_magic]
    if not found:
        raise VolsealError('NOT_SEALED', 'this is not a volseal file', 'plaintext, or another format')
    for place in found:
        if place.version != VERSION:
            raise unsupported('VERSION', f'format version {place.version}')
    if any(place.cut_short for place in found):
        raise VolsealError('TRUNCATED', 'the input ends inside its header',
                           'the file was cut short or not copied whole; copy it again or restore it')
    raise VolsealError('HEADER_DAMAGED', 'neither copy of the header has a matching checksum',
                       'restore the file from a backup')


def choose_header(halves: List[Header]) -> Header:
    """The half that is the header: §7, step 4."""
    if len(halves) == 1:
        return halves[0]
    first, second = halves
    agree = (first.parts_that_never_change() == second.parts_that_never_change()
             and first.region_bytes == second.region_bytes
             and (first.generation != second.generation
                  or first.all_but_index_and_mac() == second.all_but_index_and_mac()))
    if not agree:
        raise VolsealError('HEADER_CONFLICT', 'the two copies of the header contradict each other',
                           'a part of another file was put in; restore the file from a backup')
    return first if first.generation >= second.generation else second


def header_mac_key(file_key: bytes) -> bytes:
    return hkdf_expand_32(file_key, b'volseal/v1/header-mac')


def encode_slot(slot: Slot) -> bytes:
    hint = slot.hint.encode('ascii')
    return u8(slot.type) + u8(len(hint)) + slot.key_id + u32(slot.key_version) + slot.wrapped + hint


def encode_copy(half_index: int, region_bytes: int, file_id: bytes, floe_header: bytes, context: bytes,
                slots: List[bytes], file_key: bytes, generation: int = 1, body_kind: int = BODY_WRITE_ONCE,
                state: bytes = bytes(48)) -> bytes:
    """One header copy (§3)."""
    tail = u16(len(context)) + context + u16(0) + u8(len(slots)) + b''.join(u16(len(s)) + s for s in slots)
    copy_bytes = FIXED_BYTES - 2 + len(tail) + CRC_AND_MAC_BYTES
    body = (MAGIC + u16(VERSION) + u8(half_index) + u8(region_bytes.bit_length() - 1) + u32(copy_bytes)
            + u8(body_kind) + b'\0' + u16(0) + u64(generation) + file_id + floe_header + state + tail)
    mac = hmac_sha256(header_mac_key(file_key), body)
    return body + u32(crc32c(body + mac)) + mac


def encode_region(file_id: bytes, floe_header: bytes, context: bytes, slots: List[bytes], file_key: bytes,
                  region_bytes: Optional[int] = None) -> bytes:
    """Both halves of a new file's header. Unless given, the region is the smallest with the room of §3."""
    if region_bytes is None:
        copy_bytes = len(encode_copy(0, 2048, file_id, floe_header, context, slots, file_key))
        room = max(MIN_SLOT_ROOM_BYTES, *(2 + len(slot) for slot in slots)) + LOCATION_ROOM_BYTES
        only_volume_keys = all(slot[0] == SLOT_VOLUME_KEY for slot in slots)
        region_bytes = 2048 if only_volume_keys else 4096
        while copy_bytes + room > region_bytes // 2:
            region_bytes *= 2
    halves = b''
    for half_index in (0, 1):
        copy = encode_copy(half_index, region_bytes, file_id, floe_header, context, slots, file_key)
        halves += copy.ljust(region_bytes // 2, b'\0')
    return halves


# ----------------------------------------------------------------------------------------------------
# Wrapping of the file's data key (§4.1)


def slot_aad(slot_type: int, key_id: bytes, key_version: int, file_id: bytes, floe_header: bytes) -> bytes:
    return b'volseal/v1/slot' + u8(slot_type) + key_id + u32(key_version) + file_id + floe_header


def slot_commitment(kek: bytes, aad: bytes, nonce_and_sealed: bytes) -> bytes:
    return hmac_sha256(hkdf_expand_32(kek, b'volseal/v1/slot-com'), u32(len(aad)) + aad + nonce_and_sealed)


def slot_encryption_key(kek: bytes) -> bytes:
    return hkdf_expand_32(kek, b'volseal/v1/slot-enc')


def wrap_file_key(secret: Secret, file_key: bytes, file_id: bytes, floe_header: bytes) -> Slot:
    aad = slot_aad(SLOT_FLY_SECRET, secret.key_id, 0, file_id, floe_header)
    nonce = os.urandom(24)
    sealed = nonce + xaes_256_gcm_seal(slot_encryption_key(secret.kek), nonce, file_key, aad)
    wrapped = sealed + slot_commitment(secret.kek, aad, sealed)
    return Slot(SLOT_FLY_SECRET, secret.key_id, 0, wrapped, secret.label)


def unwrap_local(kek: bytes, wrapped: bytes, aad: bytes) -> Optional[bytes]:
    """What a local wrap (§4.1) holds, or None when it does not open with this key and associated data."""
    nonce, sealed, commitment = wrapped[:24], wrapped[24:72], wrapped[72:]
    if not hmac.compare_digest(slot_commitment(kek, aad, nonce + sealed), commitment):
        return None
    return xaes_256_gcm_open(slot_encryption_key(kek), nonce, sealed, aad)


def unwrap_file_key(header: Header, secrets: List[Secret], volume: Optional[Volume] = None) -> bytes:
    """The file's data key (32 bytes) from the first slot that a given key fits: §7, steps 5 and 6."""
    belongs_to_volume = any(slot.type == SLOT_VOLUME_KEY for slot in header.slots)
    keyring = volume.keyring if volume and belongs_to_volume else None
    by_key_id = {(secret.slot_type, secret.key_id): secret for secret in secrets}
    for slot in header.slots:
        if slot.type == SLOT_VOLUME_KEY:
            volume_key = keyring.keys.get(slot.key_id) if keyring else None
            if volume_key is None or volume_key.kek is None:
                continue
            name, kek = f'volume key {volume_key.version}', volume_key.kek
            if slot.key_version != volume_key.version:
                raise wrong_key(f'the key slot of {name} has another version')
        else:
            secret = by_key_id.get((slot.type, slot.key_id))
            if secret is None:
                continue
            name, kek = secret.label, secret.kek
        aad = slot_aad(slot.type, slot.key_id, slot.key_version, header.file_id, header.floe_header)
        file_key = unwrap_local(kek, slot.wrapped, aad)
        if file_key is None:
            raise wrong_key(f'the key slot for {name} does not open with that key')
        return file_key
    raise no_slot_fits(header, secrets, keyring)


def no_slot_fits(header: Header, secrets: List[Secret], keyring: Optional[Keyring]) -> VolsealError:
    wanted = '; '.join(describe_slot(slot) for slot in header.slots)
    own = [slot for slot in header.slots if slot.type == SLOT_VOLUME_KEY]
    if own and keyring is None:
        return VolsealError('KEY_MISSING', f'this file belongs to a volume, whose keyring is not here. It wants: {wanted}',
                            'name the volume with --volume, or an exported keyring with --keyring')
    if keyring and any(slot.key_id[:8] == keyring.volume_id[:8] and slot.key_id not in keyring.keys for slot in own):
        return VolsealError('KEYRING_ROLLED_BACK', f'the keyring is older than this file. It wants: {wanted}',
                            'put a newer keyring back')
    if keyring and any(slot.key_id in keyring.keys for slot in own):
        states = ', '.join(f'volume key {keyring.keys[slot.key_id].version} is {keyring.keys[slot.key_id].state}'
                           for slot in own if slot.key_id in keyring.keys)
        return VolsealError('KEY_MISSING', f'the key of this file may not be used: {states}')
    if own:
        return VolsealError('KEY_MISSING', f'this file was sealed in another volume. It wants: {wanted}',
                            'name that volume with --volume')
    given = ', '.join(f'{secret.label} {show_key_id(secret.key_id)}' for secret in secrets) or 'none'
    return VolsealError('KEY_MISSING', f'no given key opens this file. It wants: {wanted}. Given: {given}',
                       'put the key the file wants into VOLSEAL_SECRET_<label>')


def wrong_key(what: str) -> VolsealError:
    return VolsealError('WRONG_KEY',
                        what + ': the header was changed, or the slot was moved here from another file',
                        'restore the file from a backup')


def describe_slot(slot: Slot) -> str:
    return ' '.join(filter(None, [SLOT_NAMES[slot.type], slot.hint, show_key_id(slot.key_id)]))


# ----------------------------------------------------------------------------------------------------
# Keyring of a volume (keyring-v1.md)

METADATA = '.volseal'
MAX_KEYRING_BYTES, MAX_KEYRING_SLOTS, MAX_VOLUME_KEYS = 1_048_576, 32, 1024
MAX_JSON_DEPTH = 8
KEY_STATES = ('primary', 'active', 'disabled', 'destroyed')
KEYRING_SLOT_TYPES = {'fly-secrets': SLOT_FLY_SECRET, 'recovery': SLOT_RECOVERY_KEY}
DATE = re.compile(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z')


@dataclass
class VolumeKey:
    version: int
    state: str
    kek: Optional[bytes]  # only of keys that open


@dataclass
class KeyringSlot:
    type: str
    key_id: str
    label: str
    primary: bool
    wrap: bytes


@dataclass
class Keyring:
    volume_id: bytes
    generation: int
    slots: List[KeyringSlot]
    policy: dict
    keys: Dict[bytes, VolumeKey]  # by key id


def keyring_invalid(what: str) -> VolsealError:
    return VolsealError('KEYRING_INVALID', f'this is not a keyring: {what}', 'restore it, or an export of it')


class Members:
    """The members of one JSON object, each of which has to be asked for (keyring-v1.md §2)."""

    def __init__(self, value: object, where: str):
        if not isinstance(value, dict):
            raise keyring_invalid(f'{where} is not an object')
        self._value, self._where = dict(value), where

    def take(self, name: str, kind: type, optional: bool = False) -> object:
        if name not in self._value:
            if optional:
                return None
            raise keyring_invalid(f'{self._where} has no {name}')
        value = self._value.pop(name)
        if type(value) is not kind:
            raise keyring_invalid(f'{self._where}.{name} is of another kind')
        return value

    def number(self, name: str, low: int, high: int = MAX_COUNT) -> int:
        value = self.take(name, int)
        if not low <= value <= high:  # type: ignore[operator]
            raise keyring_invalid(f'{self._where}.{name} is out of bounds')
        return value  # type: ignore[return-value]

    def bytes(self, name: str, low: int, high: Optional[int] = None, optional: bool = False) -> Optional[bytes]:
        text = self.take(name, str, optional)
        if text is None:
            return None
        decoded = decode_base64url(text)  # type: ignore[arg-type]
        if decoded is None or not low <= len(decoded) <= (low if high is None else high):
            raise keyring_invalid(f'{self._where}.{name} is not base64url of the right length')
        return decoded

    def date(self, name: str) -> None:
        if not DATE.fullmatch(self.take(name, str)):  # type: ignore[arg-type]
            raise keyring_invalid(f'{self._where}.{name} is not a date')

    def records(self, name: str, low: int, high: int) -> List['Members']:
        value = self.take(name, list)
        if not low <= len(value) <= high:  # type: ignore[arg-type]
            raise keyring_invalid(f'{self._where}.{name} has too few or too many entries')
        return [Members(entry, f'{self._where}.{name}') for entry in value]  # type: ignore[attr-defined]

    def end(self) -> None:
        for name in self._value:
            raise unsupported('FEATURE', f'the member {name!a} of {self._where}')


def decode_base64url(text: str) -> Optional[bytes]:
    if not re.fullmatch('[A-Za-z0-9_-]*', text):
        return None
    try:
        decoded = base64.urlsafe_b64decode(text + '=' * (-len(text) % 4))
    except binascii.Error:
        return None
    return decoded if base64.urlsafe_b64encode(decoded).rstrip(b'=') == text.encode('ascii') else None


def parse_json(data: bytes, what: str) -> object:
    """JSON as keyring-v1.md §2 restricts it."""

    def refuse(_text: str) -> object:
        raise ValueError('a number that is not whole')

    def whole(text: str) -> int:
        if not re.fullmatch('[0-9]+', text) or int(text) > MAX_COUNT:
            raise ValueError('a number that is out of bounds')
        return int(text)

    def unique(pairs: List[Tuple[str, object]]) -> dict:
        if len({name for name, _ in pairs}) != len(pairs):
            raise ValueError('a member that is there twice')
        return dict(pairs)

    def check(value: object, depth: int) -> None:
        if value is None or depth > MAX_JSON_DEPTH:
            raise ValueError('null, or too many levels')
        if isinstance(value, str):
            value.encode('utf-8')
        elif isinstance(value, dict):
            for name, member in value.items():
                name.encode('utf-8')
                check(member, depth + 1)
        elif isinstance(value, list):
            for member in value:
                check(member, depth + 1)

    try:
        value = json.loads(data.decode('utf-8'), parse_float=refuse, parse_constant=refuse, parse_int=whole,
                           object_pairs_hook=unique)
        check(value, 0)
        return value
    except (ValueError, RecursionError) as error:
        raise keyring_invalid(f'{what} is not JSON of the allowed form ({error})') from None


def open_keyring(document: bytes, secrets: List[Secret]) -> Keyring:
    """A verified keyring: keyring-v1.md §7, steps 2 to 9."""
    if len(document) > MAX_KEYRING_BYTES:
        raise keyring_invalid('it is too long')
    outer_value = parse_json(document, 'the document')
    if isinstance(outer_value, dict) and type(outer_value.get('volsealKeyring')) is int:
        if outer_value['volsealKeyring'] != 1:
            raise unsupported('VERSION', f'keyring version {outer_value["volsealKeyring"]}')
    outer = Members(outer_value, 'the document')
    outer.number('volsealKeyring', 1, 1)
    payload_bytes, mac = outer.bytes('payload', 1, MAX_KEYRING_BYTES), outer.bytes('mac', 32)
    outer.end()
    payload = Members(parse_json(payload_bytes, 'the payload'), 'the payload')
    volume_id = payload.bytes('volumeId', 16)
    slots = parse_keyring_slots(payload.records('slots', 1, MAX_KEYRING_SLOTS))
    keyring_key = unwrap_keyring_key(volume_id, slots, secrets)
    if not hmac.compare_digest(hmac_sha256(hkdf_expand_32(keyring_key, b'volseal/v1/keyring-mac'), payload_bytes),
                               mac):
        raise VolsealError('KEYRING_TAMPERED', 'the keyring is not authentic', 'restore it, or an export of it')

    generation = payload.number('generation', 1)
    payload.date('created')
    payload.date('changed')
    policy = payload.take('policy', dict)
    wrap_key = hkdf_expand_32(keyring_key, b'volseal/v1/keyring-wrap')
    keys = parse_volume_keys(payload.records('volumeKeys', 1, MAX_VOLUME_KEYS), volume_id, wrap_key)
    payload.end()
    return Keyring(volume_id, generation, slots, policy, keys)


def parse_keyring_slots(records: List[Members]) -> List[KeyringSlot]:
    slots = []
    for record in records:
        slot_type, key_id = record.take('type', str), record.take('keyId', str)
        local = slot_type in KEYRING_SLOT_TYPES
        label = (record.take('label', str, optional=True) if local else None) or ''
        primary = record.take('primary', bool)
        record.date('created')
        wrap = record.bytes('wrap', LOCAL_WRAP_BYTES if local else 1, LOCAL_WRAP_BYTES if local else 2048)
        record.end()
        slots.append(KeyringSlot(slot_type, key_id, label, primary, wrap))
    if len({(slot.type, slot.key_id) for slot in slots}) != len(slots):
        raise keyring_invalid('two slots are for the same key')
    if sum(slot.primary for slot in slots) != 1:
        raise keyring_invalid('not exactly one slot is primary')
    return slots


def unwrap_keyring_key(volume_id: bytes, slots: List[KeyringSlot], secrets: List[Secret]) -> bytes:
    """KK from the first slot that a given key fits, the primary one first."""
    for slot in sorted(slots, key=lambda slot: not slot.primary):
        for secret in secrets:
            if KEYRING_SLOT_TYPES.get(slot.type) != secret.slot_type or slot.key_id != show_key_id(secret.key_id):
                continue
            aad = b'volseal/v1/keyring-slot' + volume_id + u8(secret.slot_type) + secret.key_id
            keyring_key = unwrap_local(secret.volume_kek(volume_id), slot.wrap, aad)
            if keyring_key is None:
                raise VolsealError('WRONG_KEY', f'the keyring does not open with {secret.label}: its slot was changed, '
                                                'or taken from another volume', 'restore the keyring, or an export of it')
            return keyring_key
    wanted = '; '.join(f'{slot.type} {slot.label} {slot.key_id}'.replace('  ', ' ') for slot in slots)
    given = ', '.join(f'{secret.label} {show_key_id(secret.key_id)}' for secret in secrets) or 'none'
    raise VolsealError('KEY_MISSING', f'no given key opens the keyring. It wants: {wanted}. Given: {given}',
                       'put the secret into VOLSEAL_SECRET_<label>, or the recovery key into VOLSEAL_RECOVERY_KEY')


def parse_volume_keys(records: List[Members], volume_id: bytes, wrap_key: bytes) -> Dict[bytes, VolumeKey]:
    keys: Dict[bytes, VolumeKey] = {}
    last_version = 0
    for record in records:
        version = record.number('version', last_version + 1, 2 ** 32 - 1)
        last_version = version
        key_id, state = parse_shown_key_id(record.take('keyId', str)), record.take('state', str)
        record.date('created')
        record.date('changed')
        wrap = record.bytes('wrap', LOCAL_WRAP_BYTES, optional=True)
        record.end()
        if key_id[:8] != volume_id[:8] or key_id in keys:
            raise keyring_invalid(f'volume key {version} has the key id of another one')
        if state not in KEY_STATES or (wrap is None) != (state == 'destroyed'):
            raise keyring_invalid(f'volume key {version} has a state that does not fit')
        kek = None
        if state in ('primary', 'active'):
            kek = unwrap_local(wrap_key, wrap, volume_id + key_id + u32(version))
            if kek is None:
                raise keyring_invalid(f'volume key {version} does not open')
        keys[key_id] = VolumeKey(version, state, kek)
    if sum(key.state == 'primary' for key in keys.values()) != 1:
        raise keyring_invalid('not exactly one volume key is primary')
    return keys


def parse_shown_key_id(text: str) -> bytes:
    try:
        key_id = base64.b32decode(text.replace('-', ''))[:16]
    except binascii.Error:
        key_id = b''
    if len(key_id) != 16 or show_key_id(key_id) != text:
        raise keyring_invalid('a key id is not in its shown form')
    return key_id


# ----------------------------------------------------------------------------------------------------
# Journal of a mutable file (journal-v1.md)

JOURNAL_MAGIC = b'\x89VSJ\r\n\x1a\n'
JOURNAL_START_BYTES = 64
RECORD_MARK = b'\x9eVSR'
RECORD_HEAD_BYTES, RECORD_ENTRY_BYTES, MAC_BYTES = 28, 12, 32
MAX_RECORD_BYTES = 67_108_864
MAX_JOURNAL_SEARCH_BYTES, MAX_BYTES_IN_VAIN = 134_217_728, 268_435_456


@dataclass
class SyncRecord:
    sync_seq: int
    body_bytes: int
    segments: Dict[int, bytes]
    mac: bytes
    end: int  # offset behind the record


class Journal:
    """The bytes of a journal, and what they have to be like for one file."""

    def __init__(self, data: bytes, opened: OpenedHeader):
        self._data = data
        self._floe = opened.floe
        self._key = opened.journal_key
        self._bytes_in_vain = 0
        header = opened.header
        self.start = (JOURNAL_MAGIC + u16(1) + bytes(6) + header.file_id
                      + header.floe_header[FLOE_PARAMETER_BYTES:FLOE_PARAMETER_BYTES + FLOE_IV_BYTES])

    def kind(self) -> str:
        """`empty`, `ours`, `newer` or `foreign`: journal-v1.md §4, step 1."""
        start = self._data[:JOURNAL_START_BYTES]
        if len(start) < JOURNAL_START_BYTES or start == bytes(JOURNAL_START_BYTES):
            return 'empty'
        if start == self.start:
            return 'ours'
        return 'newer' if start[:8] == JOURNAL_MAGIC and start[8:10] != u16(1) else 'foreign'

    def record_at(self, offset: int, previous: bytes) -> Optional[SyncRecord]:
        """The valid sync record at an offset, or None: journal-v1.md §3."""
        data = self._data
        head = data[offset:offset + RECORD_HEAD_BYTES]
        if len(head) < RECORD_HEAD_BYTES or head[:4] != RECORD_MARK:
            return None
        record_bytes, sync_seq, body_bytes, count = struct.unpack('>IQQI', head[4:])
        if record_bytes > min(MAX_RECORD_BYTES, len(data) - offset) or count < 1:
            return None
        if not 1 <= sync_seq <= MAX_COUNT or body_bytes > MAX_COUNT:
            return None
        if not is_body_length(body_bytes, self._floe.aead_id, self._floe.segment_bytes):
            return None
        table_end = offset + RECORD_HEAD_BYTES + count * RECORD_ENTRY_BYTES
        end = offset + record_bytes
        if table_end + MAC_BYTES > end:
            return None
        last_index = -(-body_bytes // self._floe.segment_bytes) - 1
        last_bytes = body_bytes - last_index * self._floe.segment_bytes
        places: List[Tuple[int, int, int]] = []  # index, offset and length of each segment
        at, previous_index = table_end, -1
        for index, length_bytes in struct.iter_unpack('>QI', data[offset + RECORD_HEAD_BYTES:table_end]):
            allowed_bytes = last_bytes if index == last_index else self._floe.segment_bytes
            if not previous_index < index <= last_index or length_bytes != allowed_bytes:
                return None
            places.append((index, at, length_bytes))
            at, previous_index = at + length_bytes, index
        if at + MAC_BYTES != end:
            return None
        mac = data[at:end]
        self._bytes_in_vain += record_bytes
        if not hmac.compare_digest(hmac_sha256(self._key, previous + data[offset:at]), mac):
            return None
        segments = {index: data[start:start + length_bytes] for index, start, length_bytes in places}
        return SyncRecord(sync_seq, body_bytes, segments, mac, end)

    def chain(self) -> List[SyncRecord]:
        """Valid records, one behind the other: journal-v1.md §4, step 2."""
        records: List[SyncRecord] = []
        offset, previous = JOURNAL_START_BYTES, self.start
        while True:
            record = self.record_at(offset, previous)
            if record is None or (records and record.sync_seq != records[-1].sync_seq + 1):
                return records
            records.append(record)
            offset, previous = record.end, record.mac

    def was_changed(self, offset: int, known_sync_seq: int) -> bool:
        """Whether a valid record stands behind `offset` that is newer than what is known: journal-v1.md §4, step 4."""
        self._bytes_in_vain = 0
        last = offset + MAX_JOURNAL_SEARCH_BYTES
        offset = self._data.find(RECORD_MARK, offset)
        while 0 <= offset <= last:
            predecessors = [self._data[offset - MAC_BYTES:offset]]
            if offset == JOURNAL_START_BYTES:
                predecessors.append(self.start)
            for previous in predecessors:
                record = self.record_at(offset, previous)
                if record is not None and record.sync_seq > known_sync_seq:
                    return True
            if self._bytes_in_vain > MAX_BYTES_IN_VAIN:
                return True
            offset = self._data.find(RECORD_MARK, offset + 1)
        return False


def read_journal(data: bytes, opened: OpenedHeader) -> Tuple[int, Dict[int, bytes]]:
    """Length of the body, and the segments that count instead of those in the file: journal-v1.md §6."""
    header = opened.header
    journal = Journal(data, opened)
    kind = journal.kind()
    chain = journal.chain() if kind == 'ours' else []
    known_sync_seq = max(header.sync_seq, chain[-1].sync_seq if chain else 0)
    if kind != 'empty' and journal.was_changed(chain[-1].end if chain else JOURNAL_START_BYTES, known_sync_seq):
        raise VolsealError('JOURNAL_TAMPERED', 'a record of the journal is not authentic, but a later one is',
                           'restore the file with its journal from a backup')
    if kind == 'newer':
        raise unsupported('VERSION', 'the version of the journal of this file')
    if chain and opened.both_halves and chain[0].sync_seq > header.sync_seq + 1:
        raise VolsealError('JOURNAL_TAMPERED', 'the journal goes on from a newer version of the file',
                           'restore the file with its journal from a backup')
    if not chain or chain[-1].sync_seq < header.sync_seq:
        return header.body_bytes, {}
    segments: Dict[int, bytes] = {}
    for record in chain:
        segments = {index: segment for index, segment in segments.items()
                    if index * opened.floe.segment_bytes < record.body_bytes}
        segments.update(record.segments)
    return chain[-1].body_bytes, segments


# ----------------------------------------------------------------------------------------------------
# Whole files


class Input:
    """A stream of which the start can be looked at before it is read. Reads are full until the input ends."""

    def __init__(self, stream: BinaryIO):
        self._stream = stream
        self._held = b''

    def peek(self, length_bytes: int) -> bytes:
        if len(self._held) < length_bytes:
            self._held += self._stream.read(length_bytes - len(self._held))
        return self._held[:length_bytes]

    def read(self, length_bytes: int) -> bytes:
        taken, self._held = self._held[:length_bytes], self._held[length_bytes:]
        if len(taken) < length_bytes:
            taken += self._stream.read(length_bytes - len(taken))
        return taken


@dataclass
class OpenedHeader:
    """An authentic header, with the keys behind it."""

    header: Header
    floe: Floe
    floe_key: bytes
    journal_key: bytes
    both_halves: bool


def open_header(source: Input, secrets: List[Secret], demanded: Pairs,
                volume: Optional[Volume] = None) -> OpenedHeader:
    """§7, steps 1 to 8. `source` moves to the body."""
    halves = find_halves(source.peek(MAX_REGION_BYTES))
    header = choose_header(halves)
    file_key = unwrap_file_key(header, secrets, volume)
    floe_key = hkdf_expand_32(file_key, b'volseal/v1/floe')
    iv = header.floe_header[FLOE_PARAMETER_BYTES:FLOE_PARAMETER_BYTES + FLOE_IV_BYTES]
    floe = Floe(floe_key, header.aead_id, header.segment_bytes, iv, header.associated_data)
    if not hmac.compare_digest(floe.header, header.floe_header):
        raise wrong_key('the key of this file does not fit its body')
    for half in halves:
        mac = hmac_sha256(header_mac_key(file_key), half.raw[:-CRC_AND_MAC_BYTES])
        if not hmac.compare_digest(mac, half.raw[-32:]):
            raise VolsealError('HEADER_TAMPERED', f'header copy {half.half_index} is not authentic',
                               'restore the file from a backup')
    context = parse_context(header.context)
    for key, value in demanded.items():
        if context.get(key) != value:
            raise VolsealError('CONTEXT_MISMATCH',
                               f'the context of the file has not the demanded value of {key!r}',
                               'inspect shows the context of the file')
    source.read(header.region_bytes)
    return OpenedHeader(header, floe, floe_key, hkdf_expand_32(file_key, b'volseal/v1/journal'), len(halves) == 2)


def decrypt_stream(sealed: BinaryIO, secrets: List[Secret], demanded: Optional[Pairs] = None,
                   volume: Optional[Volume] = None) -> Iterator[bytes]:
    """The plaintext of a sealed file, in authenticated pieces."""
    source = Input(sealed)
    opened = open_header(source, secrets, demanded or {}, volume)
    if opened.header.body_kind == BODY_WRITE_ONCE:
        yield from open_segments(opened.floe, source.read)
        return
    body_bytes, overlay = opened.header.body_bytes, {}
    journal = volume.journal_of(opened.header.file_id) if volume else None
    if journal is not None:
        body_bytes, overlay = read_journal(journal, opened)
    yield from open_mutable_segments(opened.floe, source.read, body_bytes, overlay)


def encrypt_stream(plain: BinaryIO, secret: Secret, aead_id: int = AES_256_GCM,
                   segment_bytes: int = DEFAULT_SEGMENT_BYTES, pairs: Optional[Pairs] = None,
                   region_bytes: Optional[int] = None) -> Iterator[bytes]:
    """A sealed file, in pieces: the header region, then one segment at a time."""
    context = encode_context(pairs or {})
    file_key, file_id = os.urandom(32), os.urandom(16)
    associated_data = b'volseal/v1/body\0' + u8(BODY_WRITE_ONCE) + file_id + context
    floe_key = hkdf_expand_32(file_key, b'volseal/v1/floe')
    floe = Floe(floe_key, aead_id, segment_bytes, os.urandom(FLOE_IV_BYTES), associated_data)
    slot = wrap_file_key(secret, file_key, file_id, floe.header)
    yield encode_region(file_id, floe.header, context, [encode_slot(slot)], file_key, region_bytes)
    yield from seal_segments(floe, Input(plain).read)


def floe_decrypt_stream(key: bytes, associated_data: bytes, message: BinaryIO,
                        rotation_mask_bits: int = ROTATION_MASK_BITS) -> Iterator[bytes]:
    """The plaintext of a bare FLOE message. `key` is 32 bytes. Segments of any size up to 4 MiB."""
    source = Input(message)
    header = source.read(FLOE_HEADER_BYTES)
    if len(header) < FLOE_HEADER_BYTES:
        raise VolsealError('TRUNCATED', 'the input ends inside the FLOE header')
    aead_id, kdf_id, segment_bytes, iv_bytes = struct.unpack('>BBII', header[:FLOE_PARAMETER_BYTES])
    if aead_id not in SUITES_OF_BODY[BODY_WRITE_ONCE] or kdf_id != 0:
        raise unsupported('SUITE', f'suite {aead_id:#04x} with key derivation {kdf_id}')
    if iv_bytes != FLOE_IV_BYTES or not segment_overhead_bytes(aead_id) < segment_bytes <= MAX_SEGMENT_BYTES:
        raise VolsealError('HEADER_INVALID', 'the FLOE parameters are out of bounds')
    iv = header[FLOE_PARAMETER_BYTES:FLOE_PARAMETER_BYTES + FLOE_IV_BYTES]
    floe = Floe(key, aead_id, segment_bytes, iv, associated_data, rotation_mask_bits)
    if not hmac.compare_digest(floe.header, header):
        raise VolsealError('WRONG_KEY', 'the FLOE header tag does not fit this key and associated data')
    yield from open_segments(floe, source.read)


def floe_encrypt_stream(key: bytes, associated_data: bytes, plain: BinaryIO, aead_id: int = AES_256_GCM,
                        segment_bytes: int = DEFAULT_SEGMENT_BYTES,
                        rotation_mask_bits: int = ROTATION_MASK_BITS) -> Iterator[bytes]:
    """A bare FLOE message, in pieces."""
    floe = Floe(key, aead_id, segment_bytes, os.urandom(FLOE_IV_BYTES), associated_data, rotation_mask_bits)
    yield floe.header
    yield from seal_segments(floe, Input(plain).read)


def describe(prefix: bytes, sealed_bytes: Optional[int]) -> dict:
    """What anyone can read of a sealed file. Nothing of it is authenticated."""
    halves = find_halves(prefix)
    header = choose_header(halves)
    generations = {half.half_index: half.generation for half in halves}
    return {
        'formatVersion': VERSION,
        'bodyKind': BODY_NAMES[header.body_kind],
        'suite': SUITE_NAMES[header.aead_id],
        'segmentBytes': header.segment_bytes,
        'fileId': header.file_id.hex(),
        'generation': header.generation,
        'regionBytes': header.region_bytes,
        'halves': [{'index': index, 'offset': index * header.region_bytes // 2, 'good': index in generations,
                    'generation': generations.get(index)} for index in (0, 1)],
        'headerHalf': header.half_index,
        'floeHeader': header.floe_header.hex(),
        'floeAssociatedData': header.associated_data.hex(),
        'context': parse_context(header.context),
        'slots': [describe_slot_json(slot) for slot in header.slots],
        'sealedBytes': sealed_bytes,
        'plainBytes': plain_bytes(header, sealed_bytes),
    }


def describe_slot_json(slot: Slot) -> dict:
    described = {'type': SLOT_NAMES[slot.type], 'keyId': show_key_id(slot.key_id)}
    if slot.hint:
        described['label'] = slot.hint
    if slot.type == SLOT_VOLUME_KEY:
        described['keyVersion'] = slot.key_version
    if slot.type == SLOT_EXTERNAL:
        described['provider'], described['providerKey'], _ = parse_external(slot.wrapped)
    return described


def plain_bytes(header: Header, sealed_bytes: Optional[int]) -> Optional[int]:
    """The size of the plaintext that a sealed size stands for, or None when unknown or impossible.

    A mutable body says its length itself; a pending journal may know better.
    """
    if header.body_kind == BODY_MUTABLE:
        sealed_bytes = header.region_bytes + header.body_bytes
    if sealed_bytes is None or sealed_bytes <= header.region_bytes:
        return None
    overhead_bytes = segment_overhead_bytes(header.aead_id)
    inner_segments, last_bytes = divmod(sealed_bytes - header.region_bytes, header.segment_bytes)
    if last_bytes == 0:
        inner_segments, last_bytes = inner_segments - 1, header.segment_bytes
    if last_bytes < overhead_bytes:
        return None
    return inner_segments * (header.segment_bytes - overhead_bytes) + last_bytes - overhead_bytes


# ----------------------------------------------------------------------------------------------------
# Volumes as they lie on the disk


class Volume:
    """A volume on the disk. Its keyring is opened when a file needs it."""

    def __init__(self, folder: Optional[str], exported_keyring: Optional[str], secrets: List[Secret]):
        self._metadata = None if folder is None else os.path.join(folder, METADATA)
        self._keyring_path = exported_keyring or os.path.join(self._metadata or '', 'keyring.json')
        self._secrets = secrets

    @functools.cached_property
    def keyring(self) -> Keyring:
        try:
            with open(self._keyring_path, 'rb') as file:
                document = file.read(MAX_KEYRING_BYTES + 1)
        except FileNotFoundError:
            raise VolsealError('KEYRING_MISSING', f'there is no keyring: {self._keyring_path}',
                               'without its keyring no file of a volume opens; --keyring takes an export') from None
        return open_keyring(document, self._secrets)

    def journal_of(self, file_id: bytes) -> Optional[bytes]:
        if self._metadata is None:
            return None
        try:
            with open(os.path.join(self._metadata, 'journal', file_id.hex()), 'rb') as file:
                return file.read()
        except FileNotFoundError:
            return None


def find_volume(sealed: str, folder: Optional[str], exported_keyring: Optional[str],
                secrets: List[Secret]) -> Optional[Volume]:
    """The volume that is named, or that a file lies in; None for a file that lies in none."""
    if folder is None and sealed != '-':
        above = os.path.dirname(os.path.realpath(sealed))
        while folder is None:
            if os.path.isdir(os.path.join(above, METADATA)):
                folder = above
            elif above == os.path.dirname(above):
                break
            above = os.path.dirname(above)
    if folder is None and exported_keyring is None:
        return None
    return Volume(folder, exported_keyring, secrets)


def walk_volume(folder: str, destination: str) -> Iterator[Tuple[str, str, str]]:
    """What is in a volume: its kind, where it is, and where it goes. What volseal keeps for itself is left out."""
    root = os.path.join(folder, '')
    for place, folders, files in os.walk(folder):
        below = os.path.relpath(place, root)
        folders[:] = sorted(name for name in folders
                            if name != METADATA and not (below == '.' and name == 'lost+found'))
        for name in sorted(folders + files):
            path = os.path.join(place, name)
            target = os.path.normpath(os.path.join(destination, below, name))
            mode = os.lstat(path).st_mode
            if name.startswith('.volseal-tmp-'):
                continue
            kind = ('link' if stat.S_ISLNK(mode) else 'folder' if stat.S_ISDIR(mode)
                    else 'file' if stat.S_ISREG(mode) else 'other')
            yield kind, path, target


# ----------------------------------------------------------------------------------------------------
# Files and the command line


@contextlib.contextmanager
def open_source(path: str) -> Iterator[BinaryIO]:
    if path == '-':
        yield sys.stdin.buffer
    else:
        with open(path, 'rb') as file:
            yield file


@contextlib.contextmanager
def open_destination(path: str, force: bool) -> Iterator[BinaryIO]:
    """A file that appears under its name only when all has been written; else nothing is left of it."""
    if path == '-':
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = os.path.realpath(path) if force else path
    if os.path.lexists(path):
        if not force:
            raise FileExistsError(errno.EEXIST, 'exists already (--force replaces it)', path)
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise FileExistsError(errno.EEXIST, 'is not a regular file (write to "-" instead)', path)
    folder = os.path.dirname(path) or '.'
    temporary = os.path.join(folder, f'.volseal-{os.urandom(8).hex()}.tmp')
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, 'O_BINARY', 0), 0o600)
    try:
        with os.fdopen(descriptor, 'wb') as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        put_in_place(temporary, path, force)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    if os.name == 'posix':
        folder_descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(folder_descriptor)
        finally:
            os.close(folder_descriptor)


def put_in_place(temporary: str, path: str, force: bool) -> None:
    if not force:
        # A link, unlike a rename, never replaces what another program has put there in the meantime.
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise FileExistsError(errno.EEXIST, 'exists already (--force replaces it)', path) from None
        except OSError:
            if os.path.lexists(path):
                raise
        else:
            os.unlink(temporary)
            return
    os.replace(temporary, path)


def copy_pieces(pieces: Iterator[bytes], destination: BinaryIO) -> None:
    for piece in pieces:
        destination.write(piece)


def parse_pairs(arguments: List[str]) -> Pairs:
    pairs: Pairs = {}
    for argument in arguments:
        try:
            key, separator, value = os.fsencode(argument).decode('utf-8').partition('=')
        except UnicodeDecodeError:
            raise UsageError('--context must be UTF-8') from None
        if not separator or not key:
            raise UsageError('--context takes KEY=VALUE')
        if key in pairs:
            raise UsageError(f'--context names {key!r} twice')
        pairs[key] = value
    return pairs


def parse_hex(argument: str, what: str) -> bytes:
    """Hex digits, or @FILE for a file that holds them, so that no key shows in the list of processes."""
    if argument.startswith('@'):
        with open(argument[1:], 'r', encoding='ascii', errors='replace') as file:
            argument = file.read(MAX_SECRET_FILE_BYTES).strip()
    if len(argument) % 2 or not re.fullmatch('[0-9A-Fa-f]*', argument):
        raise UsageError(f'{what} must be an even number of hex digits, or @FILE')
    return bytes.fromhex(argument)


def parse_floe_key(argument: str) -> bytes:
    key = parse_hex(argument, 'KEYHEX')
    if len(key) != 32:
        raise UsageError('KEYHEX must be 64 hex digits (32 bytes)')
    return key


def all_secrets() -> List[Secret]:
    return secrets_from_environment() + recovery_key_from_environment()


def command_decrypt(options: argparse.Namespace) -> None:
    secrets, demanded = all_secrets(), parse_pairs(options.context)
    volume = find_volume(options.sealed, options.volume, options.keyring, secrets)
    with open_source(options.sealed) as sealed, open_destination(options.plain, options.force) as plain:
        copy_pieces(decrypt_stream(sealed, secrets, demanded, volume), plain)


def command_extract(options: argparse.Namespace) -> int:
    secrets = all_secrets()
    volume = Volume(options.folder, options.keyring, secrets)
    volume.keyring  # before anything is written
    os.makedirs(options.destination, mode=0o700, exist_ok=True)
    worst = 0
    for kind, source, target in walk_volume(options.folder, options.destination):
        try:
            if kind == 'folder':
                os.makedirs(target, mode=0o700, exist_ok=True)
            elif kind == 'link':
                os.symlink(os.readlink(source), target)
            elif kind == 'file':
                with open_source(source) as sealed, open_destination(target, options.force) as plain:
                    copy_pieces(decrypt_stream(sealed, secrets, {}, volume), plain)
            else:
                print(f'volseal.py: {source}: skipped, it is no file, folder or link', file=sys.stderr)
        except VolsealError as error:
            worst = max(worst, complain(f'{source}: {error.code}: {error}', error.hint, error.exit_code),
                        key=EXTRACT_SEVERITY.index)
        except OSError as error:
            worst = max(worst, complain(f'{source}: {error.strerror or error}', None, EXIT_FILE_SYSTEM),
                        key=EXTRACT_SEVERITY.index)
    return worst


# Of several failures the last of these decides.
EXTRACT_SEVERITY = (0, EXIT_FILE_SYSTEM, EXIT_NOT_OURS, EXIT_KEYS, EXIT_NOT_AUTHENTIC)


def command_keyring(options: argparse.Namespace) -> None:
    keyring = Volume(options.folder, options.keyring, all_secrets()).keyring
    print(json.dumps({
        'volumeId': keyring.volume_id.hex(),
        'generation': keyring.generation,
        'policy': keyring.policy,
        'slots': [{'type': slot.type, 'keyId': slot.key_id, 'label': slot.label, 'primary': slot.primary}
                  for slot in keyring.slots],
        'volumeKeys': [{'version': key.version, 'keyId': show_key_id(key_id), 'state': key.state}
                       for key_id, key in keyring.keys.items()],
    }, indent=2))


def command_encrypt(options: argparse.Namespace) -> None:
    if (not MIN_SEGMENT_BYTES <= options.segment_bytes <= MAX_SEGMENT_BYTES
            or options.segment_bytes % SEGMENT_STEP_BYTES):
        raise UsageError(f'--segment-bytes must be {MIN_SEGMENT_BYTES} to {MAX_SEGMENT_BYTES}, '
                         f'a multiple of {SEGMENT_STEP_BYTES}')
    pairs = parse_pairs(options.context)
    encode_context(pairs)
    secret = primary_secret(secrets_from_environment())
    with open_source(options.plain) as plain, open_destination(options.sealed, options.force) as sealed:
        pieces = encrypt_stream(plain, secret, SUITE_IDS[options.suite], options.segment_bytes, pairs)
        copy_pieces(pieces, sealed)


def command_inspect(options: argparse.Namespace) -> None:
    with open_source(options.sealed) as sealed:
        prefix = sealed.read(MAX_REGION_BYTES)
        status = os.fstat(sealed.fileno())
    described = describe(prefix, status.st_size if stat.S_ISREG(status.st_mode) else None)
    print(json.dumps(described, indent=2))


def command_key_id(_options: argparse.Namespace) -> None:
    secrets = all_secrets()
    if not secrets:
        raise SecretError('no secret is set', 'put the key into VOLSEAL_SECRET_<label>')
    for secret in secrets:
        print(secret.label, show_key_id(secret.key_id))


def command_floe_key(options: argparse.Namespace) -> None:
    secrets = all_secrets()
    volume = find_volume(options.sealed, options.volume, options.keyring, secrets)
    with open_source(options.sealed) as sealed:
        opened = open_header(Input(sealed), secrets, {}, volume)
    print(opened.floe_key.hex())
    print(opened.header.associated_data.hex())


def command_floe_decrypt(options: argparse.Namespace) -> None:
    key, associated_data = parse_floe_key(options.key), parse_hex(options.associated_data, 'ADHEX')
    with open_source(options.message) as message, open_destination(options.plain, options.force) as plain:
        copy_pieces(floe_decrypt_stream(key, associated_data, message), plain)


def command_floe_encrypt(options: argparse.Namespace) -> None:
    aead_id = SUITE_IDS[options.suite]
    low = segment_overhead_bytes(aead_id) + 1
    if not low <= options.segment_bytes <= MAX_SEGMENT_BYTES:
        raise UsageError(f'--segment-bytes must be {low} to {MAX_SEGMENT_BYTES}')
    key, associated_data = parse_floe_key(options.key), parse_hex(options.associated_data, 'ADHEX')
    with open_source(options.plain) as plain, open_destination(options.message, options.force) as message:
        copy_pieces(floe_encrypt_stream(key, associated_data, plain, aead_id, options.segment_bytes), message)


def command_line() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='volseal.py', description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest='command', metavar='COMMAND', required=True)

    def add(name: str, run: Callable[[argparse.Namespace], Optional[int]], summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(run=run)
        return command

    def add_force(command: argparse.ArgumentParser) -> None:
        command.add_argument('--force', action='store_true', help='replace an existing output file')

    def add_sealing(command: argparse.ArgumentParser) -> None:
        command.add_argument('--suite', choices=sorted(SUITE_IDS), default='aes-256-gcm')
        command.add_argument('--segment-bytes', type=int, default=DEFAULT_SEGMENT_BYTES, metavar='N',
                             help='length of a whole encrypted segment (default: %(default)s)')

    def add_keyring(command: argparse.ArgumentParser) -> None:
        command.add_argument('--keyring', metavar='FILE', help='an exported keyring, instead of the volume\'s own')

    def add_volume(command: argparse.ArgumentParser) -> None:
        command.add_argument('--volume', metavar='DIR', help='the volume of the file, when it does not lie in it')
        add_keyring(command)

    def add_context(command: argparse.ArgumentParser, summary: str) -> None:
        command.add_argument('--context', action='append', default=[], metavar='K=V', help=summary)

    def add_floe(command: argparse.ArgumentParser) -> None:
        command.add_argument('key', metavar='KEYHEX', help='FLOE key, 64 hex digits, or @FILE')
        command.add_argument('associated_data', metavar='ADHEX',
                             help='associated data in hex (may be empty), or @FILE')

    decrypt = add('decrypt', command_decrypt, 'Decrypt a sealed file.')
    decrypt.add_argument('sealed', metavar='SEALED')
    decrypt.add_argument('plain', metavar='PLAIN')
    add_context(decrypt, 'refuse the file unless its context has this pair')
    add_volume(decrypt)
    add_force(decrypt)

    extract = add('extract', command_extract, 'Decrypt all files of a volume into a folder.')
    extract.add_argument('folder', metavar='VOLUME')
    extract.add_argument('destination', metavar='FOLDER')
    add_keyring(extract)
    add_force(extract)

    keyring = add('keyring', command_keyring, 'Open the keyring of a volume, and print what it holds, as JSON.')
    keyring.add_argument('folder', metavar='VOLUME', nargs='?', default='.')
    add_keyring(keyring)

    encrypt = add('encrypt', command_encrypt, 'Encrypt a file under the primary secret.')
    encrypt.add_argument('plain', metavar='PLAIN')
    encrypt.add_argument('sealed', metavar='SEALED')
    add_sealing(encrypt)
    add_context(encrypt, 'a pair that is stored in clear and bound to the content')
    add_force(encrypt)

    inspect = add('inspect', command_inspect, 'Print what can be read of a file without keys, as JSON.')
    inspect.add_argument('sealed', metavar='SEALED')

    add('key-id', command_key_id, 'Print the label and the key id of every secret that is set.')

    floe_key = add('floe-key', command_floe_key,
                   'Print the FLOE key of a sealed file (secret!) and, on a second line, associated data.')
    floe_key.add_argument('sealed', metavar='SEALED')
    add_volume(floe_key)

    floe_decrypt = add('floe-decrypt', command_floe_decrypt, 'Decrypt a bare FLOE message.')
    add_floe(floe_decrypt)
    floe_decrypt.add_argument('message', metavar='MESSAGE')
    floe_decrypt.add_argument('plain', metavar='PLAIN')
    add_force(floe_decrypt)

    floe_encrypt = add('floe-encrypt', command_floe_encrypt, 'Encrypt to a bare FLOE message.')
    add_floe(floe_encrypt)
    floe_encrypt.add_argument('plain', metavar='PLAIN')
    floe_encrypt.add_argument('message', metavar='MESSAGE')
    add_sealing(floe_encrypt)
    add_force(floe_encrypt)
    return parser


def main(arguments: List[str]) -> int:
    options = command_line().parse_args(arguments)
    # So that the temporary file is removed when the program is told to end.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        exit_code = options.run(options) or 0
        sys.stdout.flush()
        return exit_code
    except VolsealError as error:
        return complain(f'{error.code}: {error}', error.hint, error.exit_code)
    except (SecretError, UsageError) as error:
        return complain(str(error), error.hint, error.exit_code)
    except BrokenPipeError:
        # What still waits to be written has no reader; without this the interpreter complains at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return complain('the reader of the output went away', None, EXIT_FILE_SYSTEM)
    except OSError as error:
        where = f'{os.fsdecode(error.filename)}: ' if error.filename else ''
        return complain(f'{where}{error.strerror or error}', None, EXIT_FILE_SYSTEM)
    except KeyboardInterrupt:
        return 130


def complain(message: str, hint: Optional[str], exit_code: int) -> int:
    print(f'volseal.py: {message}', file=sys.stderr)
    if hint:
        print(f'  hint: {hint}', file=sys.stderr)
    return exit_code


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
