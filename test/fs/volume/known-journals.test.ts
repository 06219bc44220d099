/** What is known of journals without asking for each is never older than the call. */

import { type BigIntStats, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { KnownJournals } from '../../../src/fs/volume/known-journals.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { scratch } from '../../sealed/scratch.ts';

const { fresh } = scratch();

/** The same system some time later: what changed is as old as that. */
function aged(ms: number, calls: string[]): System {
  const age = <T extends BigIntStats | undefined>(stats: T): T => {
    if (stats !== undefined) stats.ctimeMs -= BigInt(ms);
    return stats;
  };
  return {
    ...nodeSystem,
    lookAgain: async (path) => {
      calls.push('stat');
      return age(await nodeSystem.lookAgain(path));
    },
    stat: async (path) => age(await nodeSystem.stat(path)),
    readdir: (path) => {
      calls.push('readdir');
      return nodeSystem.readdir(path);
    },
  };
}

function directory(): string {
  const path = fresh();
  mkdirSync(path);
  return path;
}

test('while the directory has just changed nothing is known', async () => {
  const calls: string[] = [];
  const known = new KnownJournals(aged(0, calls), directory());
  expect(await known.names()).toBeUndefined();
  expect(calls).toEqual(['stat']);
});

test('once it is quiet it is listed, and then one stat is enough', async () => {
  const calls: string[] = [];
  const path = directory();
  writeFileSync(join(path, 'a'), '');
  const known = new KnownJournals(aged(5_000, calls), path);
  expect([...((await known.names()) ?? [])]).toEqual(['a']);
  calls.length = 0;
  expect([...((await known.names()) ?? [])]).toEqual(['a']);
  expect(calls).toEqual(['stat']);
});

test('every change is noticed', async () => {
  const path = directory();
  const known = new KnownJournals(aged(5_000, []), path);
  expect((await known.names())?.size).toBe(0);
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 10)); // the clock of the file system ticks
    writeFileSync(join(path, String(i)), '');
    expect((await known.names())?.has(String(i))).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 10));
    rmSync(join(path, String(i)));
    expect((await known.names())?.size).toBe(0);
  }
});

test('a change while it is listed, another directory in its place, and none', async () => {
  const path = directory();
  const changing: System = {
    ...aged(5_000, []),
    readdir: async (at) => {
      const entries = await nodeSystem.readdir(at);
      await new Promise((resolve) => setTimeout(resolve, 10));
      writeFileSync(join(path, 'late'), '');
      return entries;
    },
  };
  expect(await new KnownJournals(changing, path).names()).toBeUndefined();
  const known = new KnownJournals(aged(5_000, []), path);
  expect((await known.names())?.has('late')).toBe(true);
  rmSync(path, { recursive: true });
  expect(await known.names()).toBeUndefined();
  mkdirSync(path);
  expect((await known.names())?.size).toBe(0);
});
