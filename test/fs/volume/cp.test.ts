/** `cp` against that of `node:fs/promises`: trees, links, filters, and what is refused. */

import { mkdirSync, promises as plain, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';

import type { CpOptions } from '../../../src/fs/volume/volume-types.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { entriesBelow, type FileApi } from './file-system-operations.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { fresh, volume } = volumeScratch();

let sealed: Volume;
let base: string;
let sides: readonly (readonly [FileApi, string])[];

beforeEach(async () => {
  sealed = await volume({ durability: 'none' });
  base = `${fresh()}/`;
  mkdirSync(base);
  sides = [
    [plain as FileApi, base],
    [sealed as unknown as FileApi, ''],
  ];
  for (const [api, at] of sides) {
    await api.mkdir(`${at}from/deep/er`, { recursive: true });
    for (const path of ['from/a', 'from/b', 'from/deep/c', 'from/deep/er/d'])
      await api.writeFile(at + path, path);
    await api.symlink('a', `${at}from/link`);
    await api.symlink('../b', `${at}from/deep/up`);
    await api.mkdir(`${at}to/deep`, { recursive: true });
    await api.writeFile(`${at}to/a`, 'older');
    await api.writeFile(`${at}to/other`, 'other');
    await api.chmod(`${at}from/deep`, 0o750);
    await api.chmod(`${at}from/a`, 0o640);
    await api.utimes(`${at}from/a`, 1_000, 2_000);
  }
});

async function treeOf(api: FileApi, at: string): Promise<unknown> {
  const entries = await entriesBelow(api, `${at}.`);
  const lines = entries.map(async (entry) => {
    const path = join(entry.parentPath, entry.name);
    const name = path.slice(at.length);
    if (entry.isSymbolicLink()) return `${name} -> ${await api.readlink(path)}`;
    const { mode } = await api.stat(path);
    return entry.isFile() ? `${name} ${mode} ${await api.readFile(path, 'utf8')}` : `${name}/ ${mode}`;
  });
  return (await Promise.all(lines)).toSorted();
}

/** Both come to the same, and leave the same. */
async function same(from: string, to: string, options: CpOptions): Promise<void> {
  const [expected, found] = await Promise.all(
    sides.map(async ([api, at]) => {
      try {
        await api.cp(at + from, at + to, options as object);
        return 'done';
      } catch (error) {
        const { code, message, path, syscall } = error as NodeJS.ErrnoException;
        return [code, syscall, path?.replaceAll(base, ''), message.replaceAll(base, '')];
      }
    }),
  );
  expect(found).toEqual(expected);
  const [plainTree, sealedTree] = await Promise.all(sides.map(([api, at]) => treeOf(api, at)));
  expect(sealedTree).toEqual(plainTree);
}

describe('the same as in Node', () => {
  test.each<[string, string, string, CpOptions]>([
    ['a file', 'from/a', 'new', {}],
    ['a file into directories that are not there', 'from/a', 'x/y/z', {}],
    ['over a file', 'from/a', 'to/a', {}],
    ['not over a file', 'from/a', 'to/a', { force: false }],
    ['not over a file, and said', 'from/a', 'to/a', { force: false, errorOnExist: true }],
    ['a file, exclusively', 'from/a', 'new', { mode: 1 }],
    ['a tree to a new place', 'from', 'new', { recursive: true, verbatimSymlinks: true }],
    ['a tree over another', 'from', 'to', { recursive: true, verbatimSymlinks: true }],
    ['a tree beside what is there', 'from', 'to', { recursive: true, force: false, verbatimSymlinks: true }],
    ['without recursive', 'from', 'new', {}],
    ['a tree with what links lead to', 'from', 'new', { recursive: true, dereference: true }],
    ['onto itself', 'from/a', './from/a', {}],
    ['into itself', 'from', 'from/deep/new', { recursive: true }],
    ['a tree onto a file', 'from', 'to/a', { recursive: true }],
    ['a file onto a tree', 'from/a', 'to', {}],
    ['only some', 'from', 'new', { recursive: true, filter: (source) => !/deep|link/.test(source) }],
    [
      'only some, asked slowly',
      'from',
      'new',
      { recursive: true, filter: async (source) => !/deep|link/.test(source) },
    ],
    ['nothing', 'from', 'new', { recursive: true, filter: () => false }],
    ['a link by itself', 'from/link', 'new', { verbatimSymlinks: true }],
  ])('%s', async (_, from, to, options) => {
    await same(from, to, options);
  });
});

describe('times and modes', () => {
  test('are those of the original when they are to be kept', async () => {
    await sealed.cp('from', 'new', { recursive: true, preserveTimestamps: true });
    const stats = await sealed.stat('new/a');
    expect([stats.mtimeMs, stats.atimeMs, stats.mode & 0o777]).toEqual([2_000_000, 1_000_000, 0o640]);
    expect((await sealed.stat('new/deep')).mode & 0o777).toBe(0o750);
  });
});

describe('links', () => {
  test('of a copied tree lead to where the original ones lead', async () => {
    await sealed.cp('from', 'x/new', { recursive: true });
    expect(await sealed.readlink('x/new/link')).toBe('../../from/a');
    expect(await sealed.readlink('x/new/deep/up')).toBe('../../../from/b');
    await sealed.writeFile('from/a', 'changed');
    expect(await sealed.readFile('x/new/link', 'utf8')).toBe('changed');
  });

  test('are replaced by links', async () => {
    await sealed.symlink('other', 'to/link');
    await sealed.cp('from/link', 'to/link', {});
    expect(await sealed.readlink('to/link')).toBe('../from/a');
    expect(await sealed.readFile('to/other', 'utf8')).toBe('other');
  });

  test('are not written through: a file that is copied onto one takes its place', async () => {
    await sealed.symlink('other', 'to/link');
    await sealed.cp('from/a', 'to/link');
    expect((await sealed.lstat('to/link')).isFile()).toBe(true);
    expect(await sealed.readFile('to/other', 'utf8')).toBe('other');
  });
});

describe('a copy', () => {
  test('has a data key of its own, and the kind of its original', async () => {
    const content = 'x'.repeat(100_000);
    await sealed.writeFile('once', content, { immutable: true, context: { a: 'b' } });
    await sealed.writeFile('mutable', content, { context: { a: 'b' } });
    for (const name of ['once', 'mutable']) {
      await sealed.copyFile(name, `${name}-copy`);
      await sealed.cp(name, `${name}-cp`);
      const read = (path: string): Buffer => readFileSync(join(sealed.root, path));
      const ids = [name, `${name}-copy`, `${name}-cp`].map((path) => read(path).toString('hex', 28, 44));
      expect(new Set(ids).size).toBe(3);
      for (const path of [`${name}-copy`, `${name}-cp`]) {
        expect(read(path)[16]).toBe(read(name)[16]); // the kind of the body
        expect(read(path).subarray(4_096).equals(read(name).subarray(4_096))).toBe(false);
        expect(await sealed.readFile(path, { encoding: 'utf8', context: { a: 'b' } })).toBe(content);
      }
    }
    const clone = await failureOf(sealed.copyFile('once', 'clone', 4));
    expect(clone.code).toBe('ENOTSUP');
    expect(clone.message).toContain('data key of its own');
  });

  test('onto itself is nothing', async () => {
    const before = readFileSync(join(sealed.root, 'from/a'));
    await sealed.copyFile('from/a', 'from/a');
    await sealed.copyFile('from/link', 'from/a');
    expect(readFileSync(join(sealed.root, 'from/a')).equals(before)).toBe(true);
  });

  test('of a directory is refused, and what is at the destination stays', async () => {
    expect((await failureOf(sealed.copyFile('from', 'to/a'))).code).toBe('EISDIR');
    expect(await sealed.readFile('to/a', 'utf8')).toBe('older');
  });
});
