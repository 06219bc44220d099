/** HMAC (RFC 2104) under a key that is used once or twice. */

import * as crypto from 'node:crypto';

import { rawKeysAreSlow } from '../passing-key.ts';
import type { Secret } from '../secret.ts';

export type HmacHash = 'sha256' | 'sha384';

/** Bytes of a block and of a digest of the hash (FIPS 180-4). */
const sizes = { sha256: { block: 64, digest: 32 }, sha384: { block: 128, digest: 48 } } as const;

/** Node has it from 20.12 and 21.7 on, as a named export that other runtimes may lack. */
const { hash } = crypto as Partial<Pick<typeof crypto, 'hash'>>;

/** Where a key has to become a KeyObject first, two calls of the bare hash take half as long as `createHmac`. */
const byHash = rawKeysAreSlow && hash !== undefined;

/**
 * HMAC over the parts joined.
 * @param key at most 64 bytes
 * @returns 32 or 48 bytes
 */
export const hmacOnce: (algorithm: HmacHash, key: Secret, parts: readonly Uint8Array[]) => Uint8Array = byHash
  ? (algorithm, key, parts) => hmacByHash(algorithm, key.bytes(), parts)
  : hmacByNode;

/** Exported for the test that compares the two. */
export function hmacByNode(algorithm: HmacHash, key: Secret, parts: readonly Uint8Array[]): Uint8Array {
  const hmac = crypto.createHmac(algorithm, key.passingKey());
  for (const part of parts) hmac.update(part);
  return hmac.digest();
}

/** Needs `crypto.hash`. */
export function hmacByHash(algorithm: HmacHash, key: Uint8Array, parts: readonly Uint8Array[]): Uint8Array {
  const { block, digest } = sizes[algorithm];
  let bytes = block;
  for (const part of parts) bytes += part.length;
  const inner = Buffer.alloc(bytes);
  const outer = Buffer.alloc(block + digest);
  for (let i = 0; i < block; i++) {
    const byte = key[i] ?? 0;
    inner[i] = byte ^ 0x36;
    outer[i] = byte ^ 0x5c;
  }
  let at = block;
  for (const part of parts) {
    inner.set(part, at);
    at += part.length;
  }
  const of = hash as NonNullable<typeof hash>;
  outer.set(of(algorithm, inner, 'buffer'), block);
  const mac = of(algorithm, outer, 'buffer');
  inner.fill(0, 0, block);
  outer.fill(0, 0, block);
  return mac;
}
