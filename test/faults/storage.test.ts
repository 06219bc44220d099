/** Disks that are full, files that may not grow, and file systems that cannot be written to. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

import { decrypt, encrypt, encryptFile } from '../../src/index.ts';
import { plainOf } from '../sealed/plain.ts';
import { scratch } from '../sealed/scratch.ts';
import { keys } from '../sealed/streams/transforms.ts';
import { type Operation, runLimited } from './limited.ts';

const { at, fresh, leftovers } = scratch();
const mounted: string[] = [];
afterAll(() => {
  for (const folder of mounted) spawnSync('umount', [folder]);
});

/** A file system in memory of so many bytes, or undefined where that is not allowed. */
function mountSmall(bytes: number): string | undefined {
  const folder = fresh();
  mkdirSync(folder);
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder]).status !== 0)
    return undefined;
  mounted.push(folder);
  return folder;
}

const mebibyte = 1_048_576;
const large = at('large');
const largeSealed = at('large.vsl');
writeFileSync(large, plainOf(4 * mebibyte));
writeFileSync(largeSealed, await encrypt(plainOf(4 * mebibyte), { keys }));

const writing = (destination: string): Operation[] => [
  ['encryptFile', large, destination],
  ['decryptFile', largeSealed, destination],
  ['createEncryptWriteStream', large, destination],
];
const noSpace = {
  outcome: 'VolsealError',
  code: 'ERR_VOLSEAL_NO_SPACE',
  hint: expect.any(String),
  leakedDescriptors: 0,
};

const small = mountSmall(2 * mebibyte);
if (small === undefined)
  console.log('skipped: tests of full and read-only disks need the right to mount a file system');

describe.skipIf(small === undefined)('a small file system', () => {
  const folder = small as string;
  const freeBytes = (): number => statfsSync(folder).bfree * statfsSync(folder).bsize;

  test('full in the middle: an error in the words of the user, the old file stays, the room is given back', async () => {
    const destination = join(folder, 'file');
    writeFileSync(destination, 'older');
    const free = freeBytes();
    for (const outcome of await runLimited(writing(destination), {})) {
      expect(outcome).toMatchObject({
        ...noSpace,
        message: expect.stringContaining(destination),
        path: destination,
      });
    }
    expect(readdirSync(folder)).toEqual(['file']);
    expect(readFileSync(destination, 'utf8')).toBe('older');
    expect(freeBytes()).toBe(free);
  });

  test('full from the beginning, down to the last block', async () => {
    const destination = join(folder, 'file');
    writeFileSync(destination, 'older');
    writeFileSync(join(folder, 'filler'), Buffer.alloc(freeBytes()));
    for (const outcome of await runLimited(writing(destination), {})) expect(outcome).toMatchObject(noSpace);
    expect(readFileSync(destination, 'utf8')).toBe('older');
    expect(readdirSync(folder).sort()).toEqual(['file', 'filler']);
  });

  test('just enough room is enough', async () => {
    spawnSync('rm', [join(folder, 'filler'), join(folder, 'file')]);
    const source = at('fits');
    // A page for the folder's own needs apart.
    const plain = plainOf(freeBytes() - 4_096 - 2 * 4_096 - 32 * (freeBytes() / 65_536 + 1));
    writeFileSync(source, plain);
    await encryptFile(source, join(folder, 'fits'), { keys });
    expect(Buffer.compare(await decrypt(readFileSync(join(folder, 'fits')), { keys }), plain)).toBe(0);
    spawnSync('rm', [join(folder, 'fits')]);
  });

  test('read-only', async () => {
    writeFileSync(join(folder, 'file'), 'older');
    expect(spawnSync('mount', ['-o', 'remount,ro', folder]).status).toBe(0);
    for (const outcome of await runLimited(
      [...writing(join(folder, 'file')), ...writing(join(folder, 'new'))],
      {},
    )) {
      expect(outcome).toMatchObject({
        outcome: 'VolsealError',
        code: 'ERR_VOLSEAL_PERMISSION',
        message: expect.stringContaining('read-only'),
        hint: expect.any(String),
        leakedDescriptors: 0,
      });
    }
    expect(readdirSync(folder)).toEqual(['file']);
    expect(spawnSync('mount', ['-o', 'remount,rw', folder]).status).toBe(0);
  });
});

test('a device without room', async () => {
  for (const outcome of await runLimited(writing('/dev/full').slice(0, 2), {})) {
    expect(outcome).toMatchObject({ ...noSpace, path: '/dev/full' });
  }
});

test.each([1, 4_096, 5_000, mebibyte, 3 * mebibyte])('files may have %i bytes at most', async (bytes) => {
  const existing = fresh();
  const missing = fresh();
  writeFileSync(existing, 'older');
  for (const outcome of await runLimited([...writing(existing), ...writing(missing)], {
    prlimit: `--fsize=${bytes}`,
  })) {
    expect(outcome).toMatchObject({ ...noSpace, message: expect.stringMatching(/limit/) });
  }
  expect(readFileSync(existing, 'utf8')).toBe('older');
  expect(existsSync(missing)).toBe(false);
  expect(leftovers()).toEqual([]);
});
