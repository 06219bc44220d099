/** Files through crashes: after each the content is the one that was synced last, or the one about to be, whole. */

import { describe, expect, it } from 'vitest';

import type { Keyring } from '../../../src/keyring/keyring.ts';
import { makeKeyring, plainSegmentBytes, type Step } from './files.ts';
import { append, checkpoint, crash, randomSteps, reopen, type Run, sync, truncate, write } from './steps.ts';

const keyring: Keyring = await makeKeyring();

const whole = plainSegmentBytes;
const threeSegments = [append(2 * whole + 1_000)];

const scenarios: [string, Run][] = [
  ['first content', { steps: [append(100), sync, append(3 * whole), sync], states: 400 }],
  [
    'overwriting within a segment, across two, and all of it',
    {
      before: threeSegments,
      steps: [write(10, 5), sync, write(whole - 3, 6), sync, write(0, 2 * whole + 1_000), sync],
      states: 600,
    },
  ],
  [
    'small appends, over the end of a segment',
    {
      before: [append(whole - 250)],
      steps: [append(100), sync, append(100), sync, append(100), sync],
      states: 400,
    },
  ],
  [
    'appending exactly up to the end of a segment, and on',
    {
      before: [append(whole - 10)],
      steps: [append(10), sync, append(1), sync, append(whole), sync],
      states: 400,
    },
  ],
  [
    'extending with a gap, and by truncate',
    {
      before: threeSegments,
      steps: [write(4 * whole, 10), sync, truncate(5 * whole + 7), sync],
      states: 500,
    },
  ],
  [
    'cutting off, and growing again',
    {
      before: threeSegments,
      steps: [truncate(whole), sync, append(300), sync, truncate(0), sync, append(whole + 5), sync],
      states: 700,
    },
  ],
  [
    'with checkpoints between',
    {
      before: threeSegments,
      steps: [write(5, 5), sync, checkpoint, write(whole, 9), checkpoint, append(whole), sync, checkpoint],
      states: 700,
    },
  ],
  [
    'closed and opened again, also when the journal was used before',
    {
      before: threeSegments,
      steps: [write(5, 5), reopen, append(10), sync, reopen, truncate(20), reopen],
      states: 700,
    },
  ],
];

const allAtOnce: Step[] = [
  write(10, 5),
  sync,
  append(30),
  write(whole, whole),
  sync,
  append(2 * whole),
  checkpoint,
  truncate(whole + 1),
  sync,
  write(5, 5),
  sync,
];
scenarios.push([
  'all of it at once, without waiting',
  { before: threeSegments, steps: allAtOnce, atOnce: true, states: 500 },
]);

describe('a file', () => {
  it.each(scenarios)('%s', async (_, run) => {
    const report = await crash(keyring, run);
    expect(report.states).toBeGreaterThan(run.states * 0.5);
  });
});

it('anything, in any order', async () => {
  const disks = [
    { torn: [512], nameOrders: ['any'] },
    { torn: [4_096], nameOrders: ['ordered'] },
  ] as const;
  let states = 0;
  for (let round = 0; round < 10; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const run: Run = { steps: randomSteps(seed, 14), states: 180, seed, disk: disks[round % 2] };
    const report = await crash(keyring, run).catch((error: unknown) => {
      throw new Error(`steps of seed ${seed}`, { cause: error });
    });
    states += report.states;
  }
  expect(states).toBeGreaterThan(1_500);
});
