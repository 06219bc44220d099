/** A read, and a range stream, read only the segments that they need. Counted by what the kernel says this process read. */

import { readFileSync, writeFileSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { expect, test } from 'vitest';

import { createDecryptReadStream, encrypt, inspect, openEncrypted } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { fresh } = scratch();
const segmentBytes = 16_384;
const plainSegmentBytes = segmentBytes - 32;
const size = 200 * plainSegmentBytes + 10;
const path = fresh();
writeFileSync(path, await encrypt(plainOf(size), { keys, segmentBytes }));

/** Bytes that read system calls of this process have returned. */
function readBytes(): number {
  const [, count] = /^rchar: (\d+)/.exec(readFileSync('/proc/self/io', 'latin1')) as unknown as [
    string,
    string,
  ];
  return Number(count);
}

/** What reading the counter itself counts, and random bytes at most. */
const slackBytes = 1_000;

async function bytesReadBy(work: () => Promise<unknown>): Promise<number> {
  const before = readBytes();
  await work();
  return readBytes() - before;
}

// The counter is of the whole process: the least of a few rounds is without what the test runner did meanwhile.
async function expectRead(
  work: () => Promise<unknown>,
  atMostBytes: number,
  atLeastBytes = 0,
): Promise<void> {
  const rounds: number[] = [];
  for (let i = 0; i < 5; i++) rounds.push(await bytesReadBy(work));
  expect(Math.min(...rounds)).toBeLessThanOrEqual(atMostBytes + slackBytes);
  expect(Math.min(...rounds)).toBeGreaterThanOrEqual(atLeastBytes);
}

const headerBytes = 4_096;

test('opening reads the header and the last segment', async () => {
  await expectRead(
    async () => (await openEncrypted(path, { keys })).close(),
    headerBytes + segmentBytes,
    headerBytes + 42,
  );
});

test('a read reads the segments it touches, and the same small neighbourhood only once', async () => {
  const file = await openEncrypted(path, { keys });
  const read = (position: number, length: number) => file.read(Buffer.alloc(length), 0, length, position);
  let segment = 10;
  await expectRead(() => read(segment++ * plainSegmentBytes + 100, 1_000), segmentBytes, segmentBytes);
  await expectRead(() => read(segment++ * plainSegmentBytes - 1, 2), 2 * segmentBytes, segmentBytes);
  await expectRead(
    () => read((segment += 5) * plainSegmentBytes, 3 * plainSegmentBytes),
    3 * segmentBytes,
    3 * segmentBytes,
  );
  await read(5 * plainSegmentBytes, 10);
  await expectRead(() => read(5 * plainSegmentBytes + 500, 100), 0);
  await expectRead(() => read(size, 100), 0);
  await expectRead(() => read(5, 0), 0);
  await file.close();
});

test('a range stream reads the header and the segments of its range', async () => {
  const range = (start: number, end: number) => async (): Promise<void> => {
    const bytes = await buffer(createDecryptReadStream(path, { keys, start, end }));
    expect(bytes.equals(plainOf(size).subarray(start, end + 1))).toBe(true);
  };
  await expectRead(
    range(50 * plainSegmentBytes + 7, 50 * plainSegmentBytes + 8),
    headerBytes + segmentBytes,
    headerBytes + segmentBytes,
  );
  await expectRead(
    range(50 * plainSegmentBytes, 60 * plainSegmentBytes - 1),
    headerBytes + 10 * segmentBytes,
    headerBytes + 10 * segmentBytes,
  );
  await expectRead(range(size - 1, size + 1_000), headerBytes + segmentBytes, headerBytes + 42);
});

test('inspect reads no more than a header can have', async () => {
  await expectRead(() => inspect(path), 65_536);
});
