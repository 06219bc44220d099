/** Many calls at once on several handles: what does not touch does not disturb, and nothing is lost. */

import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';
import { openDescriptors, scratch } from '../../sealed/scratch.ts';
import { SealedFiles } from './sealed-files.ts';

const { fresh } = scratch();
const segmentBytes = 4_096;
/** Neither a segment nor a part of one: blocks lie across the borders of segments. */
const blockBytes = 1_500;
const blocks = 24;

const subjects = await Promise.all(
  [{ durability: 'sync' as const }, { durability: 'none' as const, cacheBytes: 0 }].map((options) =>
    SealedFiles.in(fresh(), { segmentBytes, ...options }),
  ),
);
afterAll(async () => {
  for (const files of subjects) await files.close();
});

type Call = 'read' | 'write' | 'sync' | 'stat';

test.each(subjects)('on blocks that each belong to one caller, durability $env.durability', async (files) => {
  const descriptors = openDescriptors().length;
  const call = fc.tuple(fc.constantFrom<Call>('write', 'write', 'read', 'sync', 'stat'), fc.nat({ max: 2 }));
  const callers = fc.array(fc.array(call, { maxLength: 8 }), { minLength: 2, maxLength: blocks });
  await fc.assert(
    fc.asyncProperty(callers, fc.nat({ max: 1_000 }), async (programs, seed) => {
      const content = plainOf(blocks * blockBytes, `before ${seed}`);
      await files.write('file', content);
      const handles = await Promise.all([1, 2, 3].map(() => files.open('file', 'r+')));
      await Promise.all(
        programs.map(async (program, block) => {
          const position = block * blockBytes;
          for (const [index, [kind, which]] of program.entries()) {
            const handle = handles[which] as VolumeFileHandle;
            if (kind === 'sync') await handle.sync();
            else if (kind === 'stat') expect((await handle.stat()).size).toBe(content.length);
            else if (kind === 'write') {
              const data = plainOf(blockBytes, `${seed} ${block} ${index}`);
              await handle.write(data, 0, blockBytes, position);
              data.copy(content, position);
            } else {
              const target = Buffer.alloc(blockBytes);
              await handle.read(target, 0, blockBytes, position);
              const expected = content.subarray(position, position + blockBytes);
              if (!target.equals(expected)) expect.unreachable(`block ${block} after step ${index}`);
            }
          }
        }),
      );
      await Promise.all(handles.map((handle) => handle.close()));
      expect((await files.read('file')).equals(content)).toBe(true);
    }),
    { numRuns: 25 },
  );
  expect(files.files.size).toBe(0);
  expect(files.remains()).toEqual([]);
  expect(openDescriptors().length).toBe(descriptors);
});

test('a reader of a file that grows sees whole lines, in order', async () => {
  const files = subjects[0] as SealedFiles;
  await files.write('log', '');
  const [reader, writer] = [await files.open('log', 'r'), await files.open('log', 'a')];
  const line = (number: number): string => `${number} ${'.'.repeat(number % 90)}\n`;
  const lines = 400;
  const writing = (async () => {
    for (let number = 0; number < lines; number++) {
      await writer.appendFile(line(number));
      if (number % 50 === 0) await writer.sync();
    }
  })();
  let text = '';
  while (!text.endsWith(line(lines - 1))) {
    const { buffer, bytesRead } = await reader.read({ buffer: Buffer.alloc(701) });
    text += buffer.toString('latin1', 0, bytesRead);
    if (bytesRead === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await writing;
  expect(text).toBe(Array.from({ length: lines }, (_, number) => line(number)).join(''));
  await Promise.all([reader.close(), writer.close()]);
});
