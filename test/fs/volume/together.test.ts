/** What happens at the same time in one process: handles beside whole-file functions, and many calls at once. */

import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { findHeader } from '../../../src/envelope/region.ts';
import { addVolumeKey } from '../../../src/keyring/changes.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { failureOf, keys, plainEntries, volumeScratch } from './volumes.ts';

const { open, root, volume } = volumeScratch();

describe('while a handle is open for writing', () => {
  test('everything by path sees what it wrote, synced or not', async () => {
    const sealed = await volume();
    const handle = await sealed.open('f', 'w+');
    await handle.write('unsynced');
    expect(await sealed.readFile('f', 'utf8')).toBe('unsynced');
    expect((await sealed.stat('f')).size).toBe(8);
    expect((await sealed.lstat('f')).size).toBe(8);
    await sealed.copyFile('f', 'copy');
    expect(await sealed.readFile('copy', 'utf8')).toBe('unsynced');
    await sealed.cp('f', 'copy2');
    expect(await sealed.readFile('copy2', 'utf8')).toBe('unsynced');
    await sealed.symlink('f', 'link');
    expect(await sealed.readFile('link', 'utf8')).toBe('unsynced');
    let streamed = '';
    for await (const chunk of sealed.createReadStream('f', 'utf8')) streamed += String(chunk);
    expect(streamed).toBe('unsynced');
    await sealed.appendFile('f', '!');
    await sealed.truncate('f', 3);
    const read = Buffer.alloc(10);
    expect((await handle.read(read, 0, 10, 0)).bytesRead).toBe(3);
    await handle.sync();
    await handle.write('x', 3);
    expect(await sealed.readFile('f', 'utf8')).toBe('unsx');
    await handle.close();
    expect(await sealed.readFile('f', 'utf8')).toBe('unsx');
  });

  test('its times and mode are those that were set last', async () => {
    const sealed = await volume();
    const handle = await sealed.open('f', 'a');
    await handle.write('x');
    await sealed.utimes('f', 1_000, 2_000);
    await sealed.chmod('f', 0o600);
    expect((await sealed.stat('f')).mtimeMs).toBe(2_000_000);
    await handle.close();
    const stats = await sealed.stat('f');
    expect([stats.mtimeMs, stats.mode & 0o777]).toEqual([2_000_000, 0o600]);
    expect(statSync(join(sealed.root, 'f')).mtimeMs).toBe(2_000_000);
  });

  test('a file that is replaced, renamed or removed stays open as it was', async () => {
    const sealed = await volume();
    for (const change of [
      () => sealed.writeFile('f', 'new'),
      () => sealed.writeFile('g', 'new').then(() => sealed.rename('g', 'f')),
      () => sealed.unlink('f'),
      () => sealed.rename('f', 'h'),
    ]) {
      await sealed.writeFile('f', 'old');
      const handle = await sealed.open('f', 'r+');
      await change();
      await handle.write('O', 0);
      const read = Buffer.alloc(3);
      await handle.read(read, 0, 3, 0);
      expect(read.toString()).toBe('Old');
      await handle.close();
      const content = await sealed.readFile('f', 'utf8').catch((error: NodeJS.ErrnoException) => error.code);
      expect(['new', 'ENOENT']).toContain(content);
    }
    expect(await sealed.readFile('h', 'utf8')).toBe('Old');
  });

  test('another volume object on the same root is kept out like another process', async () => {
    const path = await root();
    const [first, second] = [await open(path), await open(path)];
    const handle = await first.open('f', 'a');
    await handle.write('x');
    await handle.sync();
    for (const work of [
      () => second.appendFile('f', 'y'),
      () => second.writeFile('f', 'y'),
      () => second.open('f', 'w'),
    ]) {
      const failure = (await failureOf(work())) as NodeJS.ErrnoException & { holderPid?: number };
      expect([failure.code, failure.holderPid]).toEqual(['EBUSY', process.pid]);
      expect(failure.message).toContain('this process');
    }
    expect(await second.readFile('f', 'utf8')).toBe('x');
    await handle.close();
    await second.appendFile('f', 'y');
    expect(await first.readFile('f', 'utf8')).toBe('xy');
  });
});

describe('many calls at once', () => {
  test('writing the same file: one of them is the last, whole', async () => {
    const sealed = await volume({ durability: 'none' });
    const contents = Array.from({ length: 30 }, (_, i) => String(i).repeat(1 + i * 1_000));
    await Promise.all(contents.map((content) => sealed.writeFile('f', content)));
    expect(contents).toContain(await sealed.readFile('f', 'utf8'));
    expect(plainEntries(sealed.root)).toEqual(['f']);
  });

  test('making the same file: one of them wins', async () => {
    const sealed = await volume({ durability: 'none' });
    const results = await Promise.allSettled(
      Array.from({ length: 20 }, (_, i) => sealed.writeFile('f', String(i), { flag: 'wx' })),
    );
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const result of results) {
      if (result.status === 'rejected') expect((result.reason as NodeJS.ErrnoException).code).toBe('EEXIST');
    }
  });

  test('making the same directories', async () => {
    const sealed = await volume({ durability: 'none' });
    const made = await Promise.all(
      Array.from({ length: 20 }, () => sealed.mkdir('a/b/c/d', { recursive: true })),
    );
    expect(made.filter((first) => first === 'a').length).toBeLessThanOrEqual(1);
    expect((await sealed.stat('a/b/c/d')).isDirectory()).toBe(true);
  });

  test('appending: every line is there', async () => {
    const sealed = await volume({ durability: 'none' });
    await Promise.all(
      Array.from({ length: 100 }, (_, i) => sealed.appendFile('log', `${String(i).padStart(3, '0')}\n`)),
    );
    const lines = (await sealed.readFile('log', 'utf8')).trimEnd().split('\n');
    expect(lines.toSorted()).toEqual(Array.from({ length: 100 }, (_, i) => String(i).padStart(3, '0')));
  });

  test('reading while it is replaced: one content or another', async () => {
    const sealed = await volume({ durability: 'none' });
    const contents = ['a', 'b', 'c'].map((letter, i) => letter.repeat(5 + i * 40_000));
    await sealed.writeFile('f', contents[0] as string);
    let ended = false;
    const writing = (async () => {
      for (let i = 0; i < 60; i++)
        await sealed.writeFile('f', contents[i % 3] as string, { immutable: i % 2 === 0 });
      ended = true;
    })();
    while (!ended) {
      const read = await Promise.all([sealed.readFile('f', 'utf8'), sealed.readFile('f', 'utf8')]);
      for (const content of read) expect(contents.includes(content)).toBe(true);
    }
    await writing;
  });

  test('in hundreds of directories', async () => {
    const sealed = await volume({ durability: 'none' });
    const names = Array.from({ length: 200 }, (_, i) => `d${i % 50}/e${i}/f`);
    await Promise.all(names.map((name) => sealed.outputFile(name, name)));
    expect(await Promise.all(names.map((name) => sealed.readFile(name, 'utf8')))).toEqual(names);
    await Promise.all(names.map((name) => sealed.rename(name, `${name}2`)));
    await Promise.all(names.map((name) => sealed.unlink(`${name}2`)));
    await sealed.rm('d0', { recursive: true });
    await sealed.emptyDir('/');
    expect(plainEntries(sealed.root)).toEqual([]);
  });
});

test('a volume key that another process added is used from the next write on, and known when it is met', async () => {
  const path = await root();
  const [writing, reading] = [await open(path), await open(path)];
  const other = await Keyring.open(nodeSystem, join(path, '.volseal'), {
    providers: [keys],
    withLock: (run) => run(),
  });
  await writing.writeFile('before', 'x');
  await other.change(addVolumeKey());
  other.close();
  const versionOf = (name: string): number | undefined =>
    findHeader(readFileSync(join(path, name))).header.slots[0]?.keyVersion;
  expect(versionOf('before')).toBe(1);
  for (const [name, write] of [
    ['whole', () => writing.writeFile('whole', 'x')],
    ['appended', () => writing.appendFile('appended', 'x')],
    ['copied', () => writing.copyFile('before', 'copied')],
  ] as const) {
    await write();
    expect([name, versionOf(name)]).toEqual([name, 2]);
    // Has not looked at the keyring since it was opened.
    expect(await reading.readFile(name, 'utf8')).toBe('x');
  }
  expect(await reading.readFile('before', 'utf8')).toBe('x');
  expect([writing.keyring.generation, reading.keyring.generation]).toEqual([2, 2]);
});

test('a read beside a large write gets old or new bytes, never any that nobody wrote', async () => {
  const sealed = await volume({ cacheBytes: 64_000_000 });
  const size = 256 * 16_340;
  await sealed.writeFile('f', Buffer.alloc(size, 0xaa));
  const handle = await sealed.open('f', 'r+');
  await handle.readFile();
  const strange = new Set<number>();
  let isWriting = true;
  const watch = async (): Promise<void> => {
    const buffer = Buffer.alloc(1);
    while (isWriting) {
      for (let i = 0; i < 100; i++) {
        for (const at of [0, 127 * 16_340, size - 50 * 16_340, size - 1]) {
          await handle.read(buffer, 0, 1, at);
          if (buffer[0] !== 0xaa && buffer[0] !== 0xbb) strange.add(buffer[0] as number);
        }
      }
      await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const writing = handle.write(Buffer.alloc(size, 0xbb), 0, size, 0).finally(() => (isWriting = false));
  await Promise.all([writing, watch(), watch()]);
  await handle.close();
  expect([...strange]).toEqual([]);
});

test('the size of a file with a journal is known whatever volume key it has', async () => {
  const path = await root();
  const old = await open(path);
  const keyring = await Keyring.open(nodeSystem, join(path, '.volseal'), {
    providers: [keys],
    withLock: (run) => run(),
  });
  await keyring.change(addVolumeKey());
  keyring.close();
  const handle = await (await open(path)).open('g', 'w');
  await handle.write('12345');
  await handle.sync();
  expect((await old.stat('g')).size).toBe(5);
  await handle.close();
});

test('handles of a read-only volume change no attributes', async () => {
  const sealed = await volume();
  await sealed.writeFile('f', 'x', { mode: 0o600 });
  const readonly = await open(sealed.root, { readonly: true });
  const handle = await readonly.open('f');
  const before = statSync(join(sealed.root, 'f'));
  for (const change of [() => handle.chmod(0o666), () => handle.chown(-1, -1), () => handle.utimes(1, 1)]) {
    expect((await failureOf(change())).code).toBe('EROFS');
  }
  await handle.close();
  expect(statSync(join(sealed.root, 'f'))).toMatchObject({ mode: before.mode, mtimeMs: before.mtimeMs });
});
