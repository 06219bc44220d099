#!/usr/bin/env python3
"""Reads and writes volseal sealed files without Node.

Written from docs/format/v1.md and the public specifications it names, not from the TypeScript code: it checks
that the document is enough, and it is the way to get data back when nothing else is left. One file; it needs
Python 3.9 or newer and the package "cryptography" (Debian: python3-cryptography). docs/escape-hatch.md shows
its use. Section signs (§) in comments refer to docs/format/v1.md.

    volseal.py decrypt SEALED PLAIN|-        volseal.py inspect SEALED          volseal.py key-id
    volseal.py encrypt PLAIN SEALED|-        volseal.py floe-key SEALED
    volseal.py floe-decrypt KEYHEX ADHEX MESSAGE PLAIN|-
    volseal.py floe-encrypt KEYHEX ADHEX PLAIN MESSAGE|-

Secrets come from the environment: VOLSEAL_SECRET_<label> holds one, VOLSEAL_SECRET_FILE_<label> names a file
that holds one, VOLSEAL_PRIMARY names the label that encrypt uses when there are several. "-" is standard
input or output. With "-" as the output, authenticated segments are released before the end of the input has
been seen: discard the output unless the exit code is 0.

Exit codes: 0 done, 1 unexpected, 2 usage, 3 no key opens it, 4 not authentic, 5 file system, 10 not a volseal
file of this version.
"""

from __future__ import annotations

import argparse
import base64
import binascii
import contextlib
import errno
import hashlib
import hmac
import json
import os
import re
import signal
import stat
import struct
import sys
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

BODY_WRITE_ONCE = 1

MIN_SEGMENT_BYTES, MAX_SEGMENT_BYTES, SEGMENT_STEP_BYTES = 4096, 4_194_304, 512
DEFAULT_SEGMENT_BYTES = 65536
MAX_SEGMENTS = 2 ** 40
ROTATION_MASK_BITS = 20
NOT_LAST = 0xFFFFFFFF
FLOE_IV_BYTES = 32
FLOE_PARAMETER_BYTES = 10
TAG_BYTES = 16

AES_256_GCM, XCHACHA20_POLY1305 = 0, 0xF1
SUITE_IDS = {'aes-256-gcm': AES_256_GCM, 'xchacha20-poly1305': XCHACHA20_POLY1305}
SUITE_NAMES = {number: name for name, number in SUITE_IDS.items()}
SEGMENT_IV_BYTES = {AES_256_GCM: 12, XCHACHA20_POLY1305: 24}

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
    kek: bytes


def make_secret(label: str, key_material: bytes) -> Secret:
    """The keys of a secret for files sealed outside a volume: scope 0, id of zeros."""
    return Secret(
        label=label,
        key_id=hkdf_32(key_material, b'volseal/v1/kid', b'')[:16],
        kek=hkdf_32(key_material, b'volseal/v1/kek', u8(0) + bytes(16)),
    )


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
    if body_kind != BODY_WRITE_ONCE:
        raise unsupported('FEATURE', f'body kind {body_kind}')
    if flags != 0:
        raise unsupported('FEATURE', f'flag bits {flags:#06x}')
    if raw[17] != 0:
        raise unsupported('FEATURE', f'value {raw[17]} of the reserved byte')
    aead_id, kdf_id = raw[FLOE_OFFSET], raw[FLOE_OFFSET + 1]
    if aead_id not in SUITE_NAMES or kdf_id != 0:
        raise unsupported('SUITE', f'suite {aead_id:#04x} with key derivation {kdf_id}')

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
    if fields.take(48) != bytes(48):
        raise invalid('it has the state of a mutable body')
    context = fields.take(fields.u16(len(EMPTY_CONTEXT), MAX_CONTEXT_BYTES))
    parse_context(context)
    fields.u16(0, 0)
    slots = [parse_slot(fields.take(fields.u16(SLOT_HEAD_BYTES))) for _ in range(fields.u8(1, MAX_SLOTS))]
    fields.end()
    return Header(half_index, region_bytes, body_kind, generation, file_id, floe_header, context, slots, raw)


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
        version = int.from_bytes(head[8:10], 'big') if len(head) >= 10 else VERSION
        return Place(offset, has_magic=True, version=version, cut_short=True)
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
                slots: List[bytes], file_key: bytes, generation: int = 1) -> bytes:
    """One header copy (§3)."""
    tail = u16(len(context)) + context + u16(0) + u8(len(slots)) + b''.join(u16(len(s)) + s for s in slots)
    copy_bytes = FIXED_BYTES - 2 + len(tail) + CRC_AND_MAC_BYTES
    body = (MAGIC + u16(VERSION) + u8(half_index) + u8(region_bytes.bit_length() - 1) + u32(copy_bytes)
            + u8(BODY_WRITE_ONCE) + b'\0' + u16(0) + u64(generation) + file_id + floe_header + bytes(48)
            + tail)
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


def unwrap_file_key(header: Header, secrets: List[Secret]) -> bytes:
    """The file's data key (32 bytes) from the first slot that a given secret fits: §7, steps 5 and 6."""
    by_key_id = {secret.key_id: secret for secret in secrets}
    for slot in header.slots:
        secret = by_key_id.get(slot.key_id) if slot.type == SLOT_FLY_SECRET else None
        if secret is None:
            continue
        aad = slot_aad(slot.type, slot.key_id, slot.key_version, header.file_id, header.floe_header)
        nonce, sealed, commitment = slot.wrapped[:24], slot.wrapped[24:72], slot.wrapped[72:]
        if hmac.compare_digest(slot_commitment(secret.kek, aad, nonce + sealed), commitment):
            file_key = xaes_256_gcm_open(slot_encryption_key(secret.kek), nonce, sealed, aad)
            if file_key is not None:
                return file_key
        raise wrong_key(f'the key slot for {secret.label} does not open with that key')
    wanted = '; '.join(describe_slot(slot) for slot in header.slots)
    given = ', '.join(f'{secret.label} {show_key_id(secret.key_id)}' for secret in secrets) or 'none'
    raise VolsealError('KEY_MISSING', f'no given key opens this file. It wants: {wanted}. Given: {given}',
                       'put the key the file wants into VOLSEAL_SECRET_<label>')


def wrong_key(what: str) -> VolsealError:
    return VolsealError('WRONG_KEY',
                        what + ': the header was changed, or the slot was moved here from another file',
                        'restore the file from a backup')


def describe_slot(slot: Slot) -> str:
    return ' '.join(filter(None, [SLOT_NAMES[slot.type], slot.hint, show_key_id(slot.key_id)]))


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


def open_header(source: Input, secrets: List[Secret], demanded: Pairs) -> Tuple[Header, Floe, bytes]:
    """§7, steps 1 to 8: the header, the FLOE message it begins, the FLOE key. `source` moves to the body."""
    halves = find_halves(source.peek(MAX_REGION_BYTES))
    header = choose_header(halves)
    file_key = unwrap_file_key(header, secrets)
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
    return header, floe, floe_key


def decrypt_stream(sealed: BinaryIO, secrets: List[Secret],
                   demanded: Optional[Pairs] = None) -> Iterator[bytes]:
    """The plaintext of a sealed file, in authenticated pieces."""
    source = Input(sealed)
    _, floe, _ = open_header(source, secrets, demanded or {})
    yield from open_segments(floe, source.read)


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
    if aead_id not in SUITE_NAMES or kdf_id != 0:
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
        'bodyKind': 'write-once',
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
    """The size of the plaintext that a sealed size stands for, or None when unknown or impossible."""
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


def command_decrypt(options: argparse.Namespace) -> None:
    secrets, demanded = secrets_from_environment(), parse_pairs(options.context)
    with open_source(options.sealed) as sealed, open_destination(options.plain, options.force) as plain:
        copy_pieces(decrypt_stream(sealed, secrets, demanded), plain)


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
    secrets = secrets_from_environment()
    if not secrets:
        raise SecretError('no secret is set', 'put the key into VOLSEAL_SECRET_<label>')
    for secret in secrets:
        print(secret.label, show_key_id(secret.key_id))


def command_floe_key(options: argparse.Namespace) -> None:
    secrets = secrets_from_environment()
    with open_source(options.sealed) as sealed:
        header, _, floe_key = open_header(Input(sealed), secrets, {})
    print(floe_key.hex())
    print(header.associated_data.hex())


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

    def add(name: str, run: Callable[[argparse.Namespace], None], summary: str) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(run=run)
        return command

    def add_force(command: argparse.ArgumentParser) -> None:
        command.add_argument('--force', action='store_true', help='replace an existing output file')

    def add_sealing(command: argparse.ArgumentParser) -> None:
        command.add_argument('--suite', choices=sorted(SUITE_IDS), default='aes-256-gcm')
        command.add_argument('--segment-bytes', type=int, default=DEFAULT_SEGMENT_BYTES, metavar='N',
                             help='length of a whole encrypted segment (default: %(default)s)')

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
    add_force(decrypt)

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
        options.run(options)
        sys.stdout.flush()
        return 0
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
