/** fs-extra on a plain directory as the oracle for the functions that are its own. */

import { mkdirSync } from 'node:fs';
import fsExtra from 'fs-extra';
import { beforeEach, describe, expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { entriesBelow, type FileApi } from './file-system-operations.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { fresh, volume } = volumeScratch();

interface ExtraApi {
  emptyDir(path: string): Promise<unknown>;
  ensureDir(path: string, options?: number | { mode?: number }): Promise<unknown>;
  move(from: string, to: string, options?: { overwrite?: boolean }): Promise<void>;
  outputFile(path: string, data: string | Uint8Array, options?: BufferEncoding): Promise<void>;
  pathExists(path: string): Promise<boolean>;
  readJson(path: string, options?: object | BufferEncoding): Promise<unknown>;
  writeJson(path: string, value: unknown, options?: object): Promise<void>;
  readFile(path: string, encoding: 'utf8'): Promise<string>;
  writeFile(path: string, data: string): Promise<void>;
  mkdir(path: string, options?: { recursive?: boolean }): Promise<unknown>;
  symlink(target: string, path: string): Promise<void>;
  stat(path: string): Promise<{ mode: number }>;
}

let sealed: Volume;
let base: string;

beforeEach(async () => {
  sealed = await volume({ durability: 'none' });
  base = `${fresh()}/`;
  mkdirSync(base);
});

type Step = (api: ExtraApi, at: (path: string) => string) => Promise<unknown>;

async function outcome(api: ExtraApi, prefix: string, step: Step): Promise<unknown> {
  try {
    const value = await step(api, (path) => prefix + path);
    return { value: typeof value === 'string' ? value.replace(prefix, '') : value };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // fs-extra's own errors have no code; their words are part of ours.
    return code === undefined ? { words: message.replaceAll(prefix, '') } : { code };
  }
}

/** Runs the steps on both and compares what each comes to, and what is there afterwards. */
async function same(...steps: Step[]): Promise<void> {
  const plain = fsExtra as unknown as ExtraApi;
  const ours = sealed as unknown as ExtraApi;
  for (const [index, step] of steps.entries()) {
    const expected = (await outcome(plain, base, step)) as { words?: string };
    if (expected.words === undefined) {
      expect([index, await outcome(ours, '', step)]).toEqual([index, expected]);
    } else {
      const failure = await failureOf(step(ours, (path) => path));
      expect(failure.message).toContain(expected.words);
      expect(failure.syscall).toBeDefined();
    }
  }
  const tree = async (api: ExtraApi, prefix: string): Promise<string[]> => {
    const entries = await entriesBelow(api as unknown as FileApi, `${prefix}.`);
    return entries
      .map(({ name, parentPath }) => `${parentPath}/${name}`.replace(prefix, '').replace(/^\.\//, ''))
      .toSorted();
  };
  expect(await tree(ours, '')).toEqual(await tree(plain, base));
}

test('outputFile makes the directories', async () => {
  await same(
    (api, at) => api.outputFile(at('a/b/c'), 'one'),
    (api, at) => api.readFile(at('a/b/c'), 'utf8'),
    (api, at) => api.outputFile(at('a/b/c'), 'dHdv', 'base64'),
    (api, at) => api.readFile(at('a/b/c'), 'utf8'),
    (api, at) => api.outputFile(at('top'), Buffer.from('x')),
    (api, at) => api.outputFile(at('a/b'), 'a directory'),
    (api, at) =>
      api.outputFile(at('top/x/y'), 'below a file').catch((error: NodeJS.ErrnoException) => ({
        code: error.code === 'EEXIST' ? 'ENOTDIR' : error.code,
      })),
  );
});

test('ensureDir', async () => {
  await same(
    (api, at) => api.ensureDir(at('a/b/c')),
    (api, at) => api.ensureDir(at('a/b/c')),
    (api, at) => api.ensureDir(at('d'), { mode: 0o700 }),
    async (api, at) => ((await api.stat(at('d'))).mode & 0o777).toString(8),
    (api, at) => api.ensureDir(at('e'), 0o750),
    async (api, at) => ((await api.stat(at('e'))).mode & 0o777).toString(8),
    (api, at) => api.writeFile(at('f'), ''),
    (api, at) => api.ensureDir(at('f')),
  );
});

test('emptyDir', async () => {
  await same(
    (api, at) => api.outputFile(at('a/b/c'), 'x'),
    (api, at) => api.outputFile(at('a/d'), 'x'),
    (api, at) => api.symlink('d', at('a/link')),
    async (api, at) => void (await api.emptyDir(at('a'))),
    async (api, at) => void (await api.emptyDir(at('a'))),
    async (api, at) => void (await api.emptyDir(at('new/one'))),
    (api, at) => api.writeFile(at('f'), ''),
    (api, at) => api.emptyDir(at('f')),
  );
});

test('pathExists', async () => {
  await same(
    (api, at) => api.pathExists(at('a')),
    (api, at) => api.outputFile(at('a/b'), 'x'),
    (api, at) => api.pathExists(at('a')),
    (api, at) => api.pathExists(at('a/b')),
    (api, at) => api.pathExists(at('a/b/c')),
    (api, at) => api.symlink('nothing', at('dangling')),
    (api, at) => api.pathExists(at('dangling')),
    (api) => api.pathExists('with\0null'),
  );
});

describe('move', () => {
  beforeEach(async () => {
    for (const [api, prefix] of [
      [fsExtra as unknown as ExtraApi, base],
      [sealed as unknown as ExtraApi, ''],
    ] as const) {
      await api.outputFile(`${prefix}dir/sub/f`, 'deep');
      await api.outputFile(`${prefix}other/g`, 'g');
      await api.writeFile(`${prefix}one`, '1');
      await api.writeFile(`${prefix}two`, '2');
    }
  });

  test.each([
    ['to a new name', 'one', 'three', undefined],
    ['into directories that are not there', 'one', 'x/y/z', undefined],
    ['of a directory', 'dir', 'moved/dir', undefined],
    ['onto a file', 'one', 'two', undefined],
    ['over a file', 'one', 'two', { overwrite: true }],
    ['over a directory', 'dir', 'other', { overwrite: true }],
    ['onto a directory', 'dir', 'other', undefined],
    ['of a file onto a directory', 'one', 'dir', { overwrite: true }],
    ['of a directory onto a file', 'dir', 'one', { overwrite: true }],
    ['onto itself', 'one', 'one', undefined],
    ['onto itself, over', 'one', './one', { overwrite: true }],
    ['into itself', 'dir', 'dir/sub/dir', undefined],
    ['of nothing', 'none', 'x', undefined],
  ] as const)('%s', async (_, from, to, options) => {
    await same((api, at) => api.move(at(from), at(to), options));
    for (const path of [
      'one',
      'two',
      'three',
      'x/y/z',
      'dir/sub/f',
      'moved/dir/sub/f',
      'other/g',
      'other/sub/f',
    ]) {
      const [expected, found] = await Promise.all([
        fsExtra.readFile(base + path, 'utf8').catch((error: NodeJS.ErrnoException) => error.code),
        sealed.readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => error.code),
      ]);
      expect([path, found]).toEqual([path, expected]);
    }
  });

  test('into itself through a link', async () => {
    await same(
      (api, at) => api.symlink('dir/sub', at('link')),
      (api, at) => api.move(at('dir'), at('link/dir')),
    );
  });
});

describe('JSON', () => {
  test.each([
    [undefined],
    [{ spaces: 2 }],
    [{ spaces: '\t', EOL: '\r\n' }],
    [{ finalEOL: false }],
    [{ replacer: ['a'] }],
    [{ replacer: (key: string, value: unknown) => (key === 'b' ? undefined : value) }],
  ])('is written as fs-extra writes it: %j', async (options) => {
    const value = { a: [1, 'zwei', null], b: { c: true }, d: 'ä' };
    await same(
      (api, at) => api.writeJson(at('f'), value, options),
      (api, at) => api.readFile(at('f'), 'utf8'),
      (api, at) => api.readJson(at('f')),
      (api, at) =>
        api.readJson(at('f'), { reviver: (key: string, v: unknown) => (key === 'c' ? 'revived' : v) }),
    );
  });

  test('with a byte-order mark, in another encoding, not JSON', async () => {
    await same(
      (api, at) => api.writeFile(at('bom'), '\ufeff{"a":1}'),
      (api, at) => api.readJson(at('bom')),
      (api, at) => api.writeFile(at('bad'), '{"a": tru'),
      (api, at) => api.readJson(at('bad'), { throws: false }),
      async (api, at) => (await failureOf(api.readJson(at('bad')))).name,
      async (api, at) => (await failureOf(api.readJson(at('none'), { throws: false }))).code,
      async (api, at) => (await failureOf(api.writeJson(at('none'), undefined))).name,
    );
  });

  test('an error about it names the file and quotes nothing of it', async () => {
    await sealed.writeFile('secret.json', 'my-password-is-hunter2');
    const failure = await failureOf(sealed.readJson('secret.json'));
    expect(failure).toBeInstanceOf(SyntaxError);
    expect(failure.message).toMatch(/^secret\.json: not valid JSON/);
    expect(`${failure.message} ${failure.stack}`).not.toMatch(/password|hunter/);
    expect(failure.cause).toBeUndefined();
  });
});
