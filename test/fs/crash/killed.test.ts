import { mkdirSync } from 'node:fs';

import { expect, it } from 'vitest';

import { bundledProgram } from '../../os/child-program.ts';
import { scratch } from '../../sealed/scratch.ts';
import { killAgainAndAgain } from './kills.ts';

const program = bundledProgram(new URL('kill-program.ts', import.meta.url));
const { fresh } = scratch();

it('a process that writes and is killed', async () => {
  const root = fresh();
  mkdirSync(root);
  expect(await killAgainAndAgain(program, root, 8)).toBeGreaterThan(0);
}, 300_000);
