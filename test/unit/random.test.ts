/** Randomness: no byte handed out twice, none kept for the next turn of the event loop. */

import type fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

/** Reads of the kernel's device, and what they gave. */
const reads: Uint8Array[] = [];
const opened: string[] = [];

vi.mock('node:fs', async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  const readSync = (
    descriptor: number,
    target: Uint8Array,
    offset: number,
    length: number,
    position: null,
  ): number => {
    const count = original.readSync(descriptor, target, offset, length, position);
    reads.push(target.slice(offset, offset + count));
    return count;
  };
  const openSync = (path: string, flags: string): number => {
    opened.push(path);
    return original.openSync(path, flags);
  };
  return { ...original, openSync, readSync };
});

const { fillRandom, randomSecret } = await import('../../src/random.ts');

const hexOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

function draw(bytes: number): Uint8Array {
  const target = new Uint8Array(bytes);
  fillRandom(target);
  return target;
}

beforeEach(async () => {
  await setImmediate();
  reads.length = 0;
});
afterEach(() => setImmediate());

test('never the same twice, over thousands of nonces of both sizes', () => {
  const seen = new Set<string>();
  const perSize = 5_000;
  for (let i = 0; i < perSize; i++) for (const bytes of [12, 24]) seen.add(hexOf(draw(bytes)));
  expect(seen.size).toBe(2 * perSize);
});

test('one turn shares a read of 768 bytes, and hands each byte out once, in order', () => {
  const drawn = [12, 24, 96, 12, 1].map(draw);
  expect(reads.map(({ length }) => length)).toEqual([768]);
  expect(hexOf(reads[0] as Uint8Array).startsWith(drawn.map(hexOf).join(''))).toBe(true);
});

test('when the rest is too short it is passed over, not handed out', () => {
  const drawn = Array.from({ length: 65 }, () => draw(12)); // 64 make 768 bytes
  expect(reads.map(({ length }) => length)).toEqual([768, 768]);
  expect(hexOf(drawn[64] as Uint8Array)).toBe(hexOf((reads[1] as Uint8Array).subarray(0, 12)));
});

test('any sequence of sizes in one turn: every byte comes from the kernel, and no place of it twice', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 200 }), { maxLength: 60 }), async (sizes) => {
      await setImmediate();
      reads.length = 0;
      // Shorter ones could be found in the wrong place by chance.
      const drawn = sizes.map(draw).filter(({ length }) => length >= 8);
      const stream = hexOf(Buffer.concat(reads));
      const places = drawn.map((bytes) => ({ from: stream.indexOf(hexOf(bytes)) / 2, bytes: bytes.length }));
      expect(places.filter(({ from }) => from < 0)).toEqual([]);
      const sorted = places.toSorted((a, b) => a.from - b.from);
      const overlapping = sorted.filter(({ from }, i) => {
        const before = sorted[i - 1];
        return before !== undefined && from < before.from + before.bytes;
      });
      expect(overlapping).toEqual([]);
    }),
    { numRuns: 50 },
  );
});

test('what is left of a turn is discarded: after a microtask the next nonce is of a new read', async () => {
  draw(12);
  await Promise.resolve();
  const next = draw(12);
  expect(reads.map(({ length }) => length)).toEqual([768, 768]);
  expect(hexOf(next)).toBe(hexOf((reads[1] as Uint8Array).subarray(0, 12)));
});

test('after a turn of the event loop too', async () => {
  draw(24);
  await setImmediate();
  draw(24);
  expect(reads.map(({ length }) => length)).toEqual([768, 768]);
});

test('large requests are read by themselves and leave the pool as it is', () => {
  const first = draw(12);
  const large = draw(97);
  const second = draw(12);
  expect(reads.map(({ length }) => length)).toEqual([768, 97]);
  expect(hexOf(large)).toBe(hexOf(reads[1] as Uint8Array));
  expect(hexOf(reads[0] as Uint8Array).startsWith(hexOf(first) + hexOf(second))).toBe(true);
});

test('keys, ids and message IVs are never of a shared read', () => {
  draw(12);
  const secrets = [randomSecret(32), randomSecret(16), randomSecret(32)];
  expect(reads.map(({ length }) => length)).toEqual([768, 32, 16, 32]);
  expect(secrets.map(hexOf)).toEqual(reads.slice(1).map(hexOf));
});

test('nothing asked, nothing given', () => {
  expect(draw(0)).toHaveLength(0);
  expect(randomSecret(0)).toHaveLength(0);
});

test('the device is opened once for all of it', () => {
  for (let i = 0; i < 100; i++) randomSecret(16);
  expect(opened).toEqual(['/dev/urandom']);
});
