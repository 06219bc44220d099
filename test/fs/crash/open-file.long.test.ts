/** The same as open-file.test.ts does at random, for longer runs and many more states. */

import { expect, it } from 'vitest';

import { makeKeyring } from './files.ts';
import { append, crash, randomSteps, sync, truncate, write } from './steps.ts';

it('anything, in any order, for long', async () => {
  const keyring = await makeKeyring();
  let states = 0;
  for (let round = 0; round < 40; round++) {
    const seed = Math.floor(Math.random() * 2 ** 32);
    const run = { steps: randomSteps(seed, 10 + (round % 4) * 10), states: 1_500, seed };
    const report = await crash(keyring, run).catch((error: unknown) => {
      throw new Error(`steps of seed ${seed}`, { cause: error });
    });
    states += report.states;
  }
  expect(states).toBeGreaterThan(50_000);
}, 600_000);

it('more than is kept in memory, and more than a journal holds before a checkpoint', async () => {
  const keyring = await makeKeyring();
  const mebibyte = 2 ** 20;
  const report = await crash(keyring, {
    before: [append(3 * mebibyte)],
    steps: [
      append(5 * mebibyte),
      sync,
      write(100, 3 * mebibyte),
      sync,
      write(4 * mebibyte, 3 * mebibyte),
      sync,
      truncate(mebibyte),
      sync,
    ],
    states: 150,
    disk: { torn: [4_096], nameOrders: ['any'] },
  });
  expect(report.states).toBeGreaterThan(100);
}, 300_000);
