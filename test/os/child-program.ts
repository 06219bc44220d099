/** Programs of the tests that need processes and threads of their own: bundled from the source as it is now. */

import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { buildSync } from 'esbuild';
import { afterAll } from 'vitest';

/** The path of the program, a module beside the test that calls this; removed when its tests are done. */
export function bundledProgram(source: URL): string {
  const directory = mkdtempSync(join(tmpdir(), 'volseal-program-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  const outfile = join(directory, 'program.mjs');
  buildSync({
    entryPoints: [fileURLToPath(source)],
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    outfile,
    logLevel: 'error',
  });
  return outfile;
}

export type Child = ChildProcessByStdio<Writable, Readable, null>;

export function startProgram(program: string, ...parameters: readonly string[]): Child {
  return spawn(process.execPath, [program, ...parameters], { stdio: ['pipe', 'pipe', 'inherit'] });
}
