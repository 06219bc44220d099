/** Signals while a volume is written, on the real process. */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bin, node, secretFor } from './script.ts';

const env = { ...process.env, VOLSEAL_SECRET_v1: secretFor('v1') };
let folder: string;
let child: ChildProcessWithoutNullStreams | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volseal-signals-'));
  execFileSync(node, [bin, 'init', join(folder, 'data'), '--quiet'], { env });
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 10));
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('put: %s ends it in order, exit code %i, nothing left', async (signal, exitCode) => {
  const data = join(folder, 'data');
  child = spawn(node, [bin, 'put', '-', join(data, 'a/b')], { env });
  child.stdin.on('error', () => {});
  child.stdin.write(Buffer.alloc(3_000_000));
  const inFolder = (): string[] => readdirSync(data, { recursive: true }).map(String);
  await until(() => inFolder().some((name) => name.includes('.volseal-tmp-')));
  const exited = new Promise((resolve) => child?.once('exit', (code, by) => resolve(code ?? by)));
  child.kill(signal);
  expect(await exited).toBe(exitCode);
  expect(readdirSync(data)).toEqual(['.volseal']);
});
