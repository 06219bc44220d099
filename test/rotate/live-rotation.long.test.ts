import { mkdirSync } from 'node:fs';

import { expect, it } from 'vitest';

import { bundledProgram } from '../os/child-program.ts';
import { scratch } from '../sealed/scratch.ts';
import { rotateUnderFire } from './live-rotation.ts';

const program = bundledProgram(new URL('live-program.ts', import.meta.url));
const { fresh } = scratch();

it('a minute of rotations beside an app that writes, then hundreds of kills', async () => {
  const root = fresh();
  mkdirSync(root);
  const seed = Number(process.env['VOLSEAL_TEST_SEED'] ?? 1);
  const { destroyed, ended, kills, lines, secrets } = await rotateUnderFire(program, root, {
    rounds: 150,
    seed,
    calmMs: 60_000,
  });
  console.log({ seed, destroyed, ended, kills, lines, secrets });
  expect(kills.app + kills.rotation).toBeGreaterThan(100);
  expect(destroyed).toBeGreaterThan(5);
  expect(secrets).toBeGreaterThan(2);
}, 1_200_000);
