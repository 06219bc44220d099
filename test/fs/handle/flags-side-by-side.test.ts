/** Opening with every flag, whatever lies there, beside node:fs: the same results, errors and positions. */

import { constants, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { scratch } from '../../sealed/scratch.ts';
import { type AnyHandle, outcomeOf } from './operations.ts';
import { SealedFiles } from './sealed-files.ts';

const { at, directory } = scratch();
const { O_APPEND, O_CREAT, O_DIRECTORY, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR, O_SYNC, O_TRUNC, O_WRONLY } =
  constants;

const named = ['r', 'rs', 'r+', 'rs+', 'w', 'wx', 'w+', 'wx+', 'a', 'ax', 'a+', 'ax+', 'as', 'as+'];
const numbers: Readonly<Record<string, number>> = {
  RDONLY: O_RDONLY,
  'RDONLY|CREAT': O_RDONLY | O_CREAT,
  'RDONLY|CREAT|EXCL': O_RDONLY | O_CREAT | O_EXCL,
  'RDONLY|TRUNC': O_RDONLY | O_TRUNC,
  'RDONLY|DIRECTORY': O_RDONLY | O_DIRECTORY,
  'RDWR|CREAT': O_RDWR | O_CREAT,
  'RDWR|EXCL': O_RDWR | O_EXCL,
  'RDWR|TRUNC': O_RDWR | O_TRUNC,
  'RDWR|NOFOLLOW': O_RDWR | O_NOFOLLOW,
  'WRONLY|APPEND': O_WRONLY | O_APPEND,
  'WRONLY|CREAT|APPEND|TRUNC': O_WRONLY | O_CREAT | O_APPEND | O_TRUNC,
  'RDWR|SYNC': O_RDWR | O_SYNC,
};
const allFlags: readonly (readonly [string, string | number])[] = [
  ...named.map((name) => [name, name] as const),
  ...Object.entries(numbers),
];

const places = [
  'file',
  'empty',
  'missing',
  'directory',
  'missing/file',
  'file/file',
  'n'.repeat(256),
] as const;

let sealed: SealedFiles;
let count = 0;

beforeAll(async () => {
  sealed = await SealedFiles.in(directory);
});
afterAll(async () => sealed.close());

/** The same things under two roots, one of them sealed. */
async function furnish(): Promise<{ name: string; plainRoot: string }> {
  const name = `case-${count++}`;
  const plainRoot = at(`plain-${name}`);
  for (const root of [plainRoot, at(name)]) {
    mkdirSync(join(root, 'directory'), { recursive: true });
  }
  writeFileSync(join(plainRoot, 'file'), 'some content');
  writeFileSync(join(plainRoot, 'empty'), '');
  await sealed.write(`${name}/file`, 'some content');
  await sealed.write(`${name}/empty`, '');
  return { name, plainRoot };
}

/** What a program does with what it opened, with everything that it sees. */
async function useHandle(handle: AnyHandle): Promise<unknown[]> {
  const both = handle as FileHandle;
  const text = async (bytes: number, position?: number): Promise<string> => {
    const { bytesRead, buffer } = await both.read(Buffer.alloc(bytes), 0, bytes, position);
    return buffer.toString('latin1', 0, bytesRead);
  };
  const steps: (() => Promise<unknown>)[] = [
    async () => (await both.stat()).isDirectory(),
    () => text(4),
    async () => (await both.write('WXYZ')).bytesWritten,
    () => text(3),
    async () => (await both.write('!', 30)).bytesWritten,
    () => text(40, 0),
    () => both.truncate(7),
    async () => (await both.write('+')).bytesWritten,
    () => text(50, 0),
    () => text(50),
    () => both.appendFile('end'),
    () => both.sync(),
    () => both.datasync(),
    () => both.chmod(0o640),
    async () => (await both.stat()).mode.toString(8),
    () => both.utimes(1_000, 2_000),
    async () => (await both.stat()).mtimeMs,
    async () => ((await both.stat()).isDirectory() ? 0 : (await both.stat()).size),
    () => both.close(),
  ];
  const seen: unknown[] = [];
  for (const step of steps) seen.push(await outcomeOf(step));
  return seen;
}

const saidOf = (error: unknown): unknown => {
  const { code, errno, message, path, syscall } = error as NodeJS.ErrnoException;
  return { code, errno, syscall, message, path };
};

describe.each(allFlags)('flag %s', (_name, flags) => {
  test.each(places)('on %s', async (place) => {
    const { name, plainRoot } = await furnish();
    const plainPath = join(plainRoot, place);
    const path = `${name}/${place}`;
    const plain = await open(plainPath, flags).catch(saidOf);
    const ours = await sealed.open(path, flags).catch(saidOf);
    if (!('fd' in (plain as object))) {
      // The names that were given differ; what is said must not.
      expect(ours).toEqual(JSON.parse(JSON.stringify(plain).replaceAll(plainPath, path)));
      return;
    }
    expect(ours).toHaveProperty('fd');
    expect(await useHandle(ours as AnyHandle)).toEqual(await useHandle(plain as AnyHandle));
    const left = async (handle: AnyHandle): Promise<string> => {
      const content = String(await (handle as FileHandle).readFile());
      await handle.close();
      return content;
    };
    if (place === 'directory') return;
    expect(await left(await sealed.open(path))).toBe(await left(await open(plainPath)));
  });
});

test('a symbolic link as the last part is not followed', async () => {
  const { name } = await furnish();
  symlinkSync('file', at(`${name}/link`));
  symlinkSync('missing', at(`${name}/dangling`));
  for (const flags of ['r', 'r+', 'a', 'w'] as const) {
    await expect(sealed.open(`${name}/link`, flags)).rejects.toMatchObject({
      code: 'ELOOP',
      path: `${name}/link`,
    });
    await expect(sealed.open(`${name}/dangling`, flags)).rejects.toMatchObject({ code: 'ELOOP' });
  }
  await expect(sealed.open(`${name}/dangling`, 'wx')).rejects.toMatchObject({ code: 'EEXIST' });
});

test.each(allFlags)('the mode of a new file, flag %s', async (_name, flags) => {
  const { name, plainRoot } = await furnish();
  for (const mode of [undefined, 0o600, 0o444, '755', 0o777]) {
    const file = `new-${mode}`;
    const plain = await open(join(plainRoot, file), flags, mode).catch(() => undefined);
    const ours = await sealed.open(`${name}/${file}`, flags, mode).catch(() => undefined);
    expect((await ours?.stat())?.mode).toBe((await plain?.stat())?.mode);
    await plain?.close();
    await ours?.close();
  }
});

test('nothing is left behind', async () => {
  expect(sealed.files.size).toBe(0);
  expect(sealed.remains()).toEqual([]);
});
