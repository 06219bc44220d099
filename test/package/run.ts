/** Runs a program to its end; the tests look at the code and at all it said. */

import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';

export interface Outcome {
  readonly code: number | null;
  readonly output: string;
}

export function run(
  program: string,
  args: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): Outcome {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8', ...options });
  if (error !== undefined) throw error;
  return { code: status, output: stdout + stderr };
}

/** The environment of an app that has one secret set. */
export const withSecret: NodeJS.ProcessEnv = {
  PATH: process.env['PATH'],
  VOLSEAL_SECRET_1: randomBytes(32).toString('base64'),
};
