/** Plaintext that differs from byte to byte and from test to test, and ways to cut it. */

import { createCipheriv, createHash } from 'node:crypto';

/** The same bytes for the same seed; the first bytes of a longer one are those of a shorter one. */
export function plainOf(bytes: number, seed: string = 'plain'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(bytes));
}

/** Chunks of the given sizes, over and over, until the bytes are used up. A size of 0 gives an empty chunk. */
export function* cutInto(bytes: Uint8Array, sizes: readonly number[]): Generator<Buffer, void, void> {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!sizes.some((size) => size > 0)) throw new Error('one size must be above 0');
  for (let at = 0, i = 0; at < source.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield source.subarray(at, at + size);
    at += size;
  }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
