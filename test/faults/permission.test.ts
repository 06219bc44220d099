/** Another user's process: what it may not do is refused in plain words; what it may do, it does. */

import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { decrypt, encrypt } from '../../src/index.ts';
import { plainOf } from '../sealed/plain.ts';
import { scratch } from '../sealed/scratch.ts';
import { keys } from '../sealed/streams/transforms.ts';
import { isRoot, type Operation, type Outcome, runLimited } from './limited.ts';

const { at, directory } = scratch();
const other = 65_534;
const plain = plainOf(10_000);
const sealed = await encrypt(plain, { keys });

if (!isRoot) console.log('skipped: tests of permissions change to another user, which needs root');
chmodSync(directory, 0o755);

/** A folder with a readable source of both kinds and an older file. */
function folderOf(name: string, mode: number, owner: number): string {
  const folder = at(name);
  mkdirSync(folder);
  writeFileSync(join(folder, 'older'), 'older');
  writeFileSync(join(folder, 'plain'), plain);
  writeFileSync(join(folder, 'sealed'), sealed);
  if (isRoot) chownSync(folder, owner, owner);
  chmodSync(folder, mode);
  return folder;
}

const writing = (folder: string, destination: string): Operation[] => [
  ['encryptFile', join(folder, 'plain'), join(folder, destination)],
  ['decryptFile', join(folder, 'sealed'), join(folder, destination)],
  ['createEncryptWriteStream', join(folder, 'plain'), join(folder, destination)],
];
const reading = (path: string): Operation[] => [
  ['encryptFile', path, join(directory, 'never')],
  ['decryptFile', path, join(directory, 'never')],
  ['createDecryptReadStream', path],
  ['openEncrypted', path],
  ['inspect', path],
];

function expectRefused(outcomes: readonly Outcome[], path: string): void {
  for (const outcome of outcomes) {
    expect(outcome).toMatchObject({
      outcome: 'VolsealError',
      code: 'ERR_VOLSEAL_PERMISSION',
      message: expect.stringContaining(path),
      path,
      hint: expect.any(String),
      leakedDescriptors: 0,
    });
  }
}

describe.skipIf(!isRoot)('as another user', () => {
  test('a folder that may not be written to', async () => {
    const folder = folderOf('closed', 0o755, 0);
    for (const destination of ['older', 'new']) {
      expectRefused(
        await runLimited(writing(folder, destination), { uid: other }),
        join(folder, destination),
      );
    }
    expect(readdirSync(folder).sort()).toEqual(['older', 'plain', 'sealed']);
    expect(readFileSync(join(folder, 'older'), 'utf8')).toBe('older');
  });

  test('a source that may not be read, and a folder that may not be entered', async () => {
    const folder = folderOf('secret', 0o755, 0);
    chmodSync(join(folder, 'plain'), 0o600);
    expectRefused(await runLimited(reading(join(folder, 'plain')), { uid: other }), join(folder, 'plain'));
    chmodSync(folder, 0o700);
    expectRefused(await runLimited(reading(join(folder, 'sealed')), { uid: other }), join(folder, 'sealed'));
    expectRefused(
      await runLimited([['encryptFile', '/proc/version', join(folder, 'new')]], { uid: other }),
      join(folder, 'new'),
    );
    expect(existsSync(at('never'))).toBe(false);
  });

  test('a folder that may be written to but not read cannot be synced: nothing is changed in it', async () => {
    const folder = folderOf('drop', 0o733, 0);
    const outcomes = await runLimited(writing(folder, 'new'), { uid: other });
    expectRefused(outcomes, join(folder, 'new'));
    expect(readdirSync(folder).sort()).toEqual(['older', 'plain', 'sealed']);
  });

  test('a file of somebody else in a sticky folder stays', async () => {
    const folder = folderOf('sticky', 0o1777, 0);
    expectRefused(await runLimited(writing(folder, 'older'), { uid: other }), join(folder, 'older'));
    expect(readFileSync(join(folder, 'older'), 'utf8')).toBe('older');
    expect(readdirSync(folder).sort()).toEqual(['older', 'plain', 'sealed']);
  });

  test("a file of somebody else in a folder of one's own is replaced, as rename does; the mode stays, the owner cannot", async () => {
    const folder = folderOf('own', 0o755, other);
    chmodSync(join(folder, 'older'), 0o440);
    const [outcome] = await runLimited(writing(folder, 'older').slice(0, 1), { uid: other });
    expect(outcome).toMatchObject({ outcome: 'done', leakedDescriptors: 0 });
    const { mode, uid } = statSync(join(folder, 'older'));
    expect({ mode: mode & 0o7777, uid }).toEqual({ mode: 0o440, uid: other });
    expect(Buffer.compare(await decrypt(readFileSync(join(folder, 'older')), { keys }), plain)).toBe(0);
  });
});
