import { constants } from 'node:fs';

import { afterEach, describe, expect, it, vi } from 'vitest';

import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { encodeLockRecord } from '../../../src/fs/locks/lock-record.ts';
import { ownIdentity } from '../../../src/os/process-identity.ts';
import type { System } from '../../../src/os/system.ts';
import { temporaryName } from '../../../src/os/temporary-name.ts';
import { faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';

const name = '00112233445566778899aabbccddeeff.write';
const path = 'photos/1.jpg';
const directory = '/locks';
const dead = { ...ownIdentity(), bootId: '0'.repeat(32) };

afterEach(() => {
  vi.useRealTimers();
});

async function plant(system: System, file: string, content: Uint8Array): Promise<void> {
  await system.mkdir(directory).catch(() => {});
  const fd = await system.open(`${directory}/${file}`, constants.O_CREAT | constants.O_WRONLY);
  await system.writev(fd, [content], 0);
  await system.close(fd);
}

const deadLock = (token = 'd'.repeat(32)): Uint8Array => encodeLockRecord({ holder: dead, token });

async function files(system: System): Promise<string[]> {
  return (await system.readdir(directory)).map((entry) => entry.name).filter((file) => !file.startsWith('.'));
}

describe.each([true, false])('hard links: %s', (hardLinks) => {
  const disk = (): SimulatedSystem => new SimulatedSystem(undefined, { hardLinks });

  it('one holds it, others get EBUSY with its pid, then it is free', async () => {
    const system = disk();
    const [first, second] = [new FileLocks(system, directory), new FileLocks(system, directory)];
    const lock = await first.acquire(name, { path });
    const error = await second.acquire(name, { path }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'EBUSY', syscall: 'open', path, holderPid: process.pid });
    expect((error as Error).message).toContain(`held by this process, ${process.pid}`);
    expect(await second.holder(name)).toEqual(ownIdentity());
    await expect(first.acquire(name, { path })).rejects.toMatchObject({ code: 'EBUSY' });
    const other = await second.acquire('keyring', { path });
    await lock.release();
    expect(await second.holder(name)).toBeUndefined();
    const next = await second.acquire(name, { path });
    await lock.release(); // does nothing any more
    await expect(first.acquire(name, { path })).rejects.toMatchObject({ code: 'EBUSY' });
    await Promise.all([next.release(), other.release()]);
    expect(await files(system)).toEqual([]);
    expect(system.openDescriptors).toEqual([]);
  });

  it('the lock of a dead process is taken over, also with a dead claim on it', async () => {
    const system = disk();
    const locks = new FileLocks(system, directory);
    await plant(system, name, deadLock());
    expect(await locks.holder(name)).toBeUndefined();
    await (await locks.acquire(name, { path })).release();
    expect(await files(system)).toEqual([]);
    await plant(system, name, deadLock());
    await plant(system, `${name}~${'d'.repeat(32)}`, deadLock('e'.repeat(32)));
    const lock = await locks.acquire(name, { path });
    expect(await locks.holder(name)).toEqual(ownIdentity());
    await lock.release();
    expect(await files(system)).toEqual([]);
  });

  it('a living claim on a dead lock is the lock', async () => {
    const system = disk();
    const locks = new FileLocks(system, directory);
    await plant(system, name, deadLock());
    const living = encodeLockRecord({ holder: ownIdentity(), token: 'a'.repeat(32) });
    await plant(system, `${name}~${'d'.repeat(32)}`, living);
    expect(await locks.holder(name)).toEqual(ownIdentity());
    await expect(locks.acquire(name, { path })).rejects.toMatchObject({ holderPid: process.pid });
  });

  it.each([
    ['empty', ''],
    ['zeros', '\0'.repeat(200)],
    ['half', '{"volsealLock":1,'],
    ['noise', 'x'.repeat(4_000)],
  ])('a file without a record (%s) is being written for two seconds, then stale', async (_, content) => {
    const system = disk();
    const locks = new FileLocks(system, directory);
    await plant(system, name, Buffer.from(content));
    const error = await locks.acquire(name, { path }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'EBUSY' });
    expect(error).not.toHaveProperty('holderPid');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2_500 });
    await (await locks.acquire(name, { path })).release();
    expect(await files(system)).toEqual([]);
  });

  it('only what is ours is released', async () => {
    const system = disk();
    const [first, second] = [new FileLocks(system, directory), new FileLocks(system, directory)];
    const lock = await first.acquire(name, { path });
    await system.unlink(`${directory}/${name}`);
    const other = await second.acquire(name, { path });
    await lock.release();
    expect(await files(system)).toEqual([name]);
    await system.unlink(`${directory}/${name}`);
    await other.release();
  });

  it('waits for another holder', async () => {
    const system = disk();
    const [first, second] = [new FileLocks(system, directory), new FileLocks(system, directory)];
    const lock = await first.acquire(name, { path });
    await expect(second.acquire(name, { path, waitMs: 30 })).rejects.toMatchObject({ code: 'EBUSY' });
    const waiting = second.acquire(name, { path, waitMs: 10_000 });
    setTimeout(() => void lock.release(), 5);
    await (await waiting).release();
    expect(await files(system)).toEqual([]);
  });

  it('waits in turn within one object, without touching the disk', async () => {
    const faulty = new FaultySystem(disk());
    const locks = new FileLocks(faulty.system, directory);
    const lock = await locks.acquire(name, { path });
    const order: number[] = [];
    const waiting = [1, 2, 3].map(async (number) => {
      const held = await locks.acquire(name, { path, waitMs: 10_000 });
      order.push(number);
      if (number < 3) await held.release();
      return held;
    });
    await expect(locks.acquire(name, { path, waitMs: 5 })).rejects.toMatchObject({ holderPid: process.pid });
    const before = faulty.calls.length;
    await lock.release();
    const held = await Promise.all(waiting);
    expect(order).toEqual([1, 2, 3]);
    expect(faulty.calls.length).toBe(before);
    await held.at(-1)?.release();
    expect(await files(faulty.system)).toEqual([]);
  });

  it('goes on after the directory was removed under it', async () => {
    const system = disk();
    const locks = new FileLocks(system, directory, { uid: 12, gid: 34 });
    await (await locks.acquire(name, { path })).release();
    for (const { name: file } of await system.readdir(directory)) await system.unlink(`${directory}/${file}`);
    await system.rmdir(directory);
    const lock = await locks.acquire(name, { path });
    for (const at of [directory, `${directory}/${name}`]) {
      expect(await system.lstat(at)).toMatchObject({ uid: 12n, gid: 34n });
    }
    await lock.release();
    await locks.close();
    await (await locks.acquire(name, { path })).release();
    await locks.close();
    expect(await system.readdir(directory)).toEqual([]);
  });

  it('a sweep removes what the dead left and nothing else', async () => {
    const system = disk();
    const [first, second] = [new FileLocks(system, directory), new FileLocks(system, directory)];
    const lock = await first.acquire(name, { path });
    const staleTemporary = temporaryName().replace(ownIdentity().bootId, '0'.repeat(32));
    await plant(system, staleTemporary, deadLock());
    await plant(system, 'a.write', deadLock('1'.repeat(32)));
    await plant(system, `a.write~${'1'.repeat(32)}`, deadLock('2'.repeat(32)));
    await plant(system, `b.write~${'3'.repeat(32)}`, deadLock('4'.repeat(32)));
    await plant(system, 'unknown.txt', Buffer.from('being written'));
    if (ownIdentity().bootId === '') return;
    expect(await second.sweep()).toBe(3);
    expect(await files(system)).toEqual([name, 'unknown.txt']);
    expect(await system.readdir(directory)).not.toContainEqual({ name: staleTemporary, kind: 'file' });
    await lock.release();
    expect(await second.sweep()).toBe(0);
    expect(await new FileLocks(new SimulatedSystem(), '/none').sweep()).toBe(0);
  });

  it('any call may fail: an error about the path, nothing open, and the lock can be had again', async () => {
    const scenario = async (system: System, locks: FileLocks): Promise<void> => {
      await plant(system, name, deadLock());
      await plant(system, `${name}~${'d'.repeat(32)}`, deadLock('e'.repeat(32)));
      await (await locks.acquire(name, { path })).release();
      await (await locks.acquire(name, { path })).release();
      await locks.sweep();
    };
    // Planting goes to the disk itself: only the calls of the locks are counted and fail.
    const whole = disk();
    const complete = new FaultySystem(whole);
    await scenario(whole, new FileLocks(complete.system, directory));
    const calls = [...complete.calls];
    expect(calls.length).toBeGreaterThan(20);
    for (const call of calls) {
      for (const fault of faultsOf(call)) {
        const where = `${call.number} ${call.name} ${JSON.stringify(fault)}`;
        const inner = disk();
        const faulty = new FaultySystem(inner);
        const locks = new FileLocks(faulty.system, directory);
        faulty.decide(({ number }) => (number === call.number ? fault : undefined));
        const outcome = await scenario(inner, locks).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (outcome !== undefined)
          expect(outcome, where).toMatchObject({ code: expect.stringMatching(/^E/) });
        expect(inner.openDescriptors, where).toEqual([]);
        faulty.decide(() => undefined);
        vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 2_500 });
        const again = await locks.acquire(name, { path });
        expect(await locks.holder(name), where).toEqual(ownIdentity());
        await again.release();
        vi.useRealTimers();
      }
    }
  });
});

it('costs one call to take and two to release', async () => {
  const faulty = new FaultySystem(new SimulatedSystem());
  const calls = (): string[] => faulty.calls.map((call) => call.name);
  const locks = new FileLocks(faulty.system, directory);
  const first = await locks.acquire(name, { path });
  expect(calls()).toEqual(['open', 'mkdir', 'open', 'writev', 'fstat', 'close', 'link']);
  faulty.decide(() => undefined);
  const second = await locks.acquire('keyring', { path });
  expect(calls()).toEqual(['link']);
  faulty.decide(() => undefined);
  await second.release();
  expect(calls()).toEqual(['lstat', 'unlink']);
  faulty.decide(() => undefined);
  const other = new FileLocks(faulty.system, directory);
  await expect(other.acquire(name, { path })).rejects.toThrow('EBUSY');
  expect(calls()).toEqual(['open', 'writev', 'fstat', 'close', 'link', 'open', 'read', 'fstat', 'close']);
  await first.release();
});
