/** The handle alone, over files in memory, beside FileHandle of Node over a plain file: the same calls, the same outcomes. */

import { writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';
import { scratch } from '../../sealed/scratch.ts';
import { handleOn, MemoryFile } from './memory-file.ts';
import { mistakes, type Operation, perform, reads, writes } from './operations.ts';

const { fresh } = scratch();
const ranges = { size: 400 };

const flags = ['r', 'rs', 'r+', 'rs+', 'a', 'a+', 'as', 'as+'] as const;

interface Pair {
  readonly plain: FileHandle;
  readonly sealed: VolumeFileHandle;
}

const steps = fc.array(
  fc.tuple(
    fc.nat({ max: 2 }),
    fc.oneof(
      { weight: 4, arbitrary: reads(ranges) },
      { weight: 4, arbitrary: writes(ranges) },
      { weight: 1, arbitrary: mistakes },
    ),
  ),
  { maxLength: 25 },
);

async function closeAll(pairs: readonly Pair[]): Promise<void> {
  for (const { plain, sealed } of pairs) {
    await plain.close();
    await sealed.close();
  }
}

async function compare(
  pairs: readonly Pair[],
  sequence: readonly (readonly [number, Operation])[],
): Promise<void> {
  for (const [which, operation] of sequence) {
    const { plain, sealed } = pairs[which % pairs.length] as Pair;
    const expected = await perform(operation, plain);
    expect(await perform(operation, sealed), operation.text).toEqual(expected);
  }
}

test.each(['at once', 'later'] as const)('every call and mistake, answered %s', async (answering) => {
  const opened = fc.array(fc.constantFrom(...flags), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(opened, fc.nat({ max: ranges.size }), steps, async (modes, size, sequence) => {
      const path = fresh();
      const file = new MemoryFile(answering);
      file.content = plainOf(size);
      writeFileSync(path, file.content);
      const pairs: Pair[] = [];
      try {
        for (const mode of modes) pairs.push({ plain: await open(path, mode), sealed: handleOn(file, mode) });
        await compare(pairs, sequence);
      } finally {
        await closeAll(pairs);
      }
      expect(file.closes).toBe(1);
    }),
    { numRuns: 150 },
  );
});
