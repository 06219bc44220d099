/** `npm run demo` checks itself; this checks that it does, says so, and cleans up. */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, it } from 'vitest';

const demo = fileURLToPath(new URL('../../examples/demo.mjs', import.meta.url));
const temporary = mkdtempSync(join(tmpdir(), 'volseal-demo-test-'));

afterAll(() => rmSync(temporary, { recursive: true }));

function run(folder: string): { status: number | null; lines: string[] } {
  const env = { PATH: process.env['PATH'], TMPDIR: folder };
  const { status, stdout } = spawnSync(process.execPath, [demo], { env, encoding: 'utf8' });
  return { status, lines: stdout.trimEnd().split('\n') };
}

it('ends with demo: ok, exit code 0 and an empty temporary folder', { timeout: 60_000 }, () => {
  const { status, lines } = run(temporary);
  expect({ status, last: lines.at(-1) }).toEqual({ status: 0, last: 'demo: ok' });
  expect(lines.length).toBeGreaterThan(8);
  expect(readdirSync(temporary)).toEqual([]);
});

it('fails loudly when it cannot do its work', () => {
  const { status, lines } = run(join(temporary, 'missing'));
  expect(status).not.toBe(0);
  expect(lines).not.toContain('demo: ok');
});
