/** Signals, on the real process. */

import { type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { secretFor } from './script.ts';

const bin = fileURLToPath(new URL('../../dist/cli/bin.js', import.meta.url));
const node = process.env['VOLSEAL_TEST_NODE'] ?? process.execPath;

let folder: string;
let child: ChildProcessWithoutNullStreams | undefined;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volseal-signals-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

function start(...argv: string[]): ChildProcessWithoutNullStreams {
  const started = spawn(node, [bin, ...argv], {
    cwd: folder,
    env: { ...process.env, VOLSEAL_SECRET_v1: secretFor('v1') },
  });
  started.stdin.on('error', () => {}); // it is written to a program that is about to end
  child = started;
  return started;
}

async function until(happened: () => boolean): Promise<void> {
  while (!happened()) await new Promise((resolve) => setTimeout(resolve, 10));
}

const exitOf = (process: ChildProcessWithoutNullStreams): Promise<number | string | null> =>
  new Promise((resolve) => process.once('exit', (code, signal) => resolve(code ?? signal)));

/** The events on standard output so far. */
function watch(process: ChildProcessWithoutNullStreams): () => string {
  let text = '';
  process.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  return () => text;
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const)('%s ends the work in order: exit code %i, nothing left', async (signal, exitCode) => {
  const running = start('encrypt', '--json', '-', '-o', 'out.vsl');
  const said = watch(running);
  running.stdin.write(Buffer.alloc(3_000_000));
  await until(() => readdirSync(folder).some((name) => name.endsWith('.tmp')));
  const exited = exitOf(running);
  running.kill(signal);
  expect(await exited).toBe(exitCode);
  expect(readdirSync(folder)).toEqual([]);
  await until(() => said().includes('"event":"done"'));
  expect(said()).toContain('ERR_VOLSEAL_ABORTED');
  expect(said()).toContain(`"exitCode":${exitCode}}`);
});

test('a second signal ends the process at once, also where the first one cannot', async () => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  // Opening a pipe that nobody writes to waits in the kernel.
  const running = start('encrypt', '--json', 'pipe', '-o', 'out.vsl');
  const said = watch(running);
  await until(() => said().includes('"event":"start"'));
  const exited = exitOf(running);
  running.kill('SIGINT');
  running.kill('SIGTERM');
  // Two that arrive together are handled in any order.
  expect(['SIGINT', 'SIGTERM']).toContain(await exited);
  expect(readdirSync(folder)).toEqual(['pipe']);
});

test('a pipe that nobody writes to does not hold up what has ended otherwise', async () => {
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  writeFileSync(join(folder, 'plain'), 'text');
  expect(await exitOf(start('encrypt', 'plain'))).toBe(0);
  const running = start('cat', 'plain.vsl', 'pipe');
  const said = watch(running);
  await until(() => said() === 'text');
  const exited = exitOf(running);
  running.kill('SIGTERM');
  // 143 where it had not come to the pipe yet.
  expect([143, 'SIGTERM']).toContain(await exited);
});
