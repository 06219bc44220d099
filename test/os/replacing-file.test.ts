/** Replacing a file: what it costs, what it keeps, and that it is whole or not at all whatever fails. */

import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { ReplacingFile, type ReplacingFileOptions, replaceFile } from '../../src/os/replacing-file.ts';
import type { System } from '../../src/os/system.ts';
import { isTemporaryName } from '../../src/os/temporary-name.ts';
import { faultsOf, FaultySystem } from '../simulator/faulty-system.ts';
import { simulateCrashes } from '../simulator/simulate-crashes.ts';
import { SimulatedSystem, type SimulatedSystemOptions } from '../simulator/simulated-system.ts';

const older = Buffer.from('older');
const newer = [Buffer.from('new'), Buffer.from(''), Buffer.alloc(2_000, 'er')];
const newerText = Buffer.concat(newer).toString();

async function write(system: System, path: string, content: Uint8Array, mode = 0o666): Promise<void> {
  const fd = await system.open(path, constants.O_CREAT | constants.O_WRONLY, mode);
  await system.writev(fd, [content], 0);
  await system.close(fd);
}

async function read(system: System, path: string): Promise<string> {
  const fd = await system.open(path, constants.O_RDONLY);
  const target = Buffer.alloc(4_096);
  const bytes = await system.read(fd, target, 0, target.length, 0);
  await system.close(fd);
  return target.toString('utf8', 0, bytes);
}

async function names(system: System, path = '/'): Promise<string[]> {
  return (await system.readdir(path)).map(({ name }) => name).toSorted();
}

async function disk(options?: SimulatedSystemOptions): Promise<SimulatedSystem> {
  const system = new SimulatedSystem(undefined, options);
  await write(system, '/old', older, 0o640);
  return system;
}

describe('replaceFile', () => {
  it('makes and replaces', async () => {
    const system = await disk();
    for (const path of ['/new', '/old']) {
      await replaceFile(system, path, newer, { durable: true });
      expect(await read(system, path)).toBe(newerText);
    }
    expect(await names(system)).toEqual(['new', 'old']);
    expect(system.openDescriptors).toEqual([]);
  });

  it.each([
    [
      'a new file',
      '/new',
      { durable: true },
      ['lstat', 'open', 'writev', 'fsync', 'open', 'close', 'rename', 'fsync', 'close'],
    ],
    ['a new file, not durable', '/new', { durable: false }, ['lstat', 'open', 'writev', 'close', 'rename']],
    ['known to be new', '/new', { durable: false, known: 'absent' }, ['open', 'writev', 'close', 'rename']],
    [
      'replacing',
      '/old',
      { durable: false },
      ['lstat', 'open', 'writev', 'fstat', 'fchmod', 'close', 'rename'],
    ],
    [
      'exclusive',
      '/new',
      { durable: false, exclusive: true },
      ['lstat', 'open', 'writev', 'close', 'link', 'unlink'],
    ],
    [
      'with an owner',
      '/new',
      { durable: false, owner: { uid: 7, gid: 8 } },
      ['lstat', 'open', 'fchown', 'writev', 'close', 'rename'],
    ],
  ] as [string, string, ReplacingFileOptions & { durable: boolean }, string[]][])(
    '%s: these system calls',
    async (_, path, options, expected) => {
      // Made so that the umask hides something of its mode.
      const inner = await disk({ umask: 0 });
      await inner.chmod('/old', 0o666);
      const faulty = new FaultySystem(new SimulatedSystem(inner.image(), { umask: 0o022 }));
      await replaceFile(faulty.system, path, newer, options);
      expect(faulty.calls.map(({ name }) => name)).toEqual(expected);
    },
  );

  it('mode and owner: of the replaced file, else as given less the umask', async () => {
    const system = await disk();
    await system.chmod('/old', 0o4751);
    await system.chown('/old', 12, 34);
    await replaceFile(system, '/old', newer, { durable: false, mode: 0o600, owner: { uid: 1, gid: 1 } });
    expect(await system.lstat('/old')).toMatchObject({ mode: 0o104751n, uid: 12n, gid: 34n });
    await replaceFile(system, '/new', newer, { durable: false, mode: 0o622, owner: { uid: 5, gid: 6 } });
    expect(await system.lstat('/new')).toMatchObject({ mode: 0o100600n, uid: 5n, gid: 6n });
    await replaceFile(system, '/newer', newer, { durable: false });
    expect(await system.lstat('/newer')).toMatchObject({ mode: 0o100644n, uid: 0n });
  });

  it('a symbolic link is written through, also to where nothing is yet', async () => {
    const system = await disk();
    await system.mkdir('/d');
    await system.symlink('../old', '/d/link');
    await system.symlink('d/link', '/link');
    await replaceFile(system, '/link', newer, { durable: true });
    expect(await read(system, '/old')).toBe(newerText);
    expect((await system.lstat('/link')).isSymbolicLink()).toBe(true);
    await system.symlink('d/later', '/dangling');
    await replaceFile(system, '/dangling', newer, { durable: true });
    expect(await names(system, '/d')).toEqual(['later', 'link']);
    await system.symlink('loop', '/loop');
    await expect(replaceFile(system, '/loop', newer, { durable: true })).rejects.toMatchObject({
      code: 'ELOOP',
      path: '/loop',
    });
  });

  it('refuses what is no file, and with `exclusive` whatever is there', async () => {
    const system = await disk();
    await system.mkdir('/d');
    await system.symlink('nowhere', '/link');
    const make = (path: string, exclusive = false): Promise<void> =>
      replaceFile(system, path, newer, { durable: true, exclusive });
    await expect(make('/d')).rejects.toMatchObject({ code: 'EISDIR', syscall: 'open', path: '/d' });
    await expect(make('/d', true)).rejects.toMatchObject({ code: 'EEXIST', path: '/d' });
    await expect(make('/old', true)).rejects.toMatchObject({ code: 'EEXIST', path: '/old' });
    await expect(make('/link', true)).rejects.toMatchObject({ code: 'EEXIST', path: '/link' });
    await expect(make('/none/f')).rejects.toMatchObject({ code: 'ENOENT', path: '/none/f' });
    await expect(make('/old/f')).rejects.toMatchObject({ code: 'ENOTDIR', path: '/old/f' });
    expect(await names(system)).toEqual(['d', 'link', 'old']);
  });

  it.each([true, false])(
    'exclusive: a file that appears meanwhile wins (hard links: %s)',
    async (hardLinks) => {
      const system = await disk({ hardLinks });
      const file = await ReplacingFile.create(system, '/new', { exclusive: true });
      await write(system, '/new', older);
      await expect(file.commit({ durable: true })).rejects.toMatchObject({ code: 'EEXIST', path: '/new' });
      await file.abort();
      expect(await read(system, '/new')).toBe('older');
      expect(await names(system)).toEqual(['new', 'old']);
      await replaceFile(system, '/other', newer, { durable: true, exclusive: true });
      expect(await read(system, '/other')).toBe(newerText);
    },
  );

  it('can leave the descriptor to the caller', async () => {
    const system = await disk();
    const file = await ReplacingFile.create(system, '/new');
    await file.commit({ durable: true, keepOpen: true });
    await file.abort();
    await system.writev(file.fd, [older], 0);
    expect(await read(system, '/new')).toBe('older');
    await system.close(file.fd);
  });

  it('an aborted one leaves nothing', async () => {
    const system = await disk();
    const file = await ReplacingFile.create(system, '/old');
    await system.writev(file.fd, newer, 0);
    expect(isTemporaryName(file.temporaryPath.slice(1))).toBe(true);
    await file.abort();
    await file.abort();
    expect(await names(system)).toEqual(['old']);
    expect(await read(system, '/old')).toBe('older');
    expect(system.openDescriptors).toEqual([]);
  });

  const variants: [string, ReplacingFileOptions & { durable: boolean }][] = [
    ['/old', { durable: true }],
    ['/old', { durable: false }],
    ['/new', { durable: true, exclusive: true, owner: { uid: 3, gid: 3 } }],
  ];
  it.each(variants)('%s %o: any call may fail', async (path, options) => {
    const faulty = new FaultySystem(await disk());
    await replaceFile(faulty.system, path, newer, options);
    const calls = [...faulty.calls];
    expect(calls.length).toBeGreaterThan(5);
    for (const { number, ...call } of calls) {
      for (const fault of faultsOf({ number, ...call })) {
        const where = `${number} ${call.name} ${JSON.stringify(fault)}`;
        const inner = await disk();
        const { system } = new FaultySystem(inner, (at) => (at.number === number ? fault : undefined));
        const outcome = await replaceFile(system, path, newer, options).then(
          () => undefined,
          (error: unknown) => error,
        );
        expect(inner.openDescriptors, where).toEqual([]);
        const left = await names(inner);
        const hasNew = left.includes(path.slice(1)) && (await read(inner, path)) === newerText;
        if (outcome === undefined) expect(hasNew, where).toBe(true);
        else {
          expect(outcome, where).toMatchObject({ path });
          // The last calls fail after the replacement.
          if (!hasNew && path === '/old') expect(await read(inner, path), where).toBe('older');
          else if (!hasNew) expect(left, where).toEqual(['old']);
        }
        const isLeftOver = call.name === 'unlink';
        expect(left.filter(isTemporaryName).length, where).toBe(isLeftOver ? 1 : 0);
      }
    }
  });
});

describe('crashes', () => {
  const replacing = (path: string, options: ReplacingFileOptions & { durable: boolean }) =>
    simulateCrashes<void, string>({
      setup: async (system) => {
        await system.mkdir('/v');
        await write(system, '/v/old', older);
      },
      run: async (system, _, acknowledge) => {
        await replaceFile(system, path, newer, options);
        acknowledge('done');
      },
      check: async (system, acknowledged) => {
        const content = await read(system, path).catch((error: NodeJS.ErrnoException) => error.code);
        const before = path === '/v/old' ? 'older' : 'ENOENT';
        expect(acknowledged.length > 0 ? [newerText] : [before, newerText]).toContain(content);
      },
    });

  it.each([
    ['/v/old', {}],
    ['/v/new', {}],
    ['/v/new', { exclusive: true }],
  ] as [string, ReplacingFileOptions][])(
    '%s %o: old or new, and new once it is done',
    async (path, options) => {
      const report = await replacing(path, { ...options, durable: true });
      expect(report.exhaustive).toBe(true);
      expect(report.states).toBeGreaterThanOrEqual(20);
    },
  );

  it('not durable: the simulator finds it', async () => {
    await expect(replacing('/v/old', { durable: false })).rejects.toThrow('crash after');
  });
});
