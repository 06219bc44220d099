/** encryptFile and decryptFile: any size, segment, suite, source and destination; and the figures they report. */

import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import { decrypt, decryptFile, encryptFile, type FileResult, type Progress } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';
import { sources, targets } from './ends.ts';

const { at, directory, fresh, leftovers } = scratch();

afterEach(() => {
  for (const name of readdirSync(directory)) rmSync(at(name), { recursive: true });
});

/** Around what one segment and what one batch of the engine hold. */
const overheadBytes = { 'aes-256-gcm': 32, 'xchacha20-poly1305': 44 };
const plainBytes = (segmentBytes: number, suite: keyof typeof overheadBytes): fc.Arbitrary<number> =>
  fc.oneof(
    fc.nat({ max: 2 }),
    fc
      .tuple(fc.constantFrom(1, 2, Math.floor(1_048_576 / segmentBytes)), fc.integer({ min: -2, max: 2 }))
      .map(([segments, by]) => Math.max(0, segments * (segmentBytes - overheadBytes[suite]) + by)),
    fc.nat({ max: 2_500_000 }),
  );
const cases = fc
  .tuple(
    fc.constantFrom(4_096, 7_680, 65_536, 1_048_576),
    fc.constantFrom('aes-256-gcm' as const, 'xchacha20-poly1305' as const),
  )
  .chain(([segmentBytes, suite]) =>
    fc.record({
      segmentBytes: fc.constant(segmentBytes),
      suite: fc.constant(suite),
      size: plainBytes(segmentBytes, suite),
    }),
  );
const chunkSizes = fc
  .array(fc.integer({ min: 1, max: 300_000 }), { minLength: 1, maxLength: 4 })
  .filter((sizes) => Math.max(...sizes) > 20_000);

function expectProgress(seen: readonly Progress[], totalBytes: number, sourceIsFile: boolean): void {
  const done = seen.map(({ doneBytes }) => doneBytes);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(done.at(-1)).toBe(totalBytes);
  if (sourceIsFile) for (const progress of seen) expect(progress.totalBytes).toBe(totalBytes);
}

interface Choices {
  readonly segmentBytes: number;
  readonly suite: keyof typeof overheadBytes;
  readonly size: number;
}

/** Encrypts from a source of the kind to a target of the kind, and decrypts between two others of the same kinds. */
async function roundTrip(
  source: string,
  target: string,
  choices: Choices,
  sizes: readonly number[],
): Promise<void> {
  const { size, ...sealChoices } = choices;
  const makeSource = sources[source] as NonNullable<(typeof sources)[string]>;
  const makeTarget = targets[target] as NonNullable<(typeof targets)[string]>;
  const isFile = source === 'path' || source === 'file URL';
  const plain = plainOf(size);
  const seen: Progress[] = [];
  const onProgress = (progress: Progress): void => void seen.push(progress);

  const to = makeTarget(fresh);
  const sealed = await encryptFile(makeSource(plain, sizes, fresh), to.destination, {
    keys,
    ...sealChoices,
    onProgress,
  });
  const bytes = await to.taken();
  expect(sealed).toEqual<FileResult>({ plainBytes: size, sealedBytes: bytes.length });
  expect(Buffer.compare(await decrypt(bytes, { keys }), plain)).toBe(0);
  expectProgress(seen, size, isFile);

  seen.length = 0;
  const back = makeTarget(fresh);
  const opened = await decryptFile(makeSource(bytes, sizes, fresh), back.destination, { keys, onProgress });
  expect(opened).toEqual<FileResult>({ plainBytes: size, sealedBytes: bytes.length });
  expect(Buffer.compare(await back.taken(), plain)).toBe(0);
  expectProgress(seen, size, isFile);
  expect(leftovers()).toEqual([]);
}

describe.each(Object.keys(sources))('from %s', (source) => {
  test.each(Object.keys(targets))('to %s', (target) =>
    roundTrip(
      source,
      target,
      { size: 1_500_001, segmentBytes: 65_536, suite: 'aes-256-gcm' },
      [70_000, 1, 300_000],
    ),
  );
});

test('any size around segments and batches, any segment, suite, source and target', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(sources)),
      fc.constantFrom(...Object.keys(targets)),
      cases,
      chunkSizes,
      roundTrip,
    ),
    { numRuns: 30 },
  );
});

test('nothing at all is a file too, in both directions and to everywhere', async () => {
  writeFileSync(at('empty'), '');
  for (const destination of [at('empty.vsl'), '/dev/null']) {
    expect(await encryptFile(at('empty'), destination, { keys })).toEqual({
      plainBytes: 0,
      sealedBytes: 4_096 + 32,
    });
  }
  expect(await decryptFile(at('empty.vsl'), '/dev/null', { keys })).toEqual({
    plainBytes: 0,
    sealedBytes: 4_096 + 32,
  });
});

test('chunks that are not bytes are refused', async () => {
  for (const chunk of ['text', 5, {}, new ArrayBuffer(4), null]) {
    const source = (async function* () {
      yield chunk as Uint8Array;
    })();
    await expect(encryptFile(source, at('no'), { keys })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
    });
  }
  expect(leftovers()).toEqual([]);
});
