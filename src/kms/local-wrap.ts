/** Wrapping a data key under a 32-byte key-encryption key held in memory (docs/format/v1.md §4.1). */

import { createHmac } from 'node:crypto';

import { expand32, labels } from '../aead/kdf.ts';
import { openXaes, sealXaes } from '../aead/xaes.ts';
import { concatBytes, constantTimeEqual, u32 } from '../bytes.ts';
import { dataKeyBytes } from '../limits.ts';
import { fillRandom } from '../random.ts';
import type { Secret } from '../secret.ts';

const nonceBytes = 24;
const tagBytes = 16;
const commitmentBytes = 32;

/** nonce (24) ‖ ciphertext (32) ‖ tag (16) ‖ commitment (32). */
export const localWrapBytes: number = nonceBytes + dataKeyBytes + tagBytes + commitmentBytes;

/** The two keys that a key-encryption key is used as. */
export interface WrapKeys {
  readonly encryption: Secret;
  readonly commitment: Secret;
}

export function wrapKeys(kek: Secret): WrapKeys {
  return {
    encryption: expand32(kek, labels.slotEncryption),
    commitment: expand32(kek, labels.slotCommitment),
  };
}

export function wipeWrapKeys(keys: WrapKeys): void {
  keys.encryption.wipe();
  keys.commitment.wipe();
}

function commitment(keys: WrapKeys, aad: Uint8Array, sealed: Uint8Array): Uint8Array {
  return createHmac('sha256', keys.commitment.keyObject())
    .update(u32(aad.length))
    .update(aad)
    .update(sealed)
    .digest();
}

/** 104 bytes for a 32-byte key. */
export function wrapLocal(keys: WrapKeys, key: Uint8Array, aad: Uint8Array): Uint8Array {
  const nonce = new Uint8Array(nonceBytes);
  fillRandom(nonce);
  const { ciphertext, tag } = sealXaes(keys.encryption, nonce, aad, [key]);
  const sealed = concatBytes(nonce, ...ciphertext, tag);
  return concatBytes(sealed, commitment(keys, aad, sealed));
}

/** The 32-byte key, or undefined when the wrap is not authentic under these keys and this associated data. */
export function unwrapLocal(keys: WrapKeys, wrapped: Uint8Array, aad: Uint8Array): Uint8Array | undefined {
  if (wrapped.length !== localWrapBytes) return undefined;
  const sealed = wrapped.subarray(0, -commitmentBytes);
  // XAES-256-GCM does not commit to its key: without this check one slot could be made to open under several.
  if (!constantTimeEqual(commitment(keys, aad, sealed), wrapped.subarray(-commitmentBytes))) return undefined;
  const nonce = sealed.subarray(0, nonceBytes);
  const ciphertext = sealed.subarray(nonceBytes, -tagBytes);
  return openXaes(keys.encryption, nonce, aad, [ciphertext], sealed.subarray(-tagBytes))?.[0];
}
