/** What becomes of a destination that is a path: replaced as a whole, refused, or left as it was. */

import {
  chmodSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { relative } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decrypt, decryptFile, encryptFile, type FileOptions } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { at, directory, fresh, leftovers } = scratch();

const small = plainOf(1_000);
function plainFile(bytes: Uint8Array = small, mode = 0o644): string {
  const path = fresh();
  writeFileSync(path, bytes);
  chmodSync(path, mode);
  return path;
}
const modeOf = (path: string): number => statSync(path).mode & 0o7777;

async function expectSealed(path: string, plain: Uint8Array = small): Promise<void> {
  expect(Buffer.compare(await decrypt(readFileSync(path), { keys }), plain)).toBe(0);
  expect(leftovers()).toEqual([]);
}

describe('mode', () => {
  test('of the source when the file is new, whatever the umask', async () => {
    for (const mode of [0o600, 0o644, 0o755, 0o666, 0o400]) {
      const destination = fresh();
      await encryptFile(plainFile(small, mode), destination, { keys });
      expect(modeOf(destination)).toBe(mode);
      const back = fresh();
      await decryptFile(destination, back, { keys });
      expect(modeOf(back)).toBe(mode);
    }
  });

  test('of the file that is replaced, of the option, else of the umask', async () => {
    const source = plainFile(small, 0o755);
    const replaced = plainFile(small, 0o640);
    await encryptFile(source, replaced, { keys });
    expect(modeOf(replaced)).toBe(0o640);
    await encryptFile(source, replaced, { keys, mode: 0o604 });
    expect(modeOf(replaced)).toBe(0o604);
    const optional = fresh();
    await encryptFile(source, optional, { keys, mode: 0o604 });
    expect(modeOf(optional)).toBe(0o604);
    const streamed = fresh();
    await encryptFile(Readable.from([small]), streamed, { keys });
    expect(modeOf(streamed)).toBe(0o666 & ~process.umask());
  });

  test('set-user-id and the like are not taken over from a source: its owner may be anybody', async () => {
    for (const special of [0o4000, 0o2000, 0o1000, 0o7000]) {
      const sealed = fresh();
      await encryptFile(plainFile(small, special | 0o755), sealed, { keys });
      expect(modeOf(sealed)).toBe(0o755);
      chmodSync(sealed, special | 0o755);
      const opened = fresh();
      await decryptFile(sealed, opened, { keys });
      expect(modeOf(opened)).toBe(0o755);
    }
  });

  test.runIf(process.getuid?.() === 0)('and owner of the file that is replaced', async () => {
    const { chownSync } = await import('node:fs');
    const replaced = plainFile(small, 0o640);
    chownSync(replaced, 1_234, 2_345);
    await encryptFile(plainFile(), replaced, { keys });
    const { uid, gid } = statSync(replaced);
    expect({ uid, gid, mode: modeOf(replaced) }).toEqual({ uid: 1_234, gid: 2_345, mode: 0o640 });
  });
});

describe('overwrite: false', () => {
  test('refuses what is there, before it reads the source', async () => {
    const there = plainFile(Buffer.from('older'));
    let asked = 0;
    const source = new Readable({
      read() {
        asked++;
        this.push(null);
      },
    });
    await expect(encryptFile(source, there, { keys, overwrite: false })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_EXISTS',
      path: there,
    });
    expect(asked).toBe(0);
    expect(readFileSync(there, 'utf8')).toBe('older');
    const link = fresh();
    symlinkSync(there, link);
    await expect(encryptFile(plainFile(), link, { keys, overwrite: false })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_EXISTS',
    });
    await encryptFile(plainFile(), fresh(), { keys, overwrite: false });
    expect(leftovers()).toEqual([]);
  });

  test('refuses what came meanwhile', async () => {
    const destination = fresh();
    const source = (async function* () {
      yield small;
      writeFileSync(destination, 'meanwhile');
    })();
    await expect(encryptFile(source, destination, { keys, overwrite: false })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_EXISTS',
      path: destination,
    });
    expect(readFileSync(destination, 'utf8')).toBe('meanwhile');
    expect(leftovers()).toEqual([]);
  });

  test('of many writers at once exactly one wins', async () => {
    const destination = fresh();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 8 }, (_, i) =>
        encryptFile(plainFile(plainOf(200_000, `${i}`)), destination, { keys, overwrite: false }),
      ),
    );
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') expect(outcome.reason).toMatchObject({ code: 'ERR_VOLSEAL_EXISTS' });
    }
    const winner = outcomes.findIndex(({ status }) => status === 'fulfilled');
    await expectSealed(destination, plainOf(200_000, `${winner}`));
  });
});

test('of many writers at once to one path, one is there as a whole', async () => {
  const destination = fresh();
  await Promise.all(
    Array.from({ length: 8 }, (_, i) =>
      encryptFile(plainFile(plainOf(300_000, `${i}`)), destination, { keys }),
    ),
  );
  const plain = await decrypt(readFileSync(destination), { keys });
  expect(Array.from({ length: 8 }, (_, i) => Buffer.compare(plain, plainOf(300_000, `${i}`)))).toContain(0);
  expect(leftovers()).toEqual([]);
});

test('whoever reads the old file meanwhile keeps it; nobody meets a half', async () => {
  const destination = fresh();
  await encryptFile(plainFile(plainOf(400_000, 'old')), destination, { keys });
  const old = readFileSync(destination);
  let looked = 0;
  await encryptFile(plainFile(plainOf(4_000_000, 'new')), destination, {
    keys,
    onProgress() {
      looked++;
      expect(readFileSync(destination).equals(old)).toBe(true);
    },
  });
  expect(looked).toBeGreaterThan(2);
  await expectSealed(destination, plainOf(4_000_000, 'new'));
});

describe('links', () => {
  test('a symbolic link is written through, over several links and in another folder', async () => {
    mkdirSync(at('elsewhere'), { recursive: true });
    const target = at('elsewhere/target');
    writeFileSync(target, 'older');
    const [first, second] = [fresh(), fresh()];
    symlinkSync('elsewhere/target', first);
    symlinkSync(first, second);
    await encryptFile(plainFile(), second, { keys });
    expect(readlinkSync(first)).toBe('elsewhere/target');
    expect(readlinkSync(second)).toBe(first);
    await expectSealed(target);
  });

  test('a symbolic link to what is not there makes it, as for every other program', async () => {
    const [link, target] = [fresh(), fresh()];
    symlinkSync(relative(directory, target), link);
    await encryptFile(plainFile(), link, { keys });
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    await expectSealed(target);
  });

  test('a loop of links is an error', async () => {
    const [a, b] = [fresh(), fresh()];
    symlinkSync(a, b);
    symlinkSync(b, a);
    await expect(encryptFile(plainFile(), a, { keys })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_IO',
      path: a,
    });
    expect(leftovers()).toEqual([]);
  });

  test('another name of the same file keeps the old content', async () => {
    const [path, other] = [plainFile(Buffer.from('older')), fresh()];
    linkSync(path, other);
    await encryptFile(plainFile(), path, { keys });
    expect(readFileSync(other, 'utf8')).toBe('older');
    await expectSealed(path);
  });
});

test('source and destination may be the same file, by whatever name', async () => {
  const path = plainFile(plainOf(3_000_000));
  const link = fresh();
  symlinkSync(path, link);
  for (const [source, destination] of [
    [path, path],
    [link, path],
    [path, link],
    [pathToFileURL(path), link],
  ] as const) {
    await encryptFile(source, destination, { keys });
    await decryptFile(destination, source, { keys });
    expect(readFileSync(path).equals(plainOf(3_000_000))).toBe(true);
  }
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(leftovers()).toEqual([]);
});

describe('what cannot be a file', () => {
  test('folders, missing parents, files as parents', async () => {
    const folder = fresh();
    mkdirSync(folder);
    const file = plainFile();
    for (const [source, destination, code, path] of [
      [folder, fresh(), 'ERR_VOLSEAL_IO', folder],
      [file, folder, 'ERR_VOLSEAL_IO', folder],
      [file, '/', 'ERR_VOLSEAL_IO', '/'],
      [file, at('no/such/parent'), 'ERR_VOLSEAL_NOT_FOUND', at('no/such/parent')],
      [file, `${file}/below`, 'ERR_VOLSEAL_NOT_FOUND', `${file}/below`],
      [file, `${fresh()}/`, 'ERR_VOLSEAL_NOT_FOUND', undefined],
      [at('missing'), fresh(), 'ERR_VOLSEAL_NOT_FOUND', at('missing')],
      [file, at('n'.repeat(300)), 'ERR_VOLSEAL_IO', at('n'.repeat(300))],
    ] as const) {
      for (const run of [encryptFile, decryptFile]) {
        const running = run(source, destination, { keys });
        await expect(running, `${source} → ${destination}`).rejects.toMatchObject({
          name: 'VolsealError',
          code: expect.stringMatching(/^ERR_VOLSEAL_/),
        });
        const isSealedSource = run === decryptFile && source === file;
        if (!isSealedSource)
          await expect(running).rejects.toMatchObject({ code, ...(path !== undefined && { path }) });
        await expect(running).rejects.toMatchObject({
          message: expect.stringContaining(path ?? directory),
          hint: expect.any(String),
        });
      }
    }
    expect(statSync(folder).isDirectory()).toBe(true);
    expect(leftovers()).toEqual([]);
  });

  test.each([
    ['', 'nothing'],
    ['a\0b', 'zero byte'],
    [new URL('http://example.com/x'), 'web address'],
    [new URL('file://elsewhere/x'), 'file of another machine'],
    [new URL('file:///a%2fb'), 'encoded slash'],
    [undefined, 'undefined'],
    [null, 'null'],
    [5, 'number'],
    [{}, 'object'],
    [Buffer.from('x'), 'bytes'],
    [[Buffer.from('x')], 'array'],
  ] as readonly (readonly [unknown, string])[])('%j (%s)', async (wrong) => {
    for (const run of [encryptFile, decryptFile]) {
      for (const [source, destination] of [
        [wrong, fresh()],
        [plainFile(), wrong],
      ]) {
        await expect(run(source as string, destination as string, { keys })).rejects.toMatchObject({
          name: 'VolsealError',
          code: expect.stringMatching(/^ERR_VOLSEAL_INVALID_ARGUMENT$/),
        });
      }
    }
  });
});

test('names of every kind', async () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 40 })
    .filter(
      (text) =>
        !/[\0/]/.test(text) &&
        text.isWellFormed() &&
        text !== '.' &&
        text !== '..' &&
        Buffer.byteLength(text) <= 200,
    );
  mkdirSync(at('names'));
  await fc.assert(
    fc.asyncProperty(name, async (text) => {
      const path = at(`names/${text}`);
      await encryptFile(Readable.from([small]), path, { keys });
      await expectSealed(path);
      await decryptFile(pathToFileURL(path), pathToFileURL(`${path}.plain`), { keys });
      expect(existsSync(`${path}.plain`)).toBe(true);
    }),
    {
      numRuns: 20,
      examples: [
        [' '],
        ['-'],
        ['--help'],
        ['.volseal'],
        ['%2e%2e'],
        ['a\nb'],
        ['~'],
        ['*?'],
        ['e\u0301'],
        ['😀'],
        ['C:\\x'],
      ],
    },
  );
});

test('relative paths, also with dots', async () => {
  const path = plainFile();
  const relativePath = relative(process.cwd(), path);
  await encryptFile(relativePath, `${relative(process.cwd(), directory)}/./names/../relative`, { keys });
  await expectSealed(at('relative'));
});

test('a progress callback that throws fails the transfer and leaves everything as it was', async () => {
  const source = plainFile(plainOf(3_000_000));
  const destination = plainFile(Buffer.from('older'));
  const failing = (at: number): FileOptions => {
    let calls = 0;
    return {
      onProgress() {
        if (++calls === at) throw new Error('progress broke');
      },
    };
  };
  for (const call of [1, 2, 3]) {
    await expect(encryptFile(source, destination, { keys, ...failing(call) })).rejects.toThrow(
      'progress broke',
    );
    expect(readFileSync(destination, 'utf8')).toBe('older');
  }
  expect(leftovers()).toEqual([]);
});
