/** How many system calls reading and writing a whole file take, with warm caches. */

import { expect, test } from 'vitest';

import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { volumeScratch } from './volumes.ts';

const { open, root } = volumeScratch();

const counted: string[] = [];
const counting = Object.fromEntries(
  Object.entries(nodeSystem).map(([name, call]) => [
    name,
    (...args: unknown[]): unknown => {
      counted.push(name);
      return (call as (...args: unknown[]) => unknown)(...args);
    },
  ]),
) as unknown as System;

async function callsOf(work: () => Promise<unknown>): Promise<string[]> {
  await work(); // warm
  counted.length = 0;
  await work();
  return [...counted];
}

/** Nobody has changed it for longer than the clock of the file system is coarse. */
const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 2_050));

test('reading', async () => {
  const path = await root();
  const volume = await open(path, { durability: 'none' }, counting);
  await volume.mkdir('d');
  await volume.writeFile('small', 'x'.repeat(1_024));
  await volume.writeFile('d/small', 'x'.repeat(16_340));
  await volume.writeFile('once', 'x'.repeat(1_024), { immutable: true });
  await volume.writeFile('large', Buffer.alloc(3_000_000));
  const plain = ['open', 'fstat', 'read', 'close'];
  // While journals come and go: at most three more than a plain read.
  const changing = await callsOf(() => volume.readFile('small'));
  expect(changing.toSorted()).toEqual(['access', 'close', 'lookAgain', 'open', 'pathOf', 'read', 'read']);
  expect(changing).toHaveLength(plain.length + 3);
  await settled();
  for (const name of ['small', 'd/small', 'once']) {
    const calls = await callsOf(() => volume.readFile(name));
    expect(calls.toSorted()).toEqual(['close', 'lookAgain', 'open', 'pathOf', 'read']);
  }
  // A large one is read a MiB at a time, beside its start; Node reads 512 KiB at a time.
  const large = await callsOf(() => volume.readFile('large'));
  expect(large.filter((name) => name === 'read')).toHaveLength(1 + 3);
  expect(large.filter((name) => name !== 'read').toSorted()).toEqual([
    'close',
    'lookAgain',
    'open',
    'pathOf',
  ]);
});

test('writing', async () => {
  const path = await root();
  const volume = await open(path, {}, counting);
  await volume.mkdir('d');
  let name = 0;
  const made = await callsOf(() => volume.writeFile(`d/${name++}`, 'x'.repeat(1_024)));
  const recipe = ['open', 'writev', 'fsync', 'rename', 'close', 'open', 'fsync', 'close'];
  // Beside the recipe: the keyring, the directory, what is there.
  expect(made.toSorted()).toEqual([...recipe, 'lookAgain', 'lstat', 'pathOf'].toSorted());
  expect(made.filter((call) => call === 'fsync')).toHaveLength(2);
  const replaced = await callsOf(() => volume.writeFile('d/0', 'y'));
  // Locking out whoever else writes to it, and its journal.
  expect(replaced.length - made.length).toBeLessThanOrEqual(12);
});

test('without durability nothing is synced, unless a call asks for it', async () => {
  const volume = await open(await root(), { durability: 'none' }, counting);
  const syncs = async (work: () => Promise<unknown>): Promise<number> =>
    (await callsOf(work)).filter((call) => call === 'fsync' || call === 'fdatasync').length;
  expect(await syncs(() => volume.writeFile('f', 'x'))).toBe(0);
  expect(await syncs(() => volume.appendFile('f', 'x'))).toBe(0);
  expect(await syncs(() => volume.ensureDir('a/b'))).toBe(0);
  expect(await syncs(() => volume.writeFile('f', 'x', { flush: true }))).toBe(2);
  expect(
    await syncs(
      () =>
        new Promise((resolve) =>
          volume.createWriteStream('f', { flush: true }).on('close', resolve).end('x'),
        ),
    ),
  ).toBe(2);
});
