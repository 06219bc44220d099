/** XAES-256-GCM as its overview defines it: a CMAC-based counter KDF (NIST SP 800-108r1 §4.1), then AES-256-GCM. On noble. */

import { cmac, gcm } from '@noble/ciphers/aes.js';

/** The AES-256-GCM key of the first 12 bytes of a nonce. */
export function referenceXaesSubkey(key: Uint8Array, nonce: Uint8Array): Uint8Array {
  const block = (counter: number): Uint8Array =>
    cmac(Uint8Array.of(0, counter, 0x58, 0, ...nonce.subarray(0, 12)), key);
  return Uint8Array.of(...block(1), ...block(2));
}

/** Ciphertext and 16-byte tag. */
export function referenceXaesSeal(
  key: Uint8Array,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  return gcm(referenceXaesSubkey(key, nonce), nonce.subarray(12), associatedData).encrypt(plain);
}

/** The plaintext. Throws when the tag does not verify. */
export function referenceXaesOpen(
  key: Uint8Array,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  sealed: Uint8Array,
): Uint8Array {
  return gcm(referenceXaesSubkey(key, nonce), nonce.subarray(12), associatedData).decrypt(sealed);
}
