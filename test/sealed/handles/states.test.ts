/** Every method in every state, and what happens to an open file whose path changes underneath. */

import {
  appendFileSync,
  closeSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

import { encrypt, openEncrypted, type SealedFile } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { openDescriptors, scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { at, fresh } = scratch();
const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 32;
const size = 3_000_000;
const sealed = await encrypt(plainOf(size), { keys, segmentBytes, context: { a: '1' } });

async function opened(): Promise<{ file: SealedFile; path: string }> {
  const path = fresh();
  writeFileSync(path, sealed);
  return { file: await openEncrypted(path, { keys }), path };
}

const read = (file: SealedFile, position: number, length = 100) =>
  file.read(Buffer.alloc(length), 0, length, position);
const closed = { name: 'VolsealError', code: 'ERR_VOLSEAL_CLOSED' };

describe('closed', () => {
  test('every read fails, whatever it asks for; closing again does not', async () => {
    const { file, path } = await opened();
    await read(file, 0);
    await file.close();
    for (const [position, length] of [
      [0, 100],
      [size - 1, 1],
      [size, 1],
      [0, 0],
      [size + 100, 100],
    ] as const) {
      await expect(read(file, position, length)).rejects.toMatchObject({ ...closed, path });
    }
    await file.close();
    await file[Symbol.asyncDispose]();
  });

  test('while reads are under way: each gives all it should, or fails as closed', async () => {
    const { file } = await opened();
    const reads = [read(file, 0), read(file, 100_000), read(file, 5, 2_500_000)];
    const closing = file.close();
    const outcomes = await Promise.allSettled(reads);
    await closing;
    expect(outcomes[0]?.status).toBe('fulfilled');
    for (const [i, outcome] of outcomes.entries()) {
      if (outcome.status === 'rejected') {
        expect(outcome.reason).toMatchObject(closed);
        continue;
      }
      const position = [0, 100_000, 5][i] as number;
      const expected = plainOf(size).subarray(position, position + outcome.value.buffer.length);
      expect(outcome.value.buffer.equals(expected)).toBe(true);
    }
  });

  test('by await using', async () => {
    const before = openDescriptors();
    const { file } = await opened();
    {
      await using used = file;
      await read(used, 0);
    }
    await expect(read(file, 0)).rejects.toMatchObject(closed);
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });

  test('a stream of a closed file fails', async () => {
    const { file } = await opened();
    await file.close();
    await expect(buffer(file.createReadStream())).rejects.toMatchObject(closed);
  });
});

describe('the path changes underneath', () => {
  test('replaced: the handle goes on with what it opened', async () => {
    const { file, path } = await opened();
    const other = fresh();
    writeFileSync(other, await encrypt(plainOf(10, 'other'), { keys }));
    renameSync(other, path);
    expect((await read(file, 100_000)).buffer.equals(plainOf(size).subarray(100_000, 100_100))).toBe(true);
    expect((await file.stat()).size).toBe(size);
    await file.close();
  });

  test('removed: the handle goes on', async () => {
    const { file, path } = await opened();
    rmSync(path);
    expect((await read(file, 100_000)).buffer.equals(plainOf(size).subarray(100_000, 100_100))).toBe(true);
    await file.close();
  });

  test('truncated: what is missing is an error, what is there is not', async () => {
    const { file, path } = await opened();
    truncateSync(path, 4_096 + 100 * segmentBytes + 10);
    const whole = 100 * plainSegmentBytes;
    expect((await read(file, whole - 100)).bytesRead).toBe(100);
    await expect(read(file, whole - 50)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED', path });
    await expect(read(file, 500_000, 2_000_000)).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TRUNCATED',
      path,
    });
    // A failed read leaves the handle usable.
    expect((await read(file, 0)).bytesRead).toBe(100);
    await file.close();
  });

  test('changed: the segment is refused, and no byte of it is given', async () => {
    const { file, path } = await opened();
    const descriptor = openSync(path, 'r+');
    writeSync(descriptor, Buffer.of(0xff, 0xee, 0xdd), 0, 3, 4_096 + 7 * segmentBytes + 1_000);
    closeSync(descriptor);
    const target = Buffer.alloc(3 * plainSegmentBytes, 0xaa);
    const reading = file.read(target, 0, target.length, 6 * plainSegmentBytes);
    await expect(reading).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TAMPERED',
      path,
      offset: 4_096 + 7 * segmentBytes,
    });
    expect(target.includes(plainOf(size).subarray(7 * plainSegmentBytes, 7 * plainSegmentBytes + 32))).toBe(
      false,
    );
    expect(
      (await read(file, 8 * plainSegmentBytes)).buffer.equals(
        plainOf(size).subarray(8 * plainSegmentBytes, 8 * plainSegmentBytes + 100),
      ),
    ).toBe(true);
    await file.close();
  });

  test('appended to: the handle reads what it opened; opening again is an error', async () => {
    const { file, path } = await opened();
    appendFileSync(path, Buffer.alloc(10_000));
    expect((await read(file, size - 10)).bytesRead).toBe(10);
    await file.close();
    await expect(openEncrypted(path, { keys })).rejects.toMatchObject({ name: 'VolsealError', path });
  });
});

describe('opening', () => {
  test.each([
    0,
    100,
    4_095,
    4_096,
    4_127,
    4_096 + segmentBytes,
    sealed.length - 1,
    sealed.length - segmentBytes,
  ])('a file of which %i bytes are left is an error, and stays not open', async (bytes) => {
    const path = fresh();
    writeFileSync(path, sealed.subarray(0, bytes));
    const before = openDescriptors();
    await expect(openEncrypted(path, { keys })).rejects.toMatchObject({
      name: 'VolsealError',
      code: expect.stringMatching(/^ERR_VOLSEAL_(TRUNCATED|NOT_SEALED|TAMPERED)$/),
      path,
    });
    expect(openDescriptors()).toEqual(before);
  });

  test('what is not a file, or not there', async () => {
    mkdirSync(at('folder'));
    spawnSync('mkfifo', [at('pipe')]);
    const before = openDescriptors();
    for (const path of [at('folder'), at('pipe'), '/dev/null']) {
      await expect(openEncrypted(path, { keys })).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_IO',
        path,
        hint: expect.any(String),
      });
    }
    await expect(openEncrypted(at('missing'), { keys })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_NOT_FOUND',
      path: at('missing'),
    });
    expect(openDescriptors()).toEqual(before);
  });

  test('a file URL; the context; a wrong context', async () => {
    const { file, path } = await opened();
    await file.close();
    const again = await openEncrypted(pathToFileURL(path), { keys, context: { a: '1' }, exactContext: true });
    expect({ ...again.context }).toEqual({ a: '1' });
    await again.close();
    await expect(openEncrypted(path, { keys, context: { a: '2' } })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_CONTEXT_MISMATCH',
      path,
    });
  });

  test('aborted', async () => {
    const { file, path } = await opened();
    await file.close();
    await expect(openEncrypted(path, { keys, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_ABORTED',
    });
  });
});

test.each([
  [['no buffer'], /buffer/i],
  [[null], /buffer/i],
  [[new DataView(new ArrayBuffer(4))], /Uint8Array/],
  [[Buffer.alloc(4), -1], /offset/],
  [[Buffer.alloc(4), 1.5], /offset/],
  [[Buffer.alloc(4), 5], /length|fit/],
  [[Buffer.alloc(4), 0, -1], /length/],
  [[Buffer.alloc(4), 0, 5], /fit/],
  [[Buffer.alloc(4), 2, 3], /fit/],
  [[Buffer.alloc(4), 0, '4'], /length/],
  [[Buffer.alloc(4), 0, 4, -1], /position/],
  [[Buffer.alloc(4), 0, 4, 0.5], /position/],
  [[Buffer.alloc(4), 0, 4, 2 ** 53], /position/],
  [[Buffer.alloc(4), 0, 4, null], /position/],
  [[Buffer.alloc(4), 0, 4, '0'], /position/],
] as const)('read(%j) is refused', async (parameters, message) => {
  const { file } = await opened();
  await expect(file.read(...(parameters as unknown as Parameters<SealedFile['read']>))).rejects.toMatchObject(
    {
      code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      message: expect.stringMatching(message),
    },
  );
  await file.close();
});

test('a stream over the open file: a range, and closing with it or not', async () => {
  const { file } = await opened();
  expect(
    (await buffer(file.createReadStream({ start: 10, end: 19, autoClose: false }))).equals(
      plainOf(20).subarray(10),
    ),
  ).toBe(true);
  expect((await read(file, 0)).bytesRead).toBe(100);
  expect((await buffer(file.createReadStream({ start: size - 5 }))).equals(plainOf(size).subarray(-5))).toBe(
    true,
  );
  await expect(read(file, 0)).rejects.toMatchObject(closed);
  expect(() => file.createReadStream({ begin: 1 } as object)).toThrow(/begin/);
});
