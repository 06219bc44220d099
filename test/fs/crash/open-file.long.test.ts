/** The same as open-file.test.ts does at random, for longer runs and many more states. */

import { expect, it } from 'vitest';

import { makeKeyring } from './files.ts';
import { crash, randomSteps } from './steps.ts';

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
