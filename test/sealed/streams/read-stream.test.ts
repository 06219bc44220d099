/** createDecryptReadStream gives what fs.createReadStream gives of the plain file, for any range and any reader. */

import { once } from 'node:events';
import { appendFileSync, createReadStream, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';

import { createDecryptReadStream, encrypt, encryptFile, type RangeOptions } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { consumers } from './consumers.ts';
import { keys } from './transforms.ts';

const { at, fresh } = scratch();
const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 32;
/** Nothing, less than a segment, whole segments, and a bit more; and more than one read brings. */
const sizes = [0, 1, 100, plainSegmentBytes, 3 * plainSegmentBytes, 3 * plainSegmentBytes + 1, 600_000];

beforeAll(async () => {
  for (const size of sizes) {
    writeFileSync(at(`${size}`), plainOf(size));
    await encryptFile(at(`${size}`), at(`${size}.vsl`), {
      keys,
      segmentBytes,
      context: { size: String(size) },
    });
  }
});

const offset = fc.oneof(
  fc.nat({ max: 5 }),
  fc.nat({ max: 700_000 }),
  fc
    .tuple(fc.nat({ max: 5 }), fc.integer({ min: -2, max: 2 }))
    .map(([segments, by]) => Math.max(0, segments * plainSegmentBytes + by)),
  fc.constantFrom(...sizes.flatMap((size) => [Math.max(0, size - 1), size, size + 1])),
);

test('any range, with any reader', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...sizes),
      fc.constantFrom(...Object.keys(consumers)),
      fc.option(offset, { nil: undefined }),
      fc.option(offset, { nil: undefined }),
      async (size, consumer, a, b) => {
        const [start, end] = a !== undefined && b !== undefined && a > b ? [b, a] : [a, b];
        const range: RangeOptions = {
          ...(start !== undefined && { start }),
          ...(end !== undefined && { end }),
        };
        const [expected, seen] = await Promise.all([
          buffer(createReadStream(at(`${size}`), range)),
          consumers[consumer]?.(createDecryptReadStream(at(`${size}.vsl`), { keys, ...range })),
        ]);
        expect(Buffer.compare(seen as Buffer, expected)).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});

test.each([
  [{ start: 5, end: 4 }, /start/],
  [{ start: -1 }, /start/],
  [{ start: 1.5 }, /start/],
  [{ end: -1 }, /end/],
  [{ end: Number.NaN }, /end/],
  [{ start: '5' as unknown as number }, /start/],
  [{ end: '5' as unknown as number }, /end/],
])('%o is refused as fs refuses it', (range, message) => {
  expect(() => createReadStream(at('100'), range)).toThrow(message);
  expect(() => createDecryptReadStream(at('100.vsl'), { keys, ...range })).toThrow(message);
});

test('end: Infinity is the end, as with fs', async () => {
  expect(await buffer(createDecryptReadStream(at('100.vsl'), { keys, start: 90, end: Infinity }))).toEqual(
    plainOf(100).subarray(90),
  );
});

test('the context comes before any byte', async () => {
  const seen: unknown[] = [];
  const stream = createDecryptReadStream(at('100.vsl'), { keys, start: 10 });
  stream.on('context', (context: unknown) => seen.push({ ...(context as object) }));
  stream.on('data', () => seen.push('data'));
  await once(stream, 'end');
  expect(seen).toEqual([{ size: '100' }, 'data']);
});

test('a file URL', async () => {
  expect(await buffer(createDecryptReadStream(pathToFileURL(at('100.vsl')), { keys }))).toEqual(plainOf(100));
});

test('damage inside the range is an error after the authentic bytes before it; outside it is not met', async () => {
  const path = fresh();
  const sealed = readFileSync(at('600000.vsl'));
  const at100 = 4_096 + 100 * segmentBytes + 2_000;
  sealed[at100] = (sealed[at100] as number) ^ 1;
  writeFileSync(path, sealed);
  const chunks: Buffer[] = [];
  const reading = async (): Promise<void> => {
    for await (const chunk of createDecryptReadStream(path, { keys })) chunks.push(chunk as Buffer);
  };
  await expect(reading()).rejects.toMatchObject({
    code: 'ERR_VOLSEAL_TAMPERED',
    path,
    offset: 4_096 + 100 * segmentBytes,
  });
  const released = Buffer.concat(chunks);
  expect(released.length).toBeLessThanOrEqual(100 * plainSegmentBytes);
  expect(Buffer.compare(released, plainOf(released.length))).toBe(0);
  const end = 100 * plainSegmentBytes - 1;
  expect(Buffer.compare(await buffer(createDecryptReadStream(path, { keys, end })), plainOf(end + 1))).toBe(
    0,
  );
  expect(
    await buffer(
      createDecryptReadStream(path, { keys, start: 101 * plainSegmentBytes, end: 102 * plainSegmentBytes }),
    ),
  ).toHaveLength(plainSegmentBytes + 1);
});

test.each([1, segmentBytes - 1, segmentBytes, 3 * segmentBytes + 5])(
  'a file that is cut by %i bytes never ends as if it were whole',
  async (bytes) => {
    const path = fresh();
    const sealed = readFileSync(at('600000.vsl'));
    writeFileSync(path, sealed.subarray(0, sealed.length - bytes));
    await expect(buffer(createDecryptReadStream(path, { keys }))).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TRUNCATED',
    });
    await expect(buffer(createDecryptReadStream(path, { keys, start: 700_000 }))).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_TRUNCATED',
    });
  },
);

test('a file that shrinks while it is read is an error; one that grows is read as it was', async () => {
  const path = fresh();
  const size = 3_000_000;
  const cut = 4_096 + 400 * segmentBytes;
  writeFileSync(path, await encrypt(plainOf(size), { keys, segmentBytes }));
  const shrinking = createDecryptReadStream(path, { keys });
  await once(shrinking, 'readable');
  truncateSync(path, cut);
  await expect(buffer(shrinking)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
  writeFileSync(path, await encrypt(plainOf(size), { keys, segmentBytes }));
  const growing = createDecryptReadStream(path, { keys });
  await once(growing, 'readable');
  appendFileSync(path, Buffer.alloc(10_000));
  expect(Buffer.compare(await buffer(growing), plainOf(size))).toBe(0);
});

test('what is not a file is refused', async () => {
  spawnSync('mkfifo', [at('pipe')]);
  for (const path of [at('.'), '/dev/null']) {
    await expect(buffer(createDecryptReadStream(path, { keys }))).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_IO',
      path,
    });
  }
  await expect(buffer(createDecryptReadStream(at('missing'), { keys }))).rejects.toMatchObject({
    code: 'ERR_VOLSEAL_NOT_FOUND',
  });
});
