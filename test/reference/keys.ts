/** Key derivation and key slots a second time: docs/format/v1.md §1 and §4 on noble, sharing no code with src. */

import { concatBytes, equalBytes } from '@noble/ciphers/utils.js';
import { expand, hkdf } from '@noble/hashes/hkdf.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { referenceXaesOpen, referenceXaesSeal } from './xaes.ts';

export const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

export function bigEndian(value: bigint, length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => Number((value >> BigInt(8 * (length - 1 - i))) & 0xffn));
}

/** E(key, label, 32). */
export function referenceExpand(key: Uint8Array, label: string): Uint8Array {
  return expand(sha256, key, ascii(label), 32);
}

export function referenceKek(ikm: Uint8Array, scope: number, id: Uint8Array): Uint8Array {
  return hkdf(sha256, ikm, ascii('volseal/v1/kek'), concatBytes(Uint8Array.of(scope), id), 32);
}

export function referenceKeyId(ikm: Uint8Array): Uint8Array {
  return hkdf(sha256, ikm, ascii('volseal/v1/kid'), new Uint8Array(0), 16);
}

/** Base32 (RFC 4648 §6) by bits, in groups of four. */
export function referenceKeyIdText(keyId: Uint8Array): string {
  const check = sha256(concatBytes(ascii('volseal/v1/key-id-check'), keyId)).subarray(0, 4);
  const bits = [...keyId, ...check].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const characters = (bits.match(/.{5}/g) ?? []).map(
    (five) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'[Number.parseInt(five, 2)],
  );
  return (characters.join('').match(/.{4}/g) ?? []).join('-');
}

/** The text that `volseal keygen` would print for these 32 bytes. */
export function referenceSecretText(ikm: Uint8Array): string {
  const check = sha256(concatBytes(ascii('volseal/v1/key-check'), ikm)).subarray(0, 4);
  return `vsk1.${Buffer.from(concatBytes(ikm, check)).toString('base64url')}`;
}

export interface ReferenceSlotBinding {
  readonly slotType: number;
  readonly keyId: Uint8Array;
  readonly keyVersion: number;
  readonly fileId: Uint8Array;
  readonly floeHeader: Uint8Array;
}

/** The associated data of a slot outside a volume. */
export function referenceSlotAad(binding: ReferenceSlotBinding): Uint8Array {
  const { slotType, keyId, keyVersion, fileId, floeHeader } = binding;
  const version = bigEndian(BigInt(keyVersion), 4);
  return concatBytes(ascii('volseal/v1/slot'), Uint8Array.of(slotType), keyId, version, fileId, floeHeader);
}

function commitment(kek: Uint8Array, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  const length = bigEndian(BigInt(aad.length), 4);
  return hmac(sha256, referenceExpand(kek, 'volseal/v1/slot-com'), concatBytes(length, aad, sealed));
}

/** The 104 bytes of a local wrap. */
export function referenceWrap(
  kek: Uint8Array,
  dataKey: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
): Uint8Array {
  const encrypted = referenceXaesSeal(referenceExpand(kek, 'volseal/v1/slot-enc'), nonce, aad, dataKey);
  const sealed = concatBytes(nonce, encrypted);
  return concatBytes(sealed, commitment(kek, aad, sealed));
}

/** The data key out of the 104 bytes of a local wrap. Throws when it is not authentic. */
export function referenceUnwrap(kek: Uint8Array, wrapped: Uint8Array, aad: Uint8Array): Uint8Array {
  const sealed = wrapped.subarray(0, 72);
  if (wrapped.length !== 104 || !equalBytes(commitment(kek, aad, sealed), wrapped.subarray(72))) {
    throw new Error('the commitment does not match');
  }
  return referenceXaesOpen(
    referenceExpand(kek, 'volseal/v1/slot-enc'),
    sealed.subarray(0, 24),
    aad,
    sealed.subarray(24),
  );
}
