/** The end of a volume. */

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { bundledProgram, startProgram } from '../../os/child-program.ts';
import { openDescriptors } from '../../sealed/scratch.ts';
import { failureOf, plainEntries, volumeScratch } from './volumes.ts';

const { open, root, volume } = volumeScratch();
const program = bundledProgram(new URL('volume-program.ts', import.meta.url));

/** Every function with arguments that it takes. */
const calls: Readonly<Record<string, (v: Volume) => unknown>> = {
  readFile: (v) => v.readFile('f'),
  writeFile: (v) => v.writeFile('f', 'x'),
  appendFile: (v) => v.appendFile('f', 'x'),
  truncate: (v) => v.truncate('f'),
  open: (v) => v.open('f'),
  createReadStream: (v) => new Promise((_, reject) => v.createReadStream('f').on('error', reject)),
  createWriteStream: (v) => new Promise((_, reject) => v.createWriteStream('f').on('error', reject)),
  stat: (v) => v.stat('f'),
  lstat: (v) => v.lstat('f'),
  access: (v) => v.access('f'),
  exists: (v) => v.exists('f'),
  pathExists: (v) => v.pathExists('f'),
  chmod: (v) => v.chmod('f', 0o600),
  chown: (v) => v.chown('f', -1, -1),
  utimes: (v) => v.utimes('f', 1, 1),
  symlink: (v) => v.symlink('f', 'l'),
  readlink: (v) => v.readlink('l'),
  realpath: (v) => v.realpath('f'),
  rename: (v) => v.rename('f', 'g'),
  move: (v) => v.move('f', 'g'),
  copyFile: (v) => v.copyFile('f', 'g'),
  cp: (v) => v.cp('f', 'g'),
  unlink: (v) => v.unlink('f'),
  readdir: (v) => v.readdir('/'),
  opendir: (v) => v.opendir('/'),
  mkdir: (v) => v.mkdir('d'),
  ensureDir: (v) => v.ensureDir('d'),
  mkdtemp: (v) => v.mkdtemp('d'),
  rmdir: (v) => v.rmdir('d'),
  rm: (v) => v.rm('f'),
  emptyDir: (v) => v.emptyDir('d'),
  outputFile: (v) => v.outputFile('f', 'x'),
  readJson: (v) => v.readJson('f'),
  writeJson: (v) => v.writeJson('f', 1),
};

test('every function is here', async () => {
  const prototype = Object.getPrototypeOf(await volume()) as object;
  const functions = Object.getOwnPropertyNames(prototype).filter(
    (name) => !['constructor', 'keyring', 'close'].includes(name),
  );
  expect(functions.toSorted()).toEqual(Object.keys(calls).toSorted());
});

test('refuses every call afterwards', async () => {
  const closed = await volume({ durability: 'none' });
  await closed.writeFile('f', 'x');
  await closed.close();
  for (const [name, call] of Object.entries(calls)) {
    const failure = await failureOf(Promise.resolve().then(() => call(closed)));
    expect([name, failure.code]).toEqual([name, 'ERR_VOLSEAL_CLOSED']);
  }
  expect(() => closed.keyring).toThrowError(expect.objectContaining({ code: 'ERR_VOLSEAL_CLOSED' }));
  await closed.close();
});

test('is the end of a block that uses the volume', async () => {
  let used: Volume | undefined;
  {
    await using disposed = await volume({ durability: 'none' });
    await disposed.writeFile('f', 'x');
    used = disposed;
  }
  expect((await failureOf(used.readFile('f'))).code).toBe('ERR_VOLSEAL_CLOSED');
});

test('finishes the calls that run', async () => {
  const path = await root();
  const closing = await open(path);
  const data = Buffer.alloc(5_000_000, 'abc');
  const work = Array.from({ length: 8 }, (_, i) => closing.writeFile(`f${i}`, data));
  await closing.close();
  await Promise.all(work);
  const again = await open(path);
  for (let i = 0; i < 8; i++) expect((await again.readFile(`f${i}`)).equals(data)).toBe(true);
});

test('syncs and closes handles that are open; they refuse afterwards', async () => {
  const path = await root();
  const closing = await open(path);
  const handle = await closing.open('log', 'a');
  await handle.write('line\n');
  await closing.close();
  expect((await failureOf(handle.write('more'))).code).toBe('EBADF');
  await handle.close();
  expect(readdirSync(join(path, '.volseal/journal'))).toEqual([]);
  expect(await (await open(path)).readFile('log', 'utf8')).toBe('line\n');
});

test('a write stream that was ended finishes, one that was not leaves nothing', async () => {
  const path = await root();
  const closing = await open(path);
  const [ended, left] = [closing.createWriteStream('ended'), closing.createWriteStream('left')];
  const leftError = new Promise<NodeJS.ErrnoException>((resolve) => left.on('error', resolve));
  ended.end('x'.repeat(3_000_000));
  left.write('y'.repeat(3_000_000));
  const startedMs = performance.now();
  await closing.close();
  expect(performance.now() - startedMs).toBeLessThan(2_900);
  expect((await leftError).code).toBe('ERR_VOLSEAL_CLOSED');
  expect(plainEntries(path)).toEqual(['ended']);
  expect((await (await open(path)).readFile('ended')).length).toBe(3_000_000);
});

test('does not wait for ever for the data of others', async () => {
  const path = await root();
  const closing = await open(path);
  await closing.writeFile('f', 'old');
  const hanging = async function* (): AsyncGenerator<string> {
    yield 'x';
    await new Promise(() => {});
  };
  const failing = failureOf(closing.writeFile('f', hanging()));
  const startedMs = performance.now();
  await closing.close();
  expect(performance.now() - startedMs).toBeLessThan(4_900);
  expect((await failing).name).toBe('AbortError');
  expect(plainEntries(path)).toEqual(['f']);
  expect(await (await open(path)).readFile('f', 'utf8')).toBe('old');
});

test.skipIf(process.platform !== 'linux')('leaves no descriptor open, whatever failed before', async () => {
  const path = await root();
  const before = openDescriptors().toSorted();
  const used = await open(path);
  for (let i = 0; i < 40; i++) await used.outputFile(`d${i}/e/f`, 'x');
  await used.writeFile('top', 'x'.repeat(100_000));
  await used.writeFile('once', 'x'.repeat(100_000), { immutable: true });
  for (const [name, call] of Object.entries(calls)) {
    if (name.startsWith('create')) continue;
    await Promise.resolve()
      .then(() => call(used))
      .then((result) => (result as { close?: () => Promise<void> } | undefined)?.close?.())
      .catch(() => {});
  }
  for (const wrong of ['none', 'none/x', 'top/x', '../x', 'd0', '']) {
    for (const call of [
      () => used.readFile(wrong),
      () => used.writeFile(wrong, 'x'),
      () => used.stat(wrong),
      () => used.copyFile(wrong, 'z'),
      () => used.open(wrong),
    ]) {
      await call()
        .then((result) => (result as { close?: () => Promise<void> } | undefined)?.close?.())
        .catch(() => {});
    }
  }
  await used.cp('d1', 'd2', { recursive: true });
  await used.emptyDir('/');
  // What is kept open meanwhile is bounded.
  expect(openDescriptors().length - before.length).toBeLessThan(20);
  await used.close();
  expect(openDescriptors().toSorted()).toEqual(before);
});

test('keeps no process alive: it ends by itself with a volume, handles and streams open', async () => {
  const child = startProgram(program, 'leave-open', await root());
  let said = '';
  child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const [code] = (await once(child, 'close')) as [number];
  expect([code, said]).toEqual([0, 'left\n']);
});
