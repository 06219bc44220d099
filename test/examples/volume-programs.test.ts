/** examples/volume-log.mjs and examples/volume-cluster.mjs as their users run them. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { generateSecret } from '../../src/kms/secret-value.ts';

let folder: string;
let env: NodeJS.ProcessEnv;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'volseal-programs-'));
  env = { PATH: process.env['PATH'], DATA_DIR: folder, VOLSEAL_SECRET_v1: generateSecret() };
});
afterEach(() => rmSync(folder, { recursive: true }));

const program = (name: string): string =>
  fileURLToPath(new URL(`../../examples/${name}.mjs`, import.meta.url));

function run(name: string, args: string[] = [], input = ''): { status: number | null; lines: string[] } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program(name), ...args], {
    env,
    input,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(stderr);
  return { status, lines: stdout.split('\n').slice(0, -1) };
}

const printed = (): string[] => run('volume-log', ['--print']).lines;

describe('volume-log', () => {
  it('acknowledges each record and prints them all', () => {
    const texts = Array.from({ length: 50 }, (_, i) => `record ${i}`);
    const { lines } = run('volume-log', [], `${texts.join('\n')}\n`);
    expect(lines).toEqual(texts.map((_, i) => `ok ${i + 1}`));
    expect(printed()).toEqual(texts);
    expect(readFileSync(join(folder, 'audit.ndjson')).includes('record')).toBe(false);
    run('volume-log', [], 'one more\n');
    expect(printed()).toEqual([...texts, 'one more']);
  });

  /** Writes records for as long as they are taken. */
  function feed(child: ChildProcess): void {
    let i = 0;
    const write = (): void => {
      while (child.stdin?.writable === true && child.stdin.write(`record ${i}\n`)) i += 1;
    };
    child.stdin?.on('error', () => {}); // the reader went away, which is the point
    child.stdin?.on('drain', () => {
      i += 1;
      write();
    });
    write();
  }

  it.each([3, 40])('has every acknowledged record after a kill (at the %ith)', async (killAt) => {
    const child = spawn(process.execPath, [program('volume-log')], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    feed(child);
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout as Readable })) {
      acknowledged = Number(/^ok (\d+)$/.exec(line)?.[1]);
      if (acknowledged === killAt) child.kill('SIGKILL');
    }
    await exit;
    expect(acknowledged).toBeGreaterThanOrEqual(killAt);
    const texts = printed();
    expect(texts.length).toBeGreaterThanOrEqual(acknowledged);
    expect(texts).toEqual(texts.map((_, i) => `record ${i}`));
    // The lock of the killed process is free, and the log goes on where it was.
    run('volume-log', [], 'after the kill\n');
    expect(printed()).toEqual([...texts, 'after the kill']);
  });

  it('ends in order when it is told to', async () => {
    const child = spawn(process.execPath, [program('volume-log')], {
      env,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const exit = once(child, 'exit');
    feed(child);
    let acknowledged = 0;
    for await (const line of createInterface({ input: child.stdout as Readable })) {
      acknowledged = Number(/^ok (\d+)$/.exec(line)?.[1]);
      if (acknowledged === 5) child.kill('SIGTERM');
    }
    expect(await exit).toEqual([0, null]);
    expect(printed().length).toBe(acknowledged);
  });
});

describe('volume-cluster', () => {
  it('has one writer for each file, and another takes over when that one is killed', () => {
    const { lines } = run('volume-cluster');
    const first = /^worker (\d) leads$/.exec(lines[0] ?? '')?.[1];
    const second = /^worker (\d) was killed, worker (\d) leads$/.exec(lines[1] ?? '');
    expect(second?.[1]).toBe(first);
    expect(second?.[2]).not.toBe(first);
    expect(lines.slice(2, 4)).toEqual([`worker ${first} leads`, `worker ${second?.[2]} leads`]);
    expect(lines.at(-1)).toBe('3 logs');
  });
});
