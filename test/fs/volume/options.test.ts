/** Options and arguments: Node's forms, Node's refusals, and a refusal by name where Node would ignore. */

import { Readable } from 'node:stream';
import { Stats } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { volume } = volumeScratch();
let sealed: Volume;

beforeAll(async () => {
  sealed = await volume({ durability: 'none' });
  await sealed.writeFile('file', 'content');
  await sealed.mkdir('directory');
});

/** Calls with options of any kind. */
type AnyOptions = Readonly<Record<string, (options: unknown) => unknown>>;
const withOptions: AnyOptions = {
  readFile: (o) => sealed.readFile('file', o as 'utf8'),
  writeFile: (o) => sealed.writeFile('file', 'content', o as 'utf8'),
  appendFile: (o) => sealed.appendFile('file', '', o as 'utf8'),
  open: async (o) => (await sealed.open('file', 'r', o as number)).close(),
  createReadStream: (o) => void sealed.createReadStream('file', o as 'utf8').destroy(),
  createWriteStream: (o) => void sealed.createWriteStream('file', o as 'utf8').destroy(),
  stat: (o) => sealed.stat('file', o as object),
  lstat: (o) => sealed.lstat('file', o as object),
  readdir: (o) => sealed.readdir('/', o as 'utf8'),
  opendir: (o) => sealed.opendir('/', o as object),
  mkdir: (o) => sealed.mkdir('directory', o as object),
  mkdtemp: (o) => sealed.mkdtemp('directory/t', o as 'utf8'),
  rmdir: (o) => sealed.rmdir('none', o as object),
  rm: (o) => sealed.rm('none', o as object),
  cp: (o) => sealed.cp('file', 'copy', o as object),
  readlink: (o) => sealed.readlink('none', o as 'utf8'),
  realpath: (o) => sealed.realpath('file', o as 'utf8'),
  move: (o) => sealed.move('none', 'x', o as object),
  outputFile: (o) => sealed.outputFile('file', 'content', o as 'utf8'),
  ensureDir: (o) => sealed.ensureDir('directory', o as object),
  readJson: (o) => sealed.readJson('none', o as object),
  writeJson: (o) => sealed.writeJson('json', 1, o as object),
};

const call = async (name: string, options: unknown): Promise<unknown> => withOptions[name]?.(options);

describe.each(Object.keys(withOptions))('%s', (name) => {
  test('refuses an unknown option by its name', async () => {
    const failure = await failureOf(call(name, { recursiv: true }));
    expect(failure.code).toBe('ERR_VOLSEAL_UNKNOWN_OPTION');
    expect(failure.message).toContain('"recursiv"');
    expect(failure.hint).toMatch(/it takes|did you mean/);
  });

  test('refuses what is no options', async () => {
    for (const wrong of [true, [], ...(['open', 'mkdir', 'ensureDir'].includes(name) ? [] : [5])]) {
      const { code } = await failureOf(call(name, wrong));
      expect([wrong, code]).toEqual([
        wrong,
        expect.stringMatching(/^ERR_(INVALID_ARG_TYPE|VOLSEAL_INVALID_ARGUMENT|INVALID_ARG_VALUE)$/),
      ]);
    }
  });
});

describe('encodings', () => {
  const encodings = [
    'utf8',
    'UTF-8',
    'latin1',
    'hex',
    'base64',
    'base64url',
    'ascii',
    'utf16le',
    'ucs2',
  ] as const;

  test.each(encodings)('%s of content', async (encoding) => {
    const bytes = Buffer.from([...'c0ntent'].map((c) => c.charCodeAt(0)).concat([0]));
    await sealed.writeFile('encoded', bytes.toString(encoding as 'hex'), { encoding: encoding as 'hex' });
    expect(await sealed.readFile('encoded')).toEqual(bytes);
    expect(await sealed.readFile('encoded', encoding as 'hex')).toBe(bytes.toString(encoding as 'hex'));
    expect(await sealed.readFile('encoded', { encoding: encoding as 'hex' })).toBe(
      bytes.toString(encoding as 'hex'),
    );
  });

  test('of names', async () => {
    await sealed.mkdir('names');
    await sealed.writeFile('names/ä', '');
    await sealed.symlink('ä', 'names/l');
    expect(await sealed.readdir('names', 'buffer')).toEqual(
      [Buffer.from('l'), Buffer.from('ä')].toSorted(Buffer.compare),
    );
    expect(await sealed.readdir('names', 'hex')).toEqual(['6c', 'c3a4']);
    expect(await sealed.readlink('names/l', 'buffer')).toEqual(Buffer.from('ä'));
    expect(await sealed.readlink('names/l', { encoding: 'hex' })).toBe('c3a4');
    expect(await sealed.realpath('names/l', 'buffer')).toEqual(Buffer.from('/names/ä'));
    expect(await sealed.mkdtemp('names/t-', 'buffer')).toBeInstanceOf(Buffer);
    const entries = await sealed.readdir('names', { withFileTypes: true, encoding: 'buffer' } as {
      withFileTypes: true;
    });
    expect(entries.map(({ name }) => Buffer.isBuffer(name))).toContain(true);
  });

  test('that are none', async () => {
    for (const name of ['readFile', 'writeFile', 'readdir', 'realpath', 'mkdtemp', 'opendir']) {
      expect((await failureOf(call(name, { encoding: 'bogus' }))).code).toBe('ERR_INVALID_ARG_VALUE');
    }
    expect((await failureOf(sealed.writeFile('x', 'abc', 'hex'))).code).toBe('ERR_INVALID_ARG_VALUE');
  });
});

describe('data', () => {
  const big = Buffer.alloc(300_000, 'data');
  const forms: Readonly<Record<string, [() => unknown, Buffer]>> = {
    string: [() => 'täxt', Buffer.from('täxt')],
    Buffer: [() => Buffer.from('x'), Buffer.from('x')],
    Uint8Array: [() => Uint8Array.of(1, 2), Buffer.of(1, 2)],
    'part of a larger array': [() => Uint8Array.of(1, 2, 3, 4).subarray(1, 3), Buffer.of(2, 3)],
    Uint16Array: [() => Uint16Array.of(1, 2), Buffer.of(1, 0, 2, 0)],
    Float64Array: [() => Float64Array.of(1), Buffer.from(new Uint8Array(Float64Array.of(1).buffer))],
    DataView: [() => new DataView(Uint8Array.of(9, 8, 7).buffer, 1), Buffer.of(8, 7)],
    'array of strings': [() => ['a', 'b', 'c'], Buffer.from('abc')],
    iterable: [() => new Set([Buffer.from('a'), 'b']), Buffer.from('ab')],
    generator: [
      () =>
        (function* () {
          for (let at = 0; at < big.length; at += 1_000) yield big.subarray(at, at + 1_000);
        })(),
      big,
    ],
    'async generator': [
      () =>
        (async function* () {
          for (let at = 0; at < big.length; at += 50_000) yield big.subarray(at, at + 50_000);
        })(),
      big,
    ],
    'reused buffer': [
      () =>
        (async function* () {
          const one = Buffer.alloc(30_000);
          for (let at = 0; at < big.length; at += one.length) {
            big.copy(one, 0, at);
            yield one;
          }
        })(),
      big,
    ],
    Readable: [() => Readable.from([big.subarray(0, 7), big.subarray(7)]), big],
    'empty iterable': [() => [], Buffer.alloc(0)],
    'empty pieces': [() => ['', Buffer.alloc(0)], Buffer.alloc(0)],
  };

  test.each(Object.keys(forms))('%s', async (form) => {
    const [make, expected] = forms[form] as [() => unknown, Buffer];
    for (const immutable of [false, true]) {
      await sealed.writeFile('data', make() as string, { immutable });
      expect((await sealed.readFile('data')).equals(expected)).toBe(true);
      expect((await sealed.stat('data')).size).toBe(expected.length);
    }
    await sealed.writeFile('appended', 'before');
    await sealed.appendFile('appended', make() as string);
    expect((await sealed.readFile('appended')).equals(Buffer.concat([Buffer.from('before'), expected]))).toBe(
      true,
    );
  });

  test.each([undefined, null, 5, true, {}, Symbol('x'), () => 1])('that is none: %s', async (data) => {
    await sealed.writeFile('data', 'old');
    expect((await failureOf(sealed.writeFile('data', data as string))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect(await sealed.readFile('data', 'utf8')).toBe('old');
  });

  test('a source that fails or gives nonsense leaves the old content and no temporary file', async () => {
    await sealed.writeFile('data', 'old');
    const failing = async function* (): AsyncGenerator<string> {
      yield 'x'.repeat(100_000);
      throw new Error('of the source');
    };
    expect((await failureOf(sealed.writeFile('data', failing()))).message).toBe('of the source');
    expect((await failureOf(sealed.writeFile('data', ['a', 5 as unknown as string]))).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
    expect(await sealed.readFile('data', 'utf8')).toBe('old');
    const { plainEntries } = await import('./volumes.ts');
    expect(plainEntries(sealed.root).filter((name) => name.includes('tmp'))).toEqual([]);
  });
});

describe('sizes around the borders of segments', () => {
  const plainSegment = 16_384 - 44;
  test.each([0, 1, plainSegment - 1, plainSegment, plainSegment + 1, 2 * plainSegment, 1_048_576, 3_000_001])(
    '%i bytes',
    async (size) => {
      const content = Buffer.alloc(size);
      for (let i = 0; i < size; i++) content[i] = i * 7 + (i >>> 8);
      for (const immutable of [false, true]) {
        await sealed.writeFile('sized', content, { immutable });
        expect((await sealed.readFile('sized')).equals(content)).toBe(true);
        expect((await sealed.stat('sized')).size).toBe(size);
        expect((await sealed.lstat('sized', { bigint: true })).size).toBe(BigInt(size));
        await sealed.writeFile('sized', [content.subarray(0, size / 3), content.subarray(size / 3)], {
          immutable,
        });
        expect((await sealed.readFile('sized')).equals(content)).toBe(true);
      }
    },
  );
});

describe('stat', () => {
  test('gives a Stats of node:fs, or one of bigints', async () => {
    const stats = await sealed.stat('file');
    expect(stats).toBeInstanceOf(Stats);
    expect(stats.isFile()).toBe(true);
    expect(stats.mtime).toBeInstanceOf(Date);
    expect(stats.mtime.getTime()).toBe(Math.round(stats.mtimeMs));
    expect((await sealed.stat('directory')).isDirectory()).toBe(true);
    const big = await sealed.stat('file', { bigint: true });
    expect(big.size).toBe(BigInt('content'.length));
    expect(typeof big.mtimeNs).toBe('bigint');
    expect((await failureOf(sealed.stat('file', { bigint: 1 } as object))).code).toBe('ERR_INVALID_ARG_TYPE');
  });
});

describe('modes, owners, times', () => {
  test('a new file has the mode that was asked for, less the umask; a replaced one keeps its own', async () => {
    const umask = process.umask();
    await sealed.writeFile('moded', 'x', { mode: 0o666 });
    expect((await sealed.stat('moded')).mode & 0o777).toBe(0o666 & ~umask);
    await sealed.chmod('moded', 0o640);
    await sealed.writeFile('moded', 'y', { mode: 0o600 });
    expect((await sealed.stat('moded')).mode & 0o777).toBe(0o640);
    await sealed.writeFile('octal', 'x', { mode: '600' });
    expect((await sealed.stat('octal')).mode & 0o777).toBe(0o600);
  });

  test('refused as Node does', async () => {
    expect((await failureOf(sealed.chmod('file', 'zz'))).code).toBe('ERR_INVALID_ARG_VALUE');
    expect((await failureOf(sealed.chmod('file', -1))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await failureOf(sealed.chown('file', 'a' as unknown as number, 0))).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
    expect((await failureOf(sealed.chown('file', 0, 2 ** 33))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await failureOf(sealed.utimes('file', {} as Date, 0))).code).toBe('ERR_INVALID_ARG_TYPE');
    expect((await failureOf(sealed.access('file', 8))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await failureOf(sealed.truncate('file', 1.5))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await failureOf(sealed.copyFile('file', 'x', 99))).code).toBe('ERR_OUT_OF_RANGE');
    expect((await failureOf(sealed.copyFile('file', 'x', 4))).code).toBe('ENOTSUP');
    expect((await failureOf(sealed.open('file', 'zz'))).code).toBe('ERR_INVALID_ARG_VALUE');
    expect((await failureOf(sealed.readFile('file', { flag: 'zz' }))).code).toBe('ERR_INVALID_ARG_VALUE');
    expect((await failureOf(sealed.cp('file', 'x', { filter: 1 as unknown as () => true }))).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
  });

  test('times in all forms of Node', async () => {
    await sealed.utimes('file', 1, 2);
    expect((await sealed.stat('file')).mtimeMs).toBe(2_000);
    await sealed.utimes('file', '3', new Date(4_000));
    const { atimeMs, mtimeMs } = await sealed.stat('file');
    expect([atimeMs, mtimeMs]).toEqual([3_000, 4_000]);
  });
});

describe('signals', () => {
  test('one that is aborted', async () => {
    const signal = AbortSignal.abort(new Error('enough'));
    for (const work of [
      () => sealed.readFile('file', { signal }),
      () => sealed.writeFile('never', 'x', { signal }),
      () => sealed.appendFile('never', 'x', { signal }),
    ]) {
      const failure = await failureOf(work());
      expect([failure.name, failure.code]).toEqual(['AbortError', 'ERR_VOLSEAL_ABORTED']);
    }
    expect((await failureOf(sealed.readFile('file', { signal: {} as AbortSignal }))).code).toBe(
      'ERR_INVALID_ARG_TYPE',
    );
  });

  test('one that aborts in the middle leaves the old content', async () => {
    await sealed.writeFile('aborted', 'old');
    const controller = new AbortController();
    const source = async function* (): AsyncGenerator<string> {
      yield 'x'.repeat(2_000_000);
      controller.abort();
      yield 'y';
    };
    const failure = await failureOf(sealed.writeFile('aborted', source(), { signal: controller.signal }));
    expect(failure.name).toBe('AbortError');
    expect(await sealed.readFile('aborted', 'utf8')).toBe('old');
  });

  test('one that aborts while the source hangs', async () => {
    await sealed.writeFile('aborted', 'old');
    const controller = new AbortController();
    let returned = false;
    const hanging: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return: () => {
          returned = true;
          return new Promise(() => {});
        },
      }),
    };
    const writing = sealed.writeFile('aborted', hanging, { signal: controller.signal });
    controller.abort();
    expect((await failureOf(writing)).name).toBe('AbortError');
    expect(returned).toBe(true);
    expect(await sealed.readFile('aborted', 'utf8')).toBe('old');
  });
});

describe('context', () => {
  test('is checked by readers that give one', async () => {
    const context = { app: 'shop', tenant: 'acme' };
    await sealed.writeFile('bound', 'x', { context });
    await sealed.writeFile('bound-once', 'x', { context, immutable: true });
    for (const path of ['bound', 'bound-once']) {
      for (const good of [undefined, {}, { tenant: 'acme' }, context]) {
        expect(await sealed.readFile(path, { encoding: 'utf8', ...(good && { context: good }) })).toBe('x');
      }
      for (const bad of [{ tenant: 'other' }, { nothing: '' }, { ...context, more: 'y' }]) {
        for (const work of [
          () => sealed.readFile(path, { context: bad }),
          () => sealed.open(path, 'r', { context: bad }),
          () => sealed.open(path, 'r+', { context: bad }),
          () => sealed.appendFile(path, 'x', { context: bad }),
        ]) {
          expect((await failureOf(work())).code).toBe('ERR_VOLSEAL_CONTEXT_MISMATCH');
        }
      }
      expect(
        (await failureOf(sealed.readFile(path, { context: { tenant: 'acme' }, exactContext: true }))).code,
      ).toBe('ERR_VOLSEAL_CONTEXT_MISMATCH');
      expect(await sealed.readFile(path, { context, exactContext: true, encoding: 'utf8' })).toBe('x');
    }
  });

  test('is given to files that handles and streams make', async () => {
    const context = { tenant: 'acme' };
    for (const flags of ['w', 'wx', 'a', 'ax+', 'w+']) {
      await sealed.rm('made', { force: true });
      const handle = await sealed.open('made', flags, { context });
      expect(handle.context).toEqual(context);
      await handle.writeFile('x');
      await handle.close();
      expect((await failureOf(sealed.readFile('made', { context: { tenant: 'b' } }))).code).toBe(
        'ERR_VOLSEAL_CONTEXT_MISMATCH',
      );
      expect(await sealed.readFile('made', { encoding: 'utf8', context })).toBe('x');
    }
    await new Promise((resolve, reject) => {
      sealed
        .createWriteStream('made', { context: { by: 'stream' } })
        .on('close', resolve)
        .on('error', reject)
        .end('y');
    });
    expect(await sealed.readFile('made', { encoding: 'utf8', context: { by: 'stream' } })).toBe('y');
    await sealed.copyFile('made', 'copied');
    expect(await sealed.readFile('copied', { encoding: 'utf8', context: { by: 'stream' } })).toBe('y');
    // Making a file anew makes its context anew.
    await sealed.writeFile('made', 'z');
    expect((await failureOf(sealed.readFile('made', { context: { by: 'stream' } }))).code).toBe(
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    );
  });

  test('is demanded where the policy says so', async () => {
    const strict = await volume({ durability: 'none' }, { policy: { requireContext: ['tenant'] } });
    const good = { context: { tenant: 'acme' } };
    for (const work of [
      () => strict.writeFile('f', 'x'),
      () => strict.appendFile('f', 'x', { context: { app: 'shop' } }),
      () => strict.open('f', 'w'),
      () => strict.readFile('f'),
      () => strict.readJson('f'),
      () => strict.outputFile('f', 'x'),
      () => new Promise((_, reject) => strict.createReadStream('f').on('error', reject)),
      () => new Promise((_, reject) => strict.createWriteStream('f').on('error', reject)),
    ]) {
      const failure = await failureOf(work());
      expect(failure.code).toBe('ERR_VOLSEAL_CONTEXT_MISMATCH');
      expect(failure.message).toContain('"tenant"');
    }
    expect(await strict.exists('f')).toBe(false);
    await strict.writeFile('f', 'x', good);
    expect(await strict.readFile('f', { ...good, encoding: 'utf8' })).toBe('x');
    expect((await failureOf(strict.readFile('f', { context: { tenant: 'other' } }))).code).toBe(
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    );
    await strict.rename('f', 'g');
    await strict.copyFile('g', 'h');
    expect((await strict.stat('h')).size).toBe(1);
  });
});

describe('immutable', () => {
  test('files are read, appended to and opened like any other', async () => {
    await sealed.writeFile('once', 'one', { immutable: true });
    await sealed.appendFile('once', 'two');
    expect(await sealed.readFile('once', 'utf8')).toBe('onetwo');
    await sealed.writeFile('once', 'three', { immutable: true });
    const handle = await sealed.open('once', 'r+');
    await handle.write('TH', 0);
    await handle.close();
    expect(await sealed.readFile('once', 'utf8')).toBe('THree');
  });

  test('is of whole files', async () => {
    expect((await failureOf(sealed.writeFile('once', 'x', { immutable: true, flag: 'a' }))).code).toBe(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
    );
    expect(() => sealed.createWriteStream('once', { immutable: true, start: 3 })).toThrowError(
      expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }),
    );
  });
});

describe('handles in the place of paths', () => {
  test('readFile, writeFile and appendFile take them', async () => {
    const handle = await sealed.open('by-handle', 'w+');
    await sealed.writeFile(handle, 'one');
    await sealed.appendFile(handle, 'two');
    await handle.close();
    const reading = await sealed.open('by-handle');
    expect(await sealed.readFile(reading, 'utf8')).toBe('onetwo');
    await reading.close();
  });
});
