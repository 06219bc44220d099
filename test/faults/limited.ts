/** Runs child.mjs under limits of the system. */

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

export type Operation = readonly [name: string, source: string, destination?: string];

export interface Outcome {
  /** `done`, or the name of an error. */
  readonly outcome: string;
  readonly code?: string;
  readonly message?: string;
  readonly hint?: string;
  readonly path?: string;
  readonly retryable?: boolean;
  readonly leakedDescriptors: number;
}

interface Limits {
  /** As for prlimit(1), for example `--fsize=100000`. */
  readonly prlimit?: string;
  readonly uid?: number;
  readonly spareDescriptors?: number;
}

/** The outcome of each operation, in order. */
export async function runLimited(
  operations: readonly Operation[],
  { prlimit, ...rest }: Limits,
): Promise<Outcome[]> {
  const child = [
    fileURLToPath(new URL('child.mjs', import.meta.url)),
    JSON.stringify({ operations, ...rest }),
  ];
  const [command, ...parameters] =
    prlimit === undefined ? [process.execPath, ...child] : ['prlimit', prlimit, process.execPath, ...child];
  const running = spawn(command as string, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err] = await Promise.all([text(running.stdout), text(running.stderr)]);
  expect(err).toBe('');
  const outcomes = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Outcome);
  expect(outcomes).toHaveLength(operations.length);
  return outcomes;
}

/** Skips with a line that says why, where the system cannot do what a test needs. */
export const isRoot: boolean = process.getuid?.() === 0;
