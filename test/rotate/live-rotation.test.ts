import { mkdirSync } from 'node:fs';

import { expect, it } from 'vitest';

import { bundledProgram } from '../os/child-program.ts';
import { scratch } from '../sealed/scratch.ts';
import { rotateUnderFire } from './live-rotation.ts';

const program = bundledProgram(new URL('live-program.ts', import.meta.url));
const { fresh } = scratch();

it('keys are rotated beside an app that writes, either of them being killed', {
  timeout: 300_000,
}, async () => {
  const root = fresh();
  mkdirSync(root);
  const { kills, lines } = await rotateUnderFire(program, root, {
    rounds: 2,
    seed: 4,
    calmMs: 1_000,
  });
  // How often, and how far each came, depends on the machine.
  expect(kills.app + kills.rotation).toBeGreaterThan(0);
  expect(lines).toBeGreaterThan(0);
});
