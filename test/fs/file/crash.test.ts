/** Power loss after every operation on the disk: an open file is what it was at its last sync, or newer, and never unreadable. */

import { describe, expect, it } from 'vitest';

import type { OpenFile } from '../../../src/fs/file/open-file.ts';
import { simulateCrashes } from '../../simulator/simulate-crashes.ts';
import { contentOf, pattern, SealedVolume } from './sealed-volume.ts';

/** 4,052 plaintext bytes a segment. */
const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 44;

type Step =
  | readonly ['write', at: number, length: number]
  | readonly ['append', length: number]
  | readonly ['truncate', to: number]
  | readonly ['sync' | 'checkpoint' | 'reopen'];

function apply(content: Buffer, step: Step, seed: number): Buffer {
  if (step[0] === 'truncate') {
    const cut = Buffer.alloc(step[1]);
    content.copy(cut);
    return cut;
  }
  if (step[0] !== 'write' && step[0] !== 'append') return content;
  const [at, length] = step[0] === 'write' ? [step[1], step[2]] : [content.length, step[1]];
  const written = Buffer.alloc(Math.max(content.length, at + length));
  content.copy(written);
  pattern(length, seed).copy(written, at);
  return written;
}

async function perform(volume: SealedVolume, file: OpenFile, step: Step, seed: number): Promise<OpenFile> {
  if (step[0] === 'reopen') {
    await file.close();
    return volume.open('f');
  }
  if (step[0] === 'write') await file.write(pattern(step[2], seed), 0, step[2], step[1]);
  else if (step[0] === 'append') await file.append(pattern(step[1], seed), 0, step[1]);
  else if (step[0] === 'truncate') await file.truncate(step[1]);
  else await file[step[0]]();
  return file;
}

/** What the file may hold: the newest content that was acknowledged, or any after it. */
async function crash(startBytes: number, steps: readonly Step[], states: number): Promise<number> {
  const contents = [pattern(startBytes, 999)];
  for (const [i, step] of steps.entries()) contents.push(apply(contents.at(-1) as Buffer, step, i));
  const expectRecent = (content: Buffer, acknowledged: readonly number[]): void => {
    const from = Math.max(0, ...acknowledged);
    const found = contents.slice(from).some((candidate) => candidate.equals(content));
    if (found) return;
    const old = contents.findIndex((candidate) => candidate.equals(content));
    throw new Error(`content ${old === -1 ? 'that never was' : old}, after ${from} was acknowledged`);
  };
  const report = await simulateCrashes<SealedVolume, number>({
    states,
    seed: 1,
    ignoreNames: (label) => label.includes('/locks/'),
    async setup(system) {
      const volume = await SealedVolume.create('/v', system);
      await volume.make('f', contents[0], { segmentBytes });
      return volume;
    },
    async run(_system, volume, acknowledge) {
      let file = await volume.open('f');
      for (const [i, step] of steps.entries()) {
        file = await perform(volume, file, step, i);
        if (['sync', 'checkpoint', 'reopen'].includes(step[0])) acknowledge(i + 1);
      }
      await file.close();
      acknowledge(steps.length);
    },
    async recover(system, volume) {
      const file = await volume.sibling({}, system).open('f');
      await file.close();
    },
    async check(system, acknowledged, volume) {
      const after = volume.sibling({}, system);
      const seen = await after.content('f');
      expectRecent(seen, acknowledged);
      const file = await after.open('f');
      try {
        const content = await contentOf(file);
        if (!content.equals(seen)) throw new Error('a writer finds something else than a reader');
        // It can be written on, and nothing old comes back.
        await file.truncate(content.length + 2 * plainSegmentBytes);
        await file.sync();
      } finally {
        await file.close();
      }
      const grown = await after.content('f');
      const expected = Buffer.concat([seen, Buffer.alloc(2 * plainSegmentBytes)]);
      if (!grown.equals(expected)) throw new Error('after the recovery something old came back');
      if ((await after.journals()).length > 0) throw new Error('a journal stayed behind');
    },
  });
  return report.states;
}

const p = plainSegmentBytes;
const scenarios: Record<string, { start: number; steps: readonly Step[] }> = {
  'overwrites inside': {
    start: 5 * p + 100,
    steps: [
      ['write', 100, 200],
      ['write', 3 * p, p + 50],
      ['sync'],
      ['write', 110, 50],
      ['sync'],
      ['write', 4 * p, 9],
      ['checkpoint'],
      ['write', 2, 2],
    ],
  },
  appends: {
    start: 10,
    steps: [
      ['append', 200],
      ['sync'],
      ['append', 3_000],
      ['sync'],
      ['append', 3 * p],
      ['sync'],
      ['append', 5],
      ['checkpoint'],
      ['append', 100],
      ['sync'],
    ],
  },
  'a last segment that is full': {
    start: 2 * p,
    steps: [
      ['append', 1],
      ['sync'],
      ['truncate', 2 * p],
      ['sync'],
      ['append', p],
      ['sync'],
      ['truncate', p],
      ['sync'],
    ],
  },
  'extended by zeros': {
    start: 700,
    steps: [['truncate', 5 * p], ['sync'], ['write', 8 * p + 3, 10], ['sync']],
  },
  'cut, and grown again before and after a sync': {
    start: 7 * p,
    steps: [
      ['write', 5 * p, 30],
      ['sync'],
      ['truncate', 2 * p + 5],
      ['truncate', 6 * p],
      ['sync'],
      ['truncate', 0],
      ['sync'],
      ['append', 4 * p],
      ['sync'],
    ],
  },
  reopened: {
    start: 3 * p,
    steps: [
      ['write', p, 30],
      ['append', 4_000],
      ['reopen'],
      ['truncate', p],
      ['reopen'],
      ['append', p],
      ['reopen'],
    ],
  },
};

describe('power loss', () => {
  it.each(Object.entries(scenarios))('%s', async (_name, { start, steps }) => {
    expect(await crash(start, steps, Number(process.env.CRASH_STATES ?? 120))).toBeGreaterThan(60);
  });
});
