/** A whole volume through crashes: every operation that was acknowledged is there, and every other one not at all or whole. */

import { describe, expect, it } from 'vitest';

import { initVolumeOn, openVolumeOn } from '../../../src/fs/volume/init.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import type { System } from '../../../src/os/system.ts';
import { type CrashReport, simulateCrashes } from '../../simulator/simulate-crashes.ts';
import {
  type Action,
  append,
  copy,
  create,
  dataOf,
  emptied,
  ensureDir,
  Expected,
  keys,
  put,
  rename,
  root,
  segmentBytes,
  treeOf,
  truncate,
  unlink,
  writeAt,
} from './actions.ts';

interface Run {
  readonly before?: readonly Action[];
  readonly actions: readonly Action[];
  readonly states: number;
}

async function crash({ before = [], actions, states }: Run): Promise<CrashReport> {
  let expected = new Expected(new Map(), actions);
  let looks = 0;
  return simulateCrashes<Volume, number>({
    setup: async (system) => {
      await system.mkdir(root);
      await initVolumeOn(system, root, { keys, recovery: false, policy: { segmentBytes } });
      const volume = await openVolumeOn(system, root, { keys });
      for (const { run } of before) await run(volume);
      expected = new Expected(await treeOf(volume), actions);
      return volume;
    },
    run: async (_system, volume, acknowledge) => {
      for (const [i, { label, run }] of actions.entries()) {
        await run(volume).catch((error: unknown) => {
          throw new Error(label, { cause: error });
        });
        acknowledge(i + 1);
      }
    },
    check: async (system, acknowledged) => {
      const volume = await openVolumeOn(system, root, { keys });
      const found = await treeOf(volume);
      expected.check(acknowledged.at(-1) ?? 0, found);
      // And it can be used: what is there is changed, and something new is made.
      if (looks++ % 8 === 0) {
        for (const [path, thing] of found) if (thing instanceof Buffer) await volume.appendFile(path, '+');
        await volume.writeFile('new', 'new');
      }
      await volume.close();
    },
    recover: async (system: System) => {
      const volume = await openVolumeOn(system, root, { keys });
      for (const [path, thing] of await treeOf(volume)) {
        if (thing instanceof Buffer) await (await volume.open(path, 'r+')).close();
      }
      await volume.close();
    },
    states,
    ignoreNames: (label) => label.includes('/locks'),
  });
}

const small = dataOf('s', 500);
const large = dataOf('l', 10_000);
const before = [
  ensureDir('d'),
  ensureDir('e'),
  put('d/old', dataOf('o', 5_000)),
  put('d/other', dataOf('p', 300)),
  put('d/once', dataOf('q', 9_000), true),
];

const scenarios: [string, Run][] = [
  [
    'new files',
    { before, actions: [put('d/new', small), put('new', large), put('d/i', large, true)], states: 230 },
  ],
  [
    'files that replace others',
    { before, actions: [put('d/old', large), put('d/old', small, true), put('d/once', small)], states: 230 },
  ],
  [
    'empty files',
    { before, actions: [create('d/new'), emptied('d/old'), append('d/new', small)], states: 230 },
  ],
  [
    'files that are changed in place',
    {
      before,
      actions: [append('d/old', large), writeAt('d/old', small, 3_900), truncate('d/old', 4_000)],
      states: 400,
    },
  ],
  [
    'a write-once file that is changed',
    { before, actions: [append('d/once', small), truncate('d/once', 10)], states: 220 },
  ],
  [
    'names that change',
    {
      before,
      actions: [
        rename('d/old', 'd/new'),
        rename('d/new', 'd/other'),
        rename('d/other', 'e/other'),
        append('e/other', small),
      ],
      states: 220,
    },
  ],
  [
    'directories, copies, and what is removed',
    {
      before,
      actions: [
        ensureDir('x'),
        ensureDir('x/y'),
        copy('d/old', 'x/y/copy'),
        unlink('d/old'),
        put('d/old', small),
        unlink('d/other'),
        rename('x', 'e/x'),
      ],
      states: 230,
    },
  ],
];

describe('a volume', () => {
  it.each(scenarios)('%s', async (_, run) => {
    const report = await crash(run);
    expect(report.states).toBeGreaterThan(run.states * 0.5);
  });

  it('that is just being made, and what is written to it first', async () => {
    const data = dataOf('f', 5_000);
    const report = await simulateCrashes<void, 'made' | 'written' | 'changed'>({
      setup: (system) => system.mkdir(root),
      run: async (system, _, acknowledge) => {
        const volume = await openVolumeOn(system, root, { keys, create: true });
        acknowledge('made');
        await volume.writeFile('f', data);
        acknowledge('written');
        const handle = await volume.open('f', 'r+');
        await handle.write('changed', 0);
        await handle.sync();
        acknowledge('changed');
      },
      check: async (system, acknowledged) => {
        const volume = await openVolumeOn(system, root, { keys, create: acknowledged.length === 0 });
        if (acknowledged.includes('written')) {
          const content = (await volume.readFile('f')) as Buffer;
          const start = content.toString('latin1', 0, 7);
          const allowed = acknowledged.includes('changed') ? ['changed'] : ['changed', 'fffffff'];
          expect(allowed).toContain(start);
          expect(content.subarray(7).equals(data.subarray(7))).toBe(true);
        }
        await volume.close();
      },
      states: 400,
      ignoreNames: (label) => label.includes('/locks'),
    });
    expect(report.states).toBeGreaterThan(100);
  });
});
