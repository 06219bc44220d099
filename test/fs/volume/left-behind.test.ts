/** What dead processes left behind, and what strangers put in its place. */

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { ownIdentity, pretendReboot } from '../../../src/os/process-identity.ts';
import { temporaryName } from '../../../src/os/temporary-name.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { open, root } = volumeScratch();
const onLinux = process.platform === 'linux';
/** Plaintext bytes of a segment. */
const step = 16_340;

const fileIdOf = (path: string): string => readFileSync(path).subarray(28, 44).toString('hex');
const entriesOf = (volume: Volume, below: string): string[] => readdirSync(join(volume.root, below));

/** Makes `name` with a journal that is pending, by a process that is gone. */
async function abandon(path: string, name: string): Promise<void> {
  const volume = await open(path);
  await volume.writeFile(name, 'old;');
  const handle = await volume.open(name, 'a');
  await handle.write('acknowledged;');
  await handle.sync();
  pretendReboot();
}

describe('journals', () => {
  test('go with the last name of their files', async () => {
    for (const remove of [
      (volume: Volume) => volume.rm('f'),
      (volume: Volume) => volume.unlink('f'),
      (volume: Volume) => volume.rename('other', 'f'),
      (volume: Volume) => volume.move('other', 'f', { overwrite: true }),
      (volume: Volume) => volume.emptyDir('/'),
    ]) {
      const path = await root();
      await abandon(path, 'f');
      const volume = await open(path);
      await volume.writeFile('other', 'x');
      expect(entriesOf(volume, '.volseal/journal')).toHaveLength(1);
      await remove(volume);
      expect(entriesOf(volume, '.volseal/journal')).toEqual([]);
    }
  });

  test('stay with a file that has another name, or somebody who writes to it', async () => {
    const path = await root();
    await abandon(path, 'f');
    const volume = await open(path);
    execFileSync('ln', [join(path, 'f'), join(path, 'g')]);
    await volume.unlink('f');
    expect(await volume.readFile('g', 'utf8')).toBe('old;acknowledged;');
    const other = await open(path);
    const handle = await other.open('g', 'a+');
    await handle.write('more;');
    await handle.sync();
    await (await open(path)).unlink('g');
    await handle.write('and more');
    await handle.sync();
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(100), 0, 100, 0);
    expect(buffer.toString('utf8', 0, bytesRead)).toBe('old;acknowledged;more;and more');
    await handle.close();
    expect(entriesOf(volume, '.volseal/journal')).toEqual([]);
  });

  test('of a newer version than the file are refused: it was put back alone', async () => {
    const path = await root();
    const volume = await open(path);
    await volume.writeFile('f', Buffer.alloc(2 * step, '1'));
    copyFileSync(join(path, 'f'), join(path, 'f.backup'));
    const first = await volume.open('f', 'r+');
    await first.write('2', 0);
    await first.close();
    const second = await volume.open('f', 'r+');
    await second.write('3', step);
    await second.sync();
    pretendReboot();
    copyFileSync(join(path, 'f.backup'), join(path, 'f'));
    const again = await open(path);
    for (const use of [() => again.readFile('f'), () => again.stat('f'), () => again.open('f', 'r+')]) {
      expect(await failureOf(use())).toMatchObject({
        code: 'ERR_VOLSEAL_JOURNAL_TAMPERED',
        hint: expect.stringContaining(fileIdOf(join(path, 'f'))),
      });
    }
  });

  test('full of marks take a moment, no longer', async () => {
    const path = await root();
    const volume = await open(path);
    await volume.writeFile('f', 'x');
    const journal = join(path, '.volseal/journal', fileIdOf(join(path, 'f')));
    writeFileSync(journal, Buffer.alloc(8_000_000, Buffer.from('9e565352', 'hex')));
    let bytesRead = 0;
    const counting = await open(
      path,
      {},
      new Proxy((await import('../../../src/os/node-system.ts')).nodeSystem, {
        get: (system, name, receiver) => {
          if (name !== 'read') return Reflect.get(system, name, receiver) as unknown;
          return async (...args: Parameters<typeof system.read>): Promise<number> => {
            const bytes = await system.read(...args);
            bytesRead += bytes;
            return bytes;
          };
        },
      }),
    );
    expect((await counting.stat('f')).size).toBe(1);
    expect(bytesRead).toBeLessThan(3 * 8_000_000);
  });
});

describe('temporary files', () => {
  test('of the dead are removed when something is written beside them, those of the living stay', async () => {
    const path = await root();
    mkdirSync(join(path, 'd'));
    const dead = [temporaryName(), temporaryName()];
    pretendReboot();
    const living = temporaryName();
    for (const name of [...dead, living]) writeFileSync(join(path, 'd', name), 'x');
    const volume = await open(path);
    await volume.writeFile('d/f', 'x');
    await volume.close();
    expect(readdirSync(join(path, 'd')).toSorted()).toEqual([living, 'f'].toSorted());
  });
});

describe.runIf(onLinux)('a FIFO', () => {
  test('in the place of a journal or a lock holds nobody up', async () => {
    const path = await root();
    const volume = await open(path);
    await volume.writeFile('f', 'x');
    const id = fileIdOf(join(path, 'f'));
    execFileSync('mkfifo', [join(path, '.volseal/journal', id), join(path, '.volseal/locks', `${id}.write`)]);
    expect(await volume.readFile('f', 'utf8')).toBe('x');
    expect((await volume.stat('f')).size).toBe(1);
    expect((await failureOf(volume.appendFile('f', 'y'))).code).toBe('EBUSY');
  });
});

describe.runIf(onLinux)('a lock of another container on this machine', () => {
  test('is held, for all that can be seen', async () => {
    const path = await root();
    const volume = await open(path);
    await volume.writeFile('f', 'x');
    const lock = join(path, '.volseal/locks', `${fileIdOf(join(path, 'f'))}.write`);
    const { bootId, startTime } = ownIdentity();
    const record = { volsealLock: 1, bootId, pidNamespace: '1', pid: 4_194_305, threadId: 4_194_305 };
    writeFileSync(lock, `${JSON.stringify({ ...record, startTime, token: 'a'.repeat(32) })}\n`);
    const failure = await failureOf(volume.appendFile('f', 'y'));
    expect(failure).toMatchObject({ code: 'EBUSY', holderPid: 4_194_305 });
    expect(failure.message).toContain('another container');
    expect((await failureOf(volume.writeFile('f', 'y'))).message).toContain('another container');
    pretendReboot();
    await volume.close();
    const later = await open(path);
    await later.appendFile('f', 'y');
    expect(await later.readFile('f', 'utf8')).toBe('xy');
  });
});
