/**
 * Several handles on one sealed file beside several of node:fs on a plain one: after whatever sequence of calls, opens
 * and closes both saw the same, and both files hold the same.
 */

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';
import { openDescriptors, scratch } from '../../sealed/scratch.ts';
import { type Operation, perform, reads, writes } from './operations.ts';
import { SealedFiles, type SealedFilesOptions } from './sealed-files.ts';

const { at } = scratch();

interface Pair {
  readonly plain: FileHandle;
  readonly sealed: VolumeFileHandle;
}

type Step =
  | { readonly kind: 'call'; readonly which: number; readonly operation: Operation }
  | { readonly kind: 'open'; readonly flags: string }
  | { readonly kind: 'close'; readonly which: number };

const flags = ['r', 'r+', 'a', 'a+', 'as', 'w', 'w+'] as const;
const mostHandles = 4;

const subjects: readonly (SealedFilesOptions & { segmentBytes: number })[] = [
  { suite: 'aes-256-gcm', segmentBytes: 4_096 },
  { suite: 'aes-256-gcm', segmentBytes: 4_608, durability: 'none' },
  { suite: 'aes-256-gcm', segmentBytes: 16_384, cacheBytes: 20_000 },
  { suite: 'xchacha20-poly1305', segmentBytes: 4_096, durability: 'none' },
  { suite: 'xchacha20-poly1305', segmentBytes: 4_608, cacheBytes: 0 },
  { suite: 'xchacha20-poly1305', segmentBytes: 16_384 },
];

function steps(ranges: { size: number; step: number }): fc.Arbitrary<Step[]> {
  const which = fc.nat({ max: mostHandles - 1 });
  const call = (operation: fc.Arbitrary<Operation>): fc.Arbitrary<Step> =>
    fc.record({ kind: fc.constant('call' as const), which, operation });
  return fc.array(
    fc.oneof(
      { weight: 8, arbitrary: call(reads(ranges)) },
      { weight: 10, arbitrary: call(writes(ranges)) },
      {
        weight: 3,
        arbitrary: fc.record({ kind: fc.constant('open' as const), flags: fc.constantFrom(...flags) }),
      },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('close' as const), which }) },
    ),
    { minLength: 1, maxLength: 30 },
  );
}

async function openPair(files: SealedFiles, path: string, how: string, pairs: Pair[]): Promise<void> {
  // Opening with `w` puts another file there; on a plain one it empties the file that others have open.
  if (pairs.length >= mostHandles || (how.startsWith('w') && pairs.length > 0)) return;
  pairs.push({ plain: await open(path, how), sealed: await files.open('file', how) });
}

async function run(files: SealedFiles, path: string, sequence: readonly Step[]): Promise<void> {
  const pairs: Pair[] = [];
  try {
    await openPair(files, path, 'r+', pairs);
    for (const step of sequence) {
      if (step.kind === 'open') await openPair(files, path, step.flags, pairs);
      else if (pairs.length > 0) {
        const index = step.which % pairs.length;
        const { plain, sealed } = pairs[index] as Pair;
        if (step.kind === 'close') {
          await Promise.all([plain.close(), sealed.close()]);
          pairs.splice(index, 1);
        } else {
          const expected = await perform(step.operation, plain);
          expect(await perform(step.operation, sealed), step.operation.text).toEqual(expected);
        }
      }
    }
  } finally {
    for (const { plain, sealed } of pairs) await Promise.all([plain.close(), sealed.close()]);
  }
  expect((await files.read('file')).equals(readFileSync(path))).toBe(true);
}

test.each(subjects)('$suite, segments of $segmentBytes, durability $durability', async (options) => {
  const step = options.segmentBytes - 44;
  const ranges = { size: Math.round(3.5 * step), step };
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: ranges.size }), steps(ranges), async (size, sequence) => {
      const root = mkdtempSync(at('model-'));
      const path = `${root}/.plain`;
      const before = openDescriptors().length;
      const files = await SealedFiles.in(root, options);
      try {
        writeFileSync(path, plainOf(size));
        await files.write('file', plainOf(size));
        await run(files, path, sequence);
        expect(files.files.size).toBe(0);
        expect(files.remains()).toEqual([]);
      } finally {
        await files.close();
      }
      expect(openDescriptors().length).toBe(before);
      rmSync(root, { recursive: true });
    }),
    { numRuns: 40 },
  );
});
