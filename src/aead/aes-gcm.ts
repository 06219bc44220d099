/** AES-256-GCM (NIST SP 800-38D) on node:crypto. */

import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';

import type { Secret } from '../secret.ts';
import type { SealedParts, SegmentAead } from './suite.ts';

// Without it Node 20 to 22 verify a tag of any length the attacker likes (4 bytes and up).
const tagLength = { authTagLength: 16 } as const;

/** Raw bytes for keys used once, see passing-key.ts. */
export type AesKey = KeyObject | Uint8Array;

export function sealAesGcm(
  key: AesKey,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  plain: readonly Uint8Array[],
): SealedParts {
  const cipher = createCipheriv('aes-256-gcm', key, nonce, tagLength);
  cipher.setAAD(associatedData);
  const ciphertext: Uint8Array[] = [];
  for (const piece of plain) ciphertext.push(cipher.update(piece));
  cipher.final(); // GCM is a stream mode: nothing is left to come out
  return { ciphertext, tag: cipher.getAuthTag() };
}

/** The plaintext, or undefined when the tag does not verify. `tag` must be 16 bytes. */
export function openAesGcm(
  key: AesKey,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  ciphertext: readonly Uint8Array[],
  tag: Uint8Array,
): Uint8Array[] | undefined {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce, tagLength);
  decipher.setAAD(associatedData);
  decipher.setAuthTag(tag);
  const plain: Uint8Array[] = [];
  for (const piece of ciphertext) plain.push(decipher.update(piece));
  try {
    decipher.final();
  } catch {
    for (const piece of plain) piece.fill(0);
    return undefined;
  }
  return plain;
}

/** FLOE's own AEAD, id 0. */
export const aes256Gcm: SegmentAead = {
  suite: 'aes-256-gcm',
  cipher: 'aes-256-gcm',
  id: 0,
  keyBytes: 32,
  nonceBytes: 12,
  tagBytes: 16,
  rotationMaskBits: 20,
  seal: (key: Secret, nonce, associatedData, plain) =>
    sealAesGcm(key.keyObject(), nonce, associatedData, plain),
  open: (key: Secret, nonce, associatedData, ciphertext, tag) =>
    openAesGcm(key.keyObject(), nonce, associatedData, ciphertext, tag),
};
