/** XAES-256-GCM (c2sp.org/XAES-256-GCM): AES-256-GCM under a subkey of a random 192-bit nonce. It does not commit to its key. */

import { createCipheriv } from 'node:crypto';

import { passingKey } from '../passing-key.ts';
import type { Secret } from '../secret.ts';
import { openAesGcm, sealAesGcm } from './aes-gcm.ts';
import type { SealedParts } from './suite.ts';

const zeroBlock = new Uint8Array(16);
const label = 0x58; // "X"

/** One AES-256 call per 16-byte block. */
function aesBlocks(key: Secret, blocks: Uint8Array): Uint8Array {
  const cipher = createCipheriv('aes-256-ecb', key.keyObject(), null);
  cipher.setAutoPadding(false);
  return cipher.update(blocks);
}

/** K1 of a key: steps 1 and 2 of the specification, the same for all nonces. */
const subkeyMasks = new WeakMap<Secret, Uint8Array>();

function subkeyMask(key: Secret): Uint8Array {
  const known = subkeyMasks.get(key);
  if (known !== undefined) return known;
  const mask = aesBlocks(key, zeroBlock);
  const carry = (mask[0] as number) >> 7;
  for (let i = 0; i < 15; i++) mask[i] = ((mask[i] as number) << 1) | ((mask[i + 1] as number) >> 7);
  mask[15] = ((mask[15] as number) << 1) ^ (carry * 0b10000111);
  subkeyMasks.set(key, mask);
  return mask;
}

/** The 32-byte subkey of the first 12 bytes of the nonce, all that is read of it: steps 3 to 5 of the specification. */
export function deriveSubkey(key: Secret, nonce: Uint8Array): Uint8Array {
  const mask = subkeyMask(key);
  const blocks = new Uint8Array(32);
  for (const counter of [1, 2]) {
    const at = (counter - 1) * 16;
    blocks.set([0, counter, label, 0], at);
    blocks.set(nonce.subarray(0, 12), at + 4);
    for (let i = 0; i < 16; i++) blocks[at + i] = (blocks[at + i] as number) ^ (mask[i] as number);
  }
  return aesBlocks(key, blocks);
}

/** `key` 32 bytes, `nonce` 24 random bytes. */
export function sealXaes(
  key: Secret,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  plain: readonly Uint8Array[],
): SealedParts {
  const subkey = deriveSubkey(key, nonce);
  const sealed = sealAesGcm(passingKey(subkey), nonce.subarray(12, 24), associatedData, plain);
  subkey.fill(0);
  return sealed;
}

/** The plaintext, or undefined when the tag does not verify. `tag` must be 16 bytes. */
export function openXaes(
  key: Secret,
  nonce: Uint8Array,
  associatedData: Uint8Array,
  ciphertext: readonly Uint8Array[],
  tag: Uint8Array,
): Uint8Array[] | undefined {
  const subkey = deriveSubkey(key, nonce);
  const plain = openAesGcm(passingKey(subkey), nonce.subarray(12, 24), associatedData, ciphertext, tag);
  subkey.fill(0);
  return plain;
}
