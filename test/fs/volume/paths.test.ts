/** Paths that would leave the volume, and names that do not exist for its API. */

import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';

import { isHidden, pathText, splitPath } from '../../../src/fs/volume/path-rules.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { temporaryName } from '../../../src/os/temporary-name.ts';
import { failureOf, volumeScratch, withoutDescriptorPaths } from './volumes.ts';

const { fresh, volume } = volumeScratch();

type Call = readonly [name: string, call: (volume: Volume, path: string) => Promise<unknown>];

const looking: readonly Call[] = [
  ['readFile', (v, p) => v.readFile(p)],
  ['open r', async (v, p) => (await v.open(p)).close()],
  ['open r+', async (v, p) => (await v.open(p, 'r+')).close()],
  ['stat', (v, p) => v.stat(p)],
  ['access', (v, p) => v.access(p)],
  ['readdir', (v, p) => v.readdir(p)],
  ['opendir', (v, p) => v.opendir(p)],
  ['realpath', (v, p) => v.realpath(p)],
  ['truncate', (v, p) => v.truncate(p)],
  ['chmod', (v, p) => v.chmod(p, 0o777)],
  ['chown', (v, p) => v.chown(p, -1, -1)],
  ['utimes', (v, p) => v.utimes(p, 1, 1)],
  ['copyFile from', (v, p) => v.copyFile(p, 'copy')],
  ['cp from, following', (v, p) => v.cp(p, 'copy', { dereference: true, recursive: true })],
];
const entering: readonly Call[] = [
  ['lstat', (v, p) => v.lstat(p)],
  ['readlink', (v, p) => v.readlink(p)],
  ['unlink', (v, p) => v.unlink(p)],
  ['rmdir', (v, p) => v.rmdir(p)],
  ['rm', (v, p) => v.rm(p, { recursive: true })],
  ['rename from', (v, p) => v.rename(p, 'moved')],
  ['move from', (v, p) => v.move(p, 'moved')],
];
const making: readonly Call[] = [
  ['writeFile', (v, p) => v.writeFile(p, 'x')],
  ['writeFile wx', (v, p) => v.writeFile(p, 'x', { flag: 'wx' })],
  ['appendFile', (v, p) => v.appendFile(p, 'x')],
  ['open w', async (v, p) => (await v.open(p, 'w')).close()],
  ['open a', async (v, p) => (await v.open(p, 'a')).close()],
  ['open wx', async (v, p) => (await v.open(p, 'wx')).close()],
  ['mkdir', (v, p) => v.mkdir(p)],
  ['mkdir recursive', (v, p) => v.mkdir(p, { recursive: true })],
  ['symlink', (v, p) => v.symlink('file', p)],
  ['rename to', (v, p) => v.rename('file', p)],
  ['copyFile to', (v, p) => v.copyFile('file', p)],
  ['cp to', (v, p) => v.cp('directory', p, { recursive: true })],
  ['outputFile', (v, p) => v.outputFile(p, 'x')],
  ['writeJson', (v, p) => v.writeJson(p, 1)],
  [
    'createWriteStream',
    (v, p) =>
      new Promise((resolve, reject) => {
        v.createWriteStream(p).on('error', reject).on('finish', resolve).end('x');
      }),
  ],
];
const all = [...looking, ...entering, ...making];

const systems: readonly (readonly [string, System])[] = [
  ['by descriptors', nodeSystem],
  ['by real paths', withoutDescriptorPaths],
];

describe.each(systems)('%s', (_, system) => {
  let sealed: Volume;
  let outside: string;

  /** Everything outside, to see that nothing of it changed. */
  const outsideState = (): unknown =>
    readdirSync(outside, { recursive: true, encoding: 'utf8' })
      .toSorted()
      .map((name) => {
        const path = join(outside, name);
        const { mode, mtimeMs } = lstatSync(path);
        return [name, mode, mtimeMs, statSync(path).isFile() ? readFileSync(path, 'utf8') : ''];
      });

  beforeEach(async () => {
    sealed = await volume({ durability: 'none' }, {}, system);
    outside = fresh();
    mkdirSync(join(outside, 'inner'), { recursive: true });
    writeFileSync(join(outside, 'secret'), 'outside', { mode: 0o640 });
    writeFileSync(join(outside, 'inner/f'), 'outside');
    await sealed.writeFile('file', 'inside');
    await sealed.mkdir('directory');
    await sealed.writeFile('directory/inner', 'inside');
  });

  describe('a path that climbs above the root', () => {
    test.each(all)('%s', async (name, call) => {
      const before = outsideState();
      const up = `../${outside.split('/').at(-1)}`;
      for (const path of ['..', '../x', '/..', `${up}/secret`, `directory/../${up}`, 'directory/../../x']) {
        const failure = await failureOf(call(sealed, path));
        expect([name, path, failure.code]).toEqual([name, path, 'ERR_VOLSEAL_OUTSIDE_VOLUME']);
        expect(failure.message).not.toContain(sealed.root);
      }
      expect(outsideState()).toEqual(before);
    });
  });

  describe('a link that leads outside', () => {
    beforeEach(() => {
      symlinkSync(outside, join(sealed.root, 'absolute'));
      symlinkSync(`../${outside.split('/').at(-1)}`, join(sealed.root, 'chain'));
      symlinkSync('chain', join(sealed.root, 'second'));
      symlinkSync(join(outside, 'secret'), join(sealed.root, 'to-file'));
      symlinkSync(join(outside, 'nothing'), join(sealed.root, 'dangling'));
      symlinkSync('.', join(sealed.root, 'here'));
    });

    test.each([...looking, ['opening to write', (v, p) => v.writeFile(p, 'x')] as Call])(
      'is not followed at the end: %s',
      async (name, call) => {
        const before = outsideState();
        for (const path of ['absolute', 'chain', 'second', 'to-file', 'absolute/', 'here/to-file']) {
          if (name === 'cp from, following' && path !== 'to-file') continue;
          const { code } = await failureOf(call(sealed, path));
          const codes = path.startsWith('absolute/') && name === 'opening to write' ? ['EISDIR'] : [];
          expect(['ERR_VOLSEAL_OUTSIDE_VOLUME', ...codes]).toContain(code);
        }
        expect(outsideState()).toEqual(before);
      },
    );

    test.each(all)('is not followed on the way: %s', async (name, call) => {
      const before = outsideState();
      for (const path of [
        'absolute/secret',
        'chain/secret',
        'second/secret',
        'absolute/inner/f',
        'here/absolute/secret',
      ]) {
        const { code } = await failureOf(call(sealed, path));
        expect([name, path, code]).toEqual([name, path, 'ERR_VOLSEAL_OUTSIDE_VOLUME']);
      }
      expect(outsideState()).toEqual(before);
    });

    test('to nothing makes nothing there', async () => {
      for (const [name, call] of making.filter(([name]) =>
        /writeFile$|append|open [wa]$|Json|Stream|copyFile|outputFile/.test(name),
      )) {
        const { code } = await failureOf(call(sealed, 'dangling'));
        expect([name, code]).toEqual([name, 'ERR_VOLSEAL_OUTSIDE_VOLUME']);
      }
      expect(existsSync(join(outside, 'nothing'))).toBe(false);
    });

    test('is itself looked at, renamed and removed like any other', async () => {
      expect((await sealed.lstat('absolute')).isSymbolicLink()).toBe(true);
      expect(await sealed.readlink('absolute')).toBe(outside);
      await sealed.rename('absolute', 'renamed');
      await sealed.unlink('renamed');
      await sealed.rm('chain', { recursive: true });
      expect(existsSync(join(outside, 'secret'))).toBe(true);
    });

    test('is removed with the directory it is in, and what it leads to is not', async () => {
      symlinkSync(outside, join(sealed.root, 'directory', 'absolute'));
      await sealed.rm('directory', { recursive: true });
      await sealed.emptyDir('/');
      expect(await sealed.readdir('/')).toEqual([]);
      expect(readdirSync(outside).toSorted()).toEqual(['inner', 'secret']);
    });

    test('a step up from a link to the root is outside', async () => {
      for (const [name, call] of looking) {
        expect([name, (await failureOf(call(sealed, 'here/..'))).code]).toEqual([
          name,
          'ERR_VOLSEAL_OUTSIDE_VOLUME',
        ]);
      }
    });
  });

  describe('a link that is made', () => {
    test.each(['/etc/passwd', '/', '..', '../..', 'a/../../..', '../directory/../..'])(
      'is refused when it leads outside: %s',
      async (target) => {
        const failure = await failureOf(sealed.symlink(target, 'link'));
        expect(failure.code).toBe('ERR_VOLSEAL_OUTSIDE_VOLUME');
        expect(failure.hint).toContain('relative');
        expect(existsSync(join(sealed.root, 'link'))).toBe(false);
      },
    );

    test('may lead up as far as the root', async () => {
      await sealed.symlink('../file', 'directory/link');
      expect(await sealed.readFile('directory/link', 'utf8')).toBe('inside');
      await sealed.symlink('..', 'directory/up');
      expect(await sealed.readFile('directory/up/file', 'utf8')).toBe('inside');
    });

    test('is written through: the file it leads to is replaced', async () => {
      await sealed.symlink('../file', 'directory/link');
      await sealed.writeFile('directory/link', 'new');
      expect(await sealed.readFile('file', 'utf8')).toBe('new');
      expect((await sealed.lstat('directory/link')).isSymbolicLink()).toBe(true);
    });

    test('with an absolute target inside, planted by somebody, is followed', async () => {
      symlinkSync(join(sealed.root, 'file'), join(sealed.root, 'planted'));
      expect(await sealed.readFile('planted', 'utf8')).toBe('inside');
      await sealed.writeFile('planted', 'new');
      expect(await sealed.readFile('file', 'utf8')).toBe('new');
    });
  });

  describe('names that do not exist', () => {
    const temporary = temporaryName();
    const reserved = [
      '.volseal',
      '.volseal/keyring.json',
      '.volseal/journal/x',
      'directory/.volseal',
      'lost+found',
      'lost+found/x',
    ];

    beforeEach(() => {
      mkdirSync(join(sealed.root, 'lost+found'));
      writeFileSync(join(sealed.root, 'lost+found', 'x'), 'found');
      mkdirSync(join(sealed.root, 'directory', '.volseal'));
      writeFileSync(join(sealed.root, temporary), '');
      symlinkSync('.volseal/keyring.json', join(sealed.root, 'to-keyring'));
      symlinkSync('.volseal', join(sealed.root, 'to-metadata'));
    });

    test.each([...looking, ...entering])('are not found: %s', async (name, call) => {
      for (const path of [
        ...reserved,
        temporary,
        `./${temporary}`,
        'here/../.volseal'.replace('here', 'directory'),
      ]) {
        expect([path, (await failureOf(call(sealed, path))).code]).toEqual([path, 'ENOENT']);
      }
      if (!entering.some(([entry]) => entry === name)) {
        for (const path of ['to-keyring', 'to-metadata', 'to-metadata/keyring.json']) {
          expect([path, (await failureOf(call(sealed, path))).code]).toEqual([path, 'ENOENT']);
        }
      }
    });

    test.each(making)('are not made: %s', async (name, call) => {
      for (const path of [...reserved, temporary, 'to-metadata/x']) {
        const { code, message } = await failureOf(call(sealed, path));
        expect(['EINVAL', 'ENOENT', 'EISDIR', 'ERR_FS_CP_EINVAL'], `${name} ${path}: ${message}`).toContain(
          code,
        );
      }
      expect(readdirSync(join(sealed.root, '.volseal')).toSorted()).toEqual([
        'journal',
        'keyring.json',
        'locks',
      ]);
      expect(readdirSync(join(sealed.root, 'lost+found'))).toEqual(['x']);
    });

    test('are not listed', async () => {
      expect(await sealed.readdir('/')).toEqual(['directory', 'file', 'to-keyring', 'to-metadata']);
      expect(await sealed.readdir('directory')).toEqual(['inner']);
      expect(await sealed.readdir('.', { recursive: true })).not.toContain('.volseal/keyring.json');
      expect(await sealed.exists('.volseal')).toBe(false);
      expect(await sealed.exists('to-keyring')).toBe(false);
    });

    test('deeper lost+found is a name like any other', async () => {
      await sealed.outputFile('directory/lost+found/x', 'y');
      expect(await sealed.readFile('directory/lost+found/x', 'utf8')).toBe('y');
    });

    test('removing everything keeps what the volume needs', async () => {
      await sealed.emptyDir('/');
      expect(await sealed.readdir('/')).toEqual([]);
      expect(existsSync(join(sealed.root, '.volseal/keyring.json'))).toBe(true);
      expect(readFileSync(join(sealed.root, 'lost+found/x'), 'utf8')).toBe('found');
    });

    test('a name that is made says why it cannot be', async () => {
      const { message } = await failureOf(sealed.mkdir('.volseal'));
      expect(message).toBe(
        `EINVAL: invalid argument, mkdir '.volseal' (the name .volseal is reserved by volseal)`,
      );
    });
  });

  describe('the root itself', () => {
    test('is a directory that can be looked at', async () => {
      for (const path of ['/', '.', './', '//', 'directory/..']) {
        expect((await sealed.stat(path)).isDirectory()).toBe(true);
        expect(await sealed.readdir(path)).toEqual(['directory', 'file']);
        expect(await sealed.realpath(path)).toBe('/');
      }
      expect((await failureOf(sealed.readdir(''))).code).toBe('ENOENT');
    });

    test('stays', async () => {
      for (const call of [
        () => sealed.rm('/', { recursive: true, force: true }),
        () => sealed.rm('.', { recursive: true }),
        () => sealed.rmdir('/'),
        () => sealed.rename('/', 'x'),
        () => sealed.rename('directory', '/'),
      ]) {
        expect((await failureOf(call())).code).toBe('EBUSY');
      }
      expect((await failureOf(sealed.rm('directory/..', { recursive: true }))).code).toBe('EINVAL');
      expect(await sealed.readdir('/')).toEqual(['directory', 'file']);
    });
  });
});

describe('a directory that is swapped', () => {
  test('for a link to outside between two calls is not used again', async () => {
    const sealed = await volume({ durability: 'none' });
    const outside = fresh();
    mkdirSync(outside);
    await sealed.mkdir('a/b', { recursive: true });
    await sealed.writeFile('a/b/f', 'one');
    renameSync(join(sealed.root, 'a'), join(sealed.root, 'aside'));
    symlinkSync(outside, join(sealed.root, 'a'));
    mkdirSync(join(outside, 'b'));
    writeFileSync(join(outside, 'b/f'), 'outside');
    for (const call of [
      () => sealed.writeFile('a/b/f', 'two'),
      () => sealed.mkdir('a/b/c'),
      () => sealed.readFile('a/b/f'),
      () => sealed.rename('aside', 'a/b/d'),
    ]) {
      expect((await failureOf(call())).code).toBe('ERR_VOLSEAL_OUTSIDE_VOLUME');
    }
    expect(readFileSync(join(outside, 'b/f'), 'utf8')).toBe('outside');
    expect(readdirSync(join(outside, 'b'))).toEqual(['f']);
    expect(await sealed.readFile('aside/b/f', 'utf8')).toBe('one');
  });

  test('for another directory between two calls: the new one is used', async () => {
    const sealed = await volume({ durability: 'none' });
    await sealed.outputFile('a/f', 'one');
    renameSync(join(sealed.root, 'a'), join(sealed.root, 'aside'));
    mkdirSync(join(sealed.root, 'a'));
    await sealed.writeFile('a/f', 'two');
    expect(await sealed.readFile('a/f', 'utf8')).toBe('two');
    expect(await sealed.readFile('aside/f', 'utf8')).toBe('one');
    rmSync(join(sealed.root, 'a'), { recursive: true });
    expect((await failureOf(sealed.writeFile('a/f', 'x'))).code).toBe('ENOENT');
  });

  test.skipIf(process.platform !== 'linux')('in the middle of a call does not take it along', async () => {
    const outside = fresh();
    mkdirSync(outside);
    const root = (await volume({ durability: 'none' })).root;
    let armed = false;
    const swap = (): void => {
      if (!armed) return;
      armed = false;
      renameSync(join(root, 'a'), join(root, 'aside'));
      symlinkSync(outside, join(root, 'a'));
    };
    // Between the check of the directory and what is done in it.
    const swapping: System = {
      ...nodeSystem,
      mkdir: (path, mode) => (swap(), nodeSystem.mkdir(path, mode)),
      rename: (from, to) => (swap(), nodeSystem.rename(from, to)),
      unlink: (path) => (swap(), nodeSystem.unlink(path)),
    };
    const { open } = volumeScratch();
    const sealed = await open(root, { durability: 'none' }, swapping);
    for (const [call, left] of [
      [() => sealed.mkdir('a/new'), ['f', 'new']],
      [() => sealed.writeFile('a/f', 'two'), ['f']],
      [() => sealed.unlink('a/f'), []],
    ] as const) {
      rmSync(join(root, 'a'), { recursive: true, force: true });
      rmSync(join(root, 'aside'), { recursive: true, force: true });
      await sealed.mkdir('a');
      await sealed.writeFile('a/f', 'one');
      armed = true;
      await call();
      expect(armed).toBe(false);
      expect(readdirSync(outside)).toEqual([]);
      expect(readdirSync(join(root, 'aside')).toSorted()).toEqual(left);
      rmSync(join(root, 'a'));
    }
  });
});

describe('rules', () => {
  const part = fc.constantFrom('a', 'b', '.', '..', '', '.volseal', 'lost+found');

  test('a path is its parent, its name and its slashes', () => {
    fc.assert(
      fc.property(fc.array(part, { minLength: 1 }), (parts) => {
        const text = parts.join('/');
        let depth = 0;
        const lowest = Math.min(
          0,
          ...parts.map((p) => (depth += p === '..' ? -1 : p === '' || p === '.' ? 0 : 1)),
        );
        if (lowest < 0) {
          expect(() => splitPath(text)).toThrowError(
            expect.objectContaining({ code: 'ERR_VOLSEAL_OUTSIDE_VOLUME' }),
          );
          return;
        }
        const { isRoot, name, parent, slash } = splitPath(text);
        const meaningful = (path: string): string[] => path.split('/').filter((p) => p !== '' && p !== '.');
        const joined = isRoot ? '' : `${parent}/${name}`;
        expect(meaningful(joined)).toEqual(meaningful(text));
        expect(name).not.toContain('/');
        expect(parent.startsWith('/')).toBe(false);
        if (!isRoot) expect(slash).toBe(text.endsWith('/'));
        expect(isRoot).toBe(meaningful(text).length === 0);
      }),
    );
  });

  test('what is hidden', () => {
    for (const hidden of [
      '.volseal',
      '.volseal/x',
      'a/.volseal',
      'a/.volseal/b',
      'lost+found',
      'lost+found/a',
      `a/${temporaryName()}`,
    ]) {
      expect([hidden, isHidden(hidden)]).toEqual([hidden, true]);
    }
    for (const shown of [
      '',
      'a',
      '.volsealx',
      'x.volseal',
      'a/lost+found',
      'lost+foundx',
      '.volseal-other',
      '.volseal-tmp',
    ]) {
      expect([shown, isHidden(shown)]).toEqual([shown, false]);
    }
  });

  test('forms of a path', async () => {
    expect(pathText(Buffer.from('ä/b'))).toBe('ä/b');
    expect(pathText(new URL('file:///a%20b/c'))).toBe('/a b/c');
    expect(() => pathText(Buffer.from([0xff]))).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    expect(() => pathText(new URL('http://a/b'))).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_URL_SCHEME' }),
    );
    for (const wrong of [undefined, null, 5, {}, []]) {
      expect(() => pathText(wrong)).toThrowError(expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }));
    }
    for (const withNull of ['a\0b', Buffer.from('a\0b'), new URL('file:///a%00b')]) {
      expect(() => pathText(withNull)).toThrowError(
        expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
      );
    }
    const sealed = await volume({ durability: 'none' });
    await sealed.writeFile(new URL('file:///a%20b'), 'x');
    expect(await sealed.readFile(Buffer.from('a b'), 'utf8')).toBe('x');
  });

  test('a directory without the right to list it can still be entered', async () => {
    const sealed = await volume({ durability: 'none' });
    await sealed.outputFile('a/f', 'x');
    chmodSync(join(sealed.root, 'a'), 0o300);
    expect(await sealed.readFile('a/f', 'utf8')).toBe('x');
    await sealed.writeFile('a/g', 'y');
    expect(await sealed.readFile('a/g', 'utf8')).toBe('y');
  });
});
