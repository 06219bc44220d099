/** Making and opening volumes: what is there already, what is missing, whose it is. */

import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

import { encryptFile, initVolume, openVolume, VolsealError } from '../../../src/index.ts';
import { initVolumeOn, openVolumeOn } from '../../../src/fs/volume/init.ts';
import { recoveryKey as recoveryProvider } from '../../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { temporaryName } from '../../../src/os/temporary-name.ts';
import { testKeys } from '../../../src/testing.ts';
import { failureOf, keys, volumeScratch } from './volumes.ts';

const { at, fresh, open, root } = volumeScratch();
const isRoot = process.geteuid?.() === 0;
if (!isRoot) console.log('skipped: tests of ownership give files to another user, which needs root');

function directory(): string {
  const path = fresh();
  mkdirSync(path);
  return path;
}

async function warningsOf(work: () => Promise<unknown>): Promise<string[]> {
  const codes: string[] = [];
  const listener = (message: unknown): void => void codes.push((message as { code: string }).code);
  subscribe('volseal:warning', listener);
  try {
    await work();
  } finally {
    unsubscribe('volseal:warning', listener);
  }
  return codes;
}

describe('initVolume', () => {
  test('makes a volume that opens with the keys, and with the recovery key alone', async () => {
    const path = directory();
    const { recoveryKey, volumeId } = await initVolume(path, { keys });
    expect(volumeId).toMatch(/^[0-9a-f]{32}$/);
    const volume = await openVolume(path, { keys, expectVolumeId: volumeId });
    expect(volume.id).toBe(volumeId);
    expect(volume.root).toBe(path);
    expect(volume.keyring.recovery).toBe(true);
    await volume.writeFile('f', 'x');
    await volume.close();
    const recovered = await openVolume(path, { keys: recoveryProvider(recoveryKey as string) });
    expect(await recovered.readFile('f', 'utf8')).toBe('x');
    await recovered.close();
    expect(statSync(join(path, '.volseal')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(path, '.volseal')).toSorted()).toEqual(['journal', 'keyring.json', 'locks']);
    for (const name of ['journal', 'locks']) {
      expect(statSync(join(path, '.volseal', name)).mode & 0o777).toBe(0o700);
    }
  });

  test('takes a file URL, and no recovery key when told so', async () => {
    const path = directory();
    const made = await initVolume(pathToFileURL(path), {
      keys,
      recovery: false,
      policy: { suite: 'xchacha20-poly1305', segmentBytes: 4_096 },
    });
    expect(Object.keys(made)).toEqual(['volumeId']);
    expect(await warningsOf(async () => (await openVolume(path, { keys })).close())).toEqual([
      'no-recovery-key',
    ]);
    const volume = await open(path);
    expect(volume.keyring.policy).toMatchObject({
      suite: 'xchacha20-poly1305',
      segmentBytes: 4_096,
      writeOnceSegmentBytes: 65_536,
    });
    for (const immutable of [false, true]) {
      await volume.writeFile('f', 'x'.repeat(10_000), { immutable });
      expect(await volume.readFile('f', 'utf8')).toBe('x'.repeat(10_000));
    }
  });

  test('refuses over a volume', async () => {
    const path = await root();
    const before = readFileSync(join(path, '.volseal/keyring.json'));
    expect((await failureOf(initVolume(path, { keys }))).code).toBe('ERR_VOLSEAL_VOLUME_EXISTS');
    expect(readFileSync(join(path, '.volseal/keyring.json'))).toEqual(before);
  });

  test('refuses over sealed files whose keyring is gone', async () => {
    for (const immutable of [false, true]) {
      const path = await root();
      const volume = await open(path);
      await volume.outputFile('deep/down/secret', 'x', { immutable });
      await volume.close();
      rmSync(join(path, '.volseal'), { recursive: true });
      const failure = await failureOf(initVolume(path, { keys }));
      expect(failure.code).toBe('ERR_VOLSEAL_KEYRING_MISSING');
      expect(failure.message).toContain('deep/down/secret');
      expect(failure.hint).toContain('keyring restore');
      expect(existsSync(join(path, '.volseal'))).toBe(false);
    }
  });

  test('allows plaintext, and files sealed outside of any volume', async () => {
    const path = directory();
    mkdirSync(join(path, 'lost+found'));
    writeFileSync(join(path, 'plain'), 'plaintext');
    await encryptFile(join(path, 'plain'), join(path, 'standalone'), { keys });
    await initVolume(path, { keys, recovery: false });
    const volume = await open(path);
    expect(await volume.readdir('/')).toEqual(['plain', 'standalone']);
    expect((await failureOf(volume.readFile('plain'))).code).toBe('ERR_VOLSEAL_NOT_SEALED');
    expect((await failureOf(volume.readFile('standalone'))).code).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(readFileSync(join(path, 'plain'), 'utf8')).toBe('plaintext');
  });

  test('finishes what a crash interrupted', async () => {
    const path = directory();
    mkdirSync(join(path, '.volseal/locks'), { recursive: true });
    await initVolume(path, { keys, recovery: false });
    expect((await open(path)).id).toMatch(/^[0-9a-f]{32}$/);
  });

  test('refuses what is no root', async () => {
    writeFileSync(at('file'), '');
    expect((await failureOf(initVolume(at('nothing'), { keys }))).code).toBe('ERR_VOLSEAL_NOT_FOUND');
    expect(existsSync(at('nothing'))).toBe(false);
    expect((await failureOf(initVolume(at('file'), { keys }))).code).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
    for (const wrong of ['', 5, undefined, 'a\0b']) {
      expect((await failureOf(initVolume(wrong as string, { keys }))).code).toBe(
        'ERR_VOLSEAL_INVALID_ARGUMENT',
      );
    }
  });

  test('refuses options that are wrong', async () => {
    const path = directory();
    expect((await failureOf(initVolume(path, { keys, recover: true } as never))).code).toBe(
      'ERR_VOLSEAL_UNKNOWN_OPTION',
    );
    expect((await failureOf(initVolume(path, { keys, recovery: 'no' } as never))).code).toBe(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
    );
    expect((await failureOf(initVolume(path, { keys, policy: { suite: 'rot13' } } as never))).code).toMatch(
      /INVALID_ARGUMENT|UNSUPPORTED_SUITE/,
    );
    expect((await failureOf(initVolume(path, {} as never))).code).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
    expect(readdirSync(path)).toEqual([]);
  });
});

describe('openVolume', () => {
  test('says what is missing', async () => {
    expect((await failureOf(openVolume(directory(), { keys }))).code).toBe('ERR_VOLSEAL_KEYRING_MISSING');
    expect((await failureOf(openVolume(fresh(), { keys }))).code).toBe('ERR_VOLSEAL_NOT_FOUND');
    const failure = await failureOf(openVolume(await root(), { keys: testKeys('other') }));
    expect(failure.code).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  test('refuses another volume, and a keyring that is too old', async () => {
    const path = await root();
    expect((await failureOf(openVolume(path, { keys, expectVolumeId: 'ab'.repeat(16) }))).code).toBe(
      'ERR_VOLSEAL_VOLUME_MISMATCH',
    );
    expect((await failureOf(openVolume(path, { keys, minGeneration: 2 }))).code).toBe(
      'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
    );
  });

  test('refuses options that are wrong', async () => {
    const path = await root();
    for (const wrong of [
      { readOnly: true },
      { durability: 'maybe' },
      { cacheBytes: -1 },
      { cacheBytes: 1.5 },
      { minGeneration: '1' },
      { create: 1 },
      { readonly: 'yes' },
      { create: true, readonly: true },
      { expectVolumeId: 'xyz' },
      { keys: {} },
    ]) {
      const { code } = await failureOf(openVolume(path, { keys, ...wrong } as never));
      expect([wrong, code]).toEqual([
        wrong,
        expect.stringMatching(/^ERR_VOLSEAL_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/),
      ]);
    }
  });

  test('through a link to the root has the real root', async () => {
    const path = await root();
    const link = fresh();
    symlinkSync(path, link);
    const volume = await open(link);
    expect(volume.root).toBe(path);
    await volume.writeFile('f', 'x');
    expect(await volume.readFile('f', 'utf8')).toBe('x');
  });

  test('makes the directories that are missing again, and says so', async () => {
    const path = await root();
    rmSync(join(path, '.volseal/journal'), { recursive: true });
    rmSync(join(path, '.volseal/locks'), { recursive: true });
    const codes = await warningsOf(async () => {
      const volume = await open(path);
      await volume.appendFile('f', 'x');
      expect(await volume.readFile('f', 'utf8')).toBe('x');
    });
    expect(codes.filter((code) => code === 'directory-made-again')).toHaveLength(2);
  });

  test('does not use a link in the place of a directory of its own', async () => {
    const path = await root();
    const outside = directory();
    rmSync(join(path, '.volseal/journal'), { recursive: true });
    symlinkSync(outside, join(path, '.volseal/journal'));
    expect((await failureOf(openVolume(path, { keys }))).code).toBe('ERR_VOLSEAL_OUTSIDE_VOLUME');
    expect(readdirSync(outside)).toEqual([]);
  });
});

describe('openVolume with create', () => {
  test('makes a volume of an empty root, lost+found apart', async () => {
    const path = directory();
    mkdirSync(join(path, 'lost+found'));
    const volume = await open(path, { create: true });
    await volume.writeFile('f', 'x');
    await volume.close();
    expect((await open(path, { create: true })).id).toBe(volume.id);
    expect(await (await open(path)).readFile('f', 'utf8')).toBe('x');
    expect(volume.root).toBe(path);
  });

  test('of nothing else', async () => {
    for (const name of ['file', 'directory/']) {
      const path = directory();
      if (name.endsWith('/')) mkdirSync(join(path, name));
      else writeFileSync(join(path, name), '');
      const failure = await failureOf(openVolume(path, { keys, create: true }));
      expect(failure.code).toBe('ERR_VOLSEAL_KEYRING_MISSING');
      expect(failure.hint).toContain('volseal init');
      expect(readdirSync(path)).toEqual([name.replace('/', '')]);
    }
    const gone = await root();
    const volume = await open(gone);
    await volume.writeFile('f', 'x');
    await volume.close();
    rmSync(join(gone, '.volseal/keyring.json'));
    expect((await failureOf(openVolume(gone, { keys, create: true }))).code).toBe(
      'ERR_VOLSEAL_KEYRING_MISSING',
    );
    // Not even when only a journal says that there was one.
    rmSync(join(gone, 'f'));
    writeFileSync(join(gone, '.volseal/journal', '00'.repeat(16)), 'x');
    expect((await failureOf(openVolume(gone, { keys, create: true }))).code).toBe(
      'ERR_VOLSEAL_KEYRING_MISSING',
    );
  });

  test('several at once make one volume', async () => {
    const path = directory();
    const volumes = await Promise.all(Array.from({ length: 5 }, () => open(path, { create: true })));
    expect(new Set(volumes.map(({ id }) => id)).size).toBe(1);
    await volumes[0]?.writeFile('f', 'x');
    expect(await volumes[4]?.readFile('f', 'utf8')).toBe('x');
  });
});

describe('permission', () => {
  /** As a process of another user meets a root that belongs to root. */
  const refusing = (code: string): System => {
    const refuse = async (path: string): Promise<never> => {
      throw Object.assign(new Error(`${code}: permission denied, open '${path}'`), {
        code,
        errno: -13,
        syscall: 'open',
        path,
      });
    };
    return { ...nodeSystem, open: refuse, mkdir: refuse };
  };

  test.each(['EACCES', 'EPERM'])('%s on the root says what to put into the entrypoint', async (code) => {
    const path = directory();
    for (const work of [
      () => initVolumeOn(refusing(code), path, { keys }),
      () => openVolumeOn(refusing(code), path, { keys, create: true }),
    ]) {
      const failure = await failureOf(work());
      expect(failure).toBeInstanceOf(VolsealError);
      expect(failure.code).toBe('ERR_VOLSEAL_PERMISSION');
      expect(failure.hint).toMatch(/chown \d+:\d+ .*entrypoint/);
    }
  });
});

describe.skipIf(!isRoot)('a process of root', () => {
  const [uid, gid] = [12_345, 23_456];

  test('gives everything it makes to the owner of the root', async () => {
    const path = directory();
    chownSync(path, uid, gid);
    await initVolume(path, { keys });
    const volume = await open(path);
    await volume.writeFile('written', 'x');
    await volume.writeFile('once', 'x', { immutable: true });
    await volume.appendFile('appended', 'x');
    await (await volume.open('opened', 'w')).close();
    await (await volume.open('with-context', 'wx', { context: { a: 'b' } })).close();
    await volume.mkdir('a/b', { recursive: true });
    await volume.mkdtemp('a/t-');
    await volume.symlink('written', 'link');
    await volume.copyFile('written', 'copied');
    await volume.cp('a', 'c', { recursive: true });
    await volume.outputFile('d/e/f', 'x');
    await new Promise((resolve) => volume.createWriteStream('streamed').on('close', resolve).end('x'));
    const handle = await volume.open('synced', 'a');
    await handle.write('x');
    await handle.sync();
    for (const name of readdirSync(path, { recursive: true, encoding: 'utf8' })) {
      const stats = lstatSync(join(path, name));
      expect([name, stats.uid, stats.gid]).toEqual([name, uid, gid]);
    }
    expect(readdirSync(join(path, '.volseal/journal'))).toHaveLength(1);
    await handle.close();
    // A file that is replaced keeps the owner that it has.
    chownSync(join(path, 'written'), 7, 8);
    chmodSync(join(path, 'written'), 0o604);
    await volume.writeFile('written', 'y');
    const stats = statSync(join(path, 'written'));
    expect([stats.uid, stats.gid, stats.mode & 0o777]).toEqual([7, 8, 0o604]);
  });
});

describe('files that are no files of the volume', () => {
  test('plaintext is never returned, and can be listed, moved and removed', async () => {
    const path = await root();
    const volume = await open(path);
    writeFileSync(join(path, 'plain'), 'plaintext '.repeat(1_000));
    writeFileSync(join(path, 'empty'), '');
    for (const name of ['plain', 'empty']) {
      for (const work of [
        () => volume.readFile(name),
        () => volume.open(name),
        () => volume.open(name, 'r+'),
        () => volume.appendFile(name, 'x'),
        () => volume.truncate(name),
        () => volume.copyFile(name, 'copy'),
        () => volume.readJson(name),
        () =>
          new Promise((resolve, reject) =>
            volume.createReadStream(name).on('error', reject).on('data', resolve),
          ),
      ]) {
        const failure = await failureOf(work());
        expect(failure.code).toBe('ERR_VOLSEAL_NOT_SEALED');
        expect(failure.message).not.toContain('plaintext ');
        expect(failure.message).toContain(name);
        expect(failure.message).not.toContain(path);
      }
      expect((await volume.stat(name)).size).toBe(statSync(join(path, name)).size);
      expect((await volume.lstat(name)).isFile()).toBe(true);
    }
    expect(existsSync(join(path, 'copy'))).toBe(false);
    await volume.rename('plain', 'moved');
    await volume.writeFile('moved', 'sealed now');
    expect(await volume.readFile('moved', 'utf8')).toBe('sealed now');
    await volume.rm('empty');
    expect(await volume.readdir('/')).toEqual(['moved']);
  });

  test('files of another volume, also one with the same secret', async () => {
    const [a, b] = [await open(await root()), await open(await root())];
    await a.writeFile('f', 'of a');
    writeFileSync(join(b.root, 'f'), readFileSync(join(a.root, 'f')));
    expect((await failureOf(b.readFile('f'))).code).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  test('a file cut to any length is not read as a shorter one', async () => {
    const volume = await open(await root(), { durability: 'none' });
    for (const immutable of [false, true]) {
      await volume.writeFile('f', 'x'.repeat(50_000), { immutable });
      const path = join(volume.root, 'f');
      const whole = readFileSync(path);
      const lengths = [
        0,
        1,
        7,
        8,
        100,
        2_047,
        2_048,
        2_049,
        4_095,
        4_096,
        4_097,
        4_140,
        20_480,
        20_481,
        20_523,
        20_524,
        36_864,
        whole.length - 1,
      ];
      for (const length of lengths) {
        writeFileSync(path, whole);
        truncateSync(path, length);
        const { code } = await failureOf(volume.readFile('f'));
        expect([length, code]).toEqual([
          length,
          expect.stringMatching(/^ERR_VOLSEAL_(NOT_SEALED|TRUNCATED|HEADER_DAMAGED|TAMPERED)$/),
        ]);
      }
      writeFileSync(path, whole);
      expect((await volume.readFile('f')).length).toBe(50_000);
    }
  });

  test('segments that are swapped within a file and between files are not released', async () => {
    const volume = await open(await root(), { durability: 'none' });
    for (const immutable of [false, true]) {
      const segment = immutable ? 65_536 : 16_384;
      const content = 'abcd'.repeat(segment);
      await volume.writeFile('a', content, { immutable });
      await volume.writeFile('b', content.toUpperCase(), { immutable });
      const [a, b] = ['a', 'b'].map((name) => readFileSync(join(volume.root, name))) as [Buffer, Buffer];
      const region = immutable ? 2_048 : 4_096;
      const at = (index: number): number => region + index * segment;
      const forged: Buffer[] = [];
      const swapped = Buffer.from(a);
      a.copy(swapped, at(0), at(1), at(2));
      a.copy(swapped, at(1), at(0), at(1));
      forged.push(swapped);
      const foreign = Buffer.from(a);
      b.copy(foreign, at(1), at(1), at(2));
      forged.push(foreign);
      forged.push(Buffer.concat([b.subarray(0, region), a.subarray(region)]));
      forged.push(Buffer.concat([a, a.subarray(at(1), at(2))]));
      const zeroed = Buffer.from(a);
      zeroed.fill(0, at(1), at(2));
      forged.push(zeroed);
      for (const [index, bytes] of forged.entries()) {
        writeFileSync(join(volume.root, 'a'), bytes);
        const outcome = await volume
          .readFile('a', 'utf8')
          .catch((error: NodeJS.ErrnoException) => error.code);
        // What stands behind the end of a mutable file is residue of a crash: the header says where the end is.
        const expected =
          index === 3 && !immutable
            ? content
            : expect.stringMatching(/^ERR_VOLSEAL_(TAMPERED|TRUNCATED|TRAILING_DATA)$/);
        expect([index, outcome]).toEqual([index, expected]);
      }
      // A whole file in the place of another, and an older version of the same: nothing inside a file can tell.
      writeFileSync(join(volume.root, 'a'), b);
      expect(await volume.readFile('a', 'utf8')).toBe(content.toUpperCase());
      writeFileSync(join(volume.root, 'a'), a);
      expect(await volume.readFile('a', 'utf8')).toBe(content);
    }
  });
});

describe('what a dead process left', () => {
  const dead = (): string =>
    `.volseal-tmp-${'0'.repeat(32)}-1-1-1-1-${Math.random().toString(16).slice(2).padEnd(16, '0').slice(0, 16)}`;

  test('does not keep a directory from being removed; what a living one is writing does', async () => {
    const volume = await open(await root(), { durability: 'none' });
    await volume.mkdir('d');
    for (let i = 0; i < 3; i++) writeFileSync(join(volume.root, 'd', dead()), 'x');
    writeFileSync(join(volume.root, 'd', temporaryName()), 'x');
    expect(await volume.readdir('d')).toEqual([]);
    expect((await failureOf(volume.rmdir('d'))).code).toBe('ENOTEMPTY');
    expect(readdirSync(join(volume.root, 'd'))).toHaveLength(4);
    await volume.emptyDir('d');
    expect(readdirSync(join(volume.root, 'd'))).toHaveLength(1);
    rmSync(join(volume.root, 'd', readdirSync(join(volume.root, 'd'))[0] as string));
    writeFileSync(join(volume.root, 'd', dead()), 'x');
    await volume.rmdir('d');
    expect(existsSync(join(volume.root, 'd'))).toBe(false);
  });

  test('goes with a tree that is removed', async () => {
    const volume = await open(await root(), { durability: 'none' });
    await volume.outputFile('d/e/f', 'x');
    writeFileSync(join(volume.root, 'd/e', dead()), 'x');
    mkdirSync(join(volume.root, 'd/.volseal'));
    await volume.rm('d', { recursive: true });
    expect(existsSync(join(volume.root, 'd'))).toBe(false);
  });
});

describe('a damaged file', () => {
  test('can be renamed, moved, removed and replaced', async () => {
    const volume = await open(await root(), { durability: 'none' });
    const damage = async (name: string): Promise<void> => {
      await volume.writeFile(name, 'x');
      const path = join(volume.root, name);
      writeFileSync(path, readFileSync(path).fill(0xff, 20, 4_000));
    };
    await damage('a');
    expect((await failureOf(volume.readFile('a'))).code).toMatch(/^ERR_VOLSEAL_HEADER_/);
    await volume.rename('a', 'b');
    await volume.move('b', 'c/d');
    await volume.writeFile('c/d', 'whole');
    expect(await volume.readFile('c/d', 'utf8')).toBe('whole');
    await damage('a');
    await volume.rm('a');
    await damage('a');
    await volume.unlink('a');
    expect(await volume.readdir('/')).toEqual(['c']);
  });
});

describe('a volume that was opened read-only', () => {
  test('reads, changes nothing, and refuses with EROFS', async () => {
    const path = await root();
    const writing = await open(path);
    await writing.outputFile('d/f', 'x');
    await writing.symlink('f', 'd/l');
    await writing.close();
    rmSync(join(path, '.volseal/locks'), { recursive: true });
    const before = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => [
      name,
      lstatSync(join(path, name)).mtimeMs,
    ]);
    const volume = await open(path, { readonly: true });
    expect(await volume.readFile('d/f', 'utf8')).toBe('x');
    expect((await volume.stat('d/f')).size).toBe(1);
    expect(await volume.readdir('/', { recursive: true })).toEqual(['d', 'd/f', 'd/l']);
    const reading = await volume.open('d/f');
    await reading.close();
    const changing: readonly (readonly [string, () => Promise<unknown>])[] = [
      ['open', () => volume.writeFile('d/f', 'y')],
      ['open', () => volume.appendFile('d/f', 'y')],
      ['open', () => volume.truncate('d/f')],
      ['open', () => volume.open('d/f', 'r+')],
      ['open', () => volume.open('d/g', 'a')],
      ['open', () => volume.open('d/g', 'wx')],
      ['open', () => volume.readFile('d/g', { flag: 'a+' })],
      [
        'open',
        () =>
          volume
            .outputFile('d/g', 'y')
            .catch((error: unknown) =>
              Promise.reject(Object.assign(error as Error, { syscall: 'open', path: 'd/g' })),
            ),
      ],
      ['open', () => volume.writeJson('d/g', 1)],
      ['mkdir', () => volume.mkdir('x')],
      ['mkdir', () => volume.mkdir('d', { recursive: true })],
      ['mkdir', () => volume.ensureDir('d')],
      ['mkdtemp', () => volume.mkdtemp('x')],
      ['rmdir', () => volume.rmdir('d')],
      ['rm', () => volume.rm('d', { recursive: true, force: true })],
      ['unlink', () => volume.unlink('d/f')],
      ['rename', () => volume.rename('d', 'e')],
      ['rename', () => volume.move('d', 'e')],
      ['copyfile', () => volume.copyFile('d/f', 'g')],
      ['cp', () => volume.cp('d', 'e', { recursive: true })],
      ['chmod', () => volume.chmod('d/f', 0o600)],
      ['chown', () => volume.chown('d/f', -1, -1)],
      ['utime', () => volume.utimes('d/f', 1, 1)],
      ['symlink', () => volume.symlink('f', 'm')],
      ['scandir', () => volume.emptyDir('d')],
      ['open', () => new Promise((_, reject) => volume.createWriteStream('d/f').on('error', reject))],
      [
        'open',
        () => new Promise((_, reject) => volume.createWriteStream('d/f', { flags: 'a' }).on('error', reject)),
      ],
    ];
    for (const [syscall, work] of changing) {
      const failure = await failureOf(work());
      expect([failure.code, failure.syscall]).toEqual(['EROFS', syscall]);
      expect(failure.message).toContain('read-only');
    }
    await volume.close();
    const after = readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => [
      name,
      lstatSync(join(path, name)).mtimeMs,
    ]);
    expect(after).toEqual(before);
  });
});
