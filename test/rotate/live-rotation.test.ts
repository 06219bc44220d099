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
  const { destroyed, kills, lines } = await rotateUnderFire(program, root, {
    rounds: 6,
    seed: 4,
    calmMs: 3_000,
  });
  expect(kills.app + kills.rotation).toBeGreaterThan(3);
  expect(destroyed).toBeGreaterThan(2);
  expect(lines).toBeGreaterThan(20);
});
