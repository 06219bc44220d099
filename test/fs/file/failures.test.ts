/** System calls that fail: an error, nothing lost that was synced, nothing left open or locked. */

import { describe, expect, it } from 'vitest';

import { errnoError } from '../../../src/errno.ts';
import type { OpenFile } from '../../../src/fs/file/open-file.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import type { System } from '../../../src/os/system.ts';
import { type Call, type Decide, type Fault, faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, readAt, SealedVolume } from './sealed-volume.ts';

const segmentBytes = 4_096;
const start = pattern(30_000);

interface Disk {
  readonly v: SealedVolume;
  readonly faulty: FaultySystem;
  readonly disk: SimulatedSystem;
}

async function disk(): Promise<Disk> {
  const simulated = new SimulatedSystem();
  const faulty = new FaultySystem(simulated);
  const v = await SealedVolume.create('/v', faulty.system);
  await v.make('f', start, { segmentBytes });
  return { v, faulty, disk: simulated };
}

/** Fails the first call of this name, on the file or on its journal, and no other. */
function failOnce(name: Call['name'], on: 'file' | 'journal', fault: Fault): Decide {
  let done = false;
  return (call) => {
    if (done || call.name !== name || call.path.includes('/journal/') !== (on === 'journal'))
      return undefined;
    if (on === 'file' && !call.path.endsWith('/f')) return undefined;
    done = true;
    return fault;
  };
}

const never: Decide = () => undefined;

async function put(file: OpenFile, bytes: Uint8Array, at: number): Promise<void> {
  expect(await file.write(bytes, 0, bytes.length, at)).toBe(bytes.length);
}

function with_(content: Buffer, bytes: Buffer, at: number): Buffer {
  const changed = Buffer.alloc(Math.max(content.length, at + bytes.length));
  content.copy(changed);
  bytes.copy(changed, at);
  return changed;
}

/** A disk that gives space in blocks, and has as many of them as it is given; endless before that. */
function withBlocks(inner: SimulatedSystem): { system: System; give: (blocks: number) => void } {
  let left = Number.POSITIVE_INFINITY;
  const blocksOf = (bytes: number): number => Math.ceil(bytes / 4_096);
  const resize = async (fd: number, to: (size: number) => number): Promise<void> => {
    const size = Number((await inner.fstat(fd)).size);
    const needed = blocksOf(to(size)) - blocksOf(size);
    if (needed > left) throw errnoError('ENOSPC', 'write');
    left -= needed;
  };
  const changed: Partial<System> = {
    async writev(fd, parts, fileOffset) {
      const bytes = parts.reduce((sum, part) => sum + part.length, 0);
      await resize(fd, (size) => Math.max(size, fileOffset + bytes));
      return inner.writev(fd, parts, fileOffset);
    },
    async ftruncate(fd, length) {
      await resize(fd, () => length);
      return inner.ftruncate(fd, length);
    },
  };
  const system = new Proxy<System>(inner, {
    get: (target, name) => {
      const method: unknown = Reflect.get(name in changed ? changed : target, name);
      return typeof method === 'function' ? (method.bind(target) as unknown) : method;
    },
  });
  return {
    system,
    give: (blocks) => {
      left = blocks;
    },
  };
}

describe('a failed sync, or an I/O error', () => {
  const failures: [Call['name'], 'file' | 'journal', Fault][] = [
    ['fdatasync', 'journal', { code: 'EIO', when: 'before' }],
    ['fdatasync', 'journal', { code: 'EIO', when: 'after' }],
    ['fdatasync', 'journal', { code: 'ENOSPC', when: 'before' }],
    ['fdatasync', 'file', { code: 'EIO', when: 'before' }],
    ['writev', 'journal', { code: 'EIO', when: 'before' }],
    ['writev', 'journal', { code: 'EIO', when: 'after' }],
    ['writev', 'file', { code: 'EIO', when: 'before' }],
  ];

  it.each(failures)('%s of the %s, %o: nothing works before it is opened again', async (name, on, fault) => {
    const { faulty, v, disk: simulated } = await disk();
    const file = await v.open('f');
    await put(file, pattern(10, 2), 5);
    await file.sync();
    const synced = with_(start, pattern(10, 2), 5);
    // Inside the file and behind its end, so that the file itself is synced, too.
    await put(file, pattern(100, 3), 8_000);
    await put(file, pattern(20_000, 4), 30_000);
    const newer = with_(with_(synced, pattern(100, 3), 8_000), pattern(20_000, 4), 30_000);
    faulty.decide(failOnce(name, on, fault));
    const { code } = fault as { code: string };
    await expect(file.sync()).rejects.toMatchObject({ code });
    const cause: unknown = expect.objectContaining({ code, message: expect.stringContaining('injected') });
    await expect(file.sync()).rejects.toMatchObject({ code, cause });
    await expect(file.write(pattern(1), 0, 1, 0)).rejects.toMatchObject({ code, cause });
    await expect(file.append(pattern(1), 0, 1)).rejects.toMatchObject({ code, cause });
    await expect(file.truncate(0)).rejects.toMatchObject({ code, cause });
    await expect(file.checkpoint()).rejects.toMatchObject({ code, cause });
    await expect(file.stat()).rejects.toMatchObject({ code, cause });
    await expect(file.utimes(1, 1)).rejects.toMatchObject({ code, cause });
    await expect(readAt(file, 10, 0)).rejects.toMatchObject({ code, cause });
    // What was not synced is lost with it, and that is said.
    await expect(file.close()).rejects.toMatchObject({ code, cause });
    expect(simulated.openDescriptors).toEqual([]);
    expect(await v.locks()).toEqual([]);
    const seen = await v.content('f');
    expect([synced, newer].some((content) => content.equals(seen))).toBe(true);
    const again = await v.open('f');
    expectSame(await contentOf(again), seen);
    await put(again, pattern(10, 9), 0);
    await again.close();
    expectSame(await v.content('f'), with_(seen, pattern(10, 9), 0));
  });

  it('of the checkpoint that follows a sync', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    await put(file, pattern(10, 2), 5);
    await file.sync();
    faulty.decide(failOnce('fdatasync', 'file', { code: 'EIO', when: 'before' }));
    await expect(file.checkpoint()).rejects.toMatchObject({ code: 'EIO' });
    // Everything is in the journal: nothing is lost.
    await file.close();
    expect(await v.journals()).toHaveLength(1);
    expectSame(await v.content('f'), with_(start, pattern(10, 2), 5));
    await (await v.open('f')).close();
    expect(await v.journals()).toEqual([]);
    expectSame(await v.content('f'), with_(start, pattern(10, 2), 5));
  });

  it('of the directory of the journal', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    await put(file, pattern(10, 2), 5);
    faulty.decide(({ name }) => (name === 'fsync' ? { code: 'EIO', when: 'before' } : undefined));
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    faulty.decide(never);
    await expect(file.sync()).rejects.toMatchObject({ code: 'EIO' });
    await expect(file.close()).rejects.toMatchObject({ code: 'EIO' });
    expectSame(await v.content('f'), start);
  });

  it('of a read', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    faulty.decide(failOnce('read', 'file', { code: 'EIO', when: 'before' }));
    await expect(readAt(file, 10, 20_000)).rejects.toMatchObject({ code: 'EIO' });
    await expect(readAt(file, 10, 20_000)).rejects.toMatchObject({ code: 'EIO' });
    await file.close();
    expectSame(await v.content('f'), start);
  });
});

describe('a full disk', () => {
  it('fails the sync, keeps the last synced content on the disk and what was written in memory', async () => {
    for (const [name, on] of [
      ['writev', 'journal'],
      ['writev', 'file'],
      ['open', 'journal'],
    ] as const) {
      const { faulty, v } = await disk();
      const file = await v.open('f');
      await put(file, pattern(100, 3), 8_000);
      await put(file, pattern(20_000, 4), 30_000);
      const newer = with_(with_(start, pattern(100, 3), 8_000), pattern(20_000, 4), 30_000);
      const full: Decide = (call) =>
        call.name === name && call.path.includes('/journal/') === (on === 'journal')
          ? { code: 'ENOSPC', when: 'before' }
          : undefined;
      for (let round = 0; round < 2; round++) {
        faulty.decide(full);
        await expect(file.sync()).rejects.toMatchObject({ code: 'ENOSPC' });
        faulty.decide(never);
        expectSame(await contentOf(file), newer);
        expectSame(await v.sibling().content('f'), start);
      }
      await file.sync();
      expectSame(await v.sibling().content('f'), newer);
      await file.close();
      expectSame(await v.content('f'), newer);
    }
  });

  it('leaves a record that was begun out of account', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    await put(file, pattern(10, 1), 0);
    await file.sync();
    for (let at = 0; at < 28_000; at += 2_000) await put(file, pattern(100, 2), at);
    const newer = await contentOf(file);
    // Half of it is written, then there is no room.
    let writes = 0;
    faulty.decide(({ name, path }) => {
      if (name !== 'writev' || !path.includes('/journal/')) return undefined;
      writes += 1;
      return writes === 1 || writes === 2 ? 'short' : { code: 'ENOSPC', when: 'before' };
    });
    await expect(file.sync()).rejects.toMatchObject({ code: 'ENOSPC' });
    faulty.decide(never);
    expectSame(await v.sibling().content('f'), with_(start, pattern(10, 1), 0));
    await file.truncate(20_000);
    await file.sync();
    expectSame(await v.sibling().content('f'), newer.subarray(0, 20_000));
    await file.close();
    expectSame(await v.content('f'), newer.subarray(0, 20_000));
  });

  it('really full: what was acknowledged is put in place without a block more', async () => {
    const simulated = new SimulatedSystem();
    const { system, give } = withBlocks(simulated);
    const v = await SealedVolume.create('/v', system);
    // Segments of four blocks, so that the last one grows into new ones in its place.
    await v.make('f', start, { segmentBytes: 16_384 });
    const file = await v.open('f');
    await put(file, pattern(10), 0);
    await file.sync();
    give(40);
    let synced = await contentOf(file);
    let full = 0;
    for (let i = 0; full < 3; i++) {
      await file.append(pattern(700, i), 0, 700);
      try {
        await file.sync();
        synced = await contentOf(file);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ENOSPC' });
        full += 1;
        expectSame(await v.sibling().content('f'), synced);
      }
    }
    expect(synced.length).toBeGreaterThan(40_000);
    // Whoever cuts a file makes room, so it must not need any.
    await file.truncate(synced.length - 5);
    await file.sync();
    await file.checkpoint();
    await file.close();
    expectSame(await v.content('f'), synced.subarray(0, -5));
    expect(await v.journals()).toEqual([]);
    expect(simulated.openDescriptors).toEqual([]);
  });

  it('on the way of a write: its first part counts', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    const bytes = pattern(10 * 2 ** 20, 6);
    let writes = 0;
    faulty.decide(({ name, path }) =>
      name === 'writev' && path.endsWith('/f') && ++writes > 3
        ? { code: 'ENOSPC', when: 'before' }
        : undefined,
    );
    const written = await file.write(bytes, 0, bytes.length, 30_000);
    expect(written).toBeGreaterThan(2 ** 20);
    expect(written).toBeLessThan(bytes.length);
    await expect(file.write(bytes, 0, bytes.length - written, 30_000 + written)).rejects.toMatchObject({
      code: 'ENOSPC',
    });
    faulty.decide(never);
    expectSame(await contentOf(file), Buffer.concat([start, bytes.subarray(0, written)]));
    await put(file, bytes.subarray(written), 30_000 + written);
    await file.close();
    expectSame(await v.content('f'), Buffer.concat([start, bytes]));
  });

  it('while a gap is filled: nothing has changed', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    faulty.decide(({ name }) => (name === 'writev' ? { code: 'ENOSPC', when: 'before' } : undefined));
    await expect(file.truncate(500_000)).rejects.toMatchObject({ code: 'ENOSPC' });
    await expect(file.write(pattern(5), 0, 5, 500_000)).rejects.toMatchObject({ code: 'ENOSPC' });
    faulty.decide(never);
    expect(file.plainBytes).toBe(30_000);
    await file.close();
    expectSame(await v.content('f'), start);
  });

  it('at the checkpoint: the sync stands, and the journal waits', async () => {
    const { faulty, v } = await disk();
    const file = await v.open('f');
    await put(file, pattern(100, 3), 8_000);
    await file.sync();
    faulty.decide(({ name, path }) =>
      name === 'writev' && path.endsWith('/f') ? { code: 'ENOSPC', when: 'before' } : undefined,
    );
    await expect(file.checkpoint()).rejects.toMatchObject({ code: 'ENOSPC' });
    await file.close();
    faulty.decide(never);
    expect(await v.journals()).toHaveLength(1);
    expectSame(await v.content('f'), with_(start, pattern(100, 3), 8_000));
    await (await v.open('f')).close();
    expect(await v.journals()).toEqual([]);
  });
});

/** One of everything. `note` is told each content that there was, and which of them were durable. */
async function useAll(v: SealedVolume, note: (content: Buffer, isDurable: boolean) => void): Promise<void> {
  const file = await v.open('f');
  let content = start;
  const written = (next: Buffer): void => {
    content = next;
    note(content, false);
  };
  try {
    written(with_(content, pattern(5_000, 2), 3_000));
    await put(file, pattern(5_000, 2), 3_000);
    await file.sync();
    note(content, true);
    written(Buffer.concat([content, pattern(10_000, 3)]));
    await file.append(pattern(10_000, 3), 0, 10_000);
    await file.sync();
    note(content, true);
    written(content.subarray(0, 20_000));
    await file.truncate(20_000);
    await file.sync();
    note(content, true);
    await file.checkpoint();
    written(Buffer.concat([content, Buffer.alloc(25_000)]));
    await file.truncate(45_000);
    written(with_(content, pattern(10, 5), 44_000));
    await put(file, pattern(10, 5), 44_000);
    await file.stat();
  } finally {
    await file.close();
  }
  note(content, true);
}

describe('every system call, failing in every way that it can', () => {
  it('is an error or does no harm: what was synced is there, nothing stays open, no lock stays held', async () => {
    const dry = await disk();
    dry.faulty.decide(never);
    await useAll(dry.v, () => {});
    const calls = [...dry.faulty.calls];
    expect(calls.length).toBeGreaterThan(40);
    let cases = 0;
    let harmless = 0;
    for (const { name, number, path } of calls) {
      for (const fault of faultsOf(calls[number - 1] as Call)) {
        const what = `call ${number}, ${name} of ${path}, ${JSON.stringify(fault)}`;
        const { faulty, v, disk: simulated } = await disk();
        faulty.decide((call) => (call.number === number ? fault : undefined));
        let possible = [start];
        let failure: unknown;
        await useAll(v, (content, isDurable) => {
          if (isDurable) possible = [];
          possible.push(content);
        }).catch((error: unknown) => {
          failure = error;
        });
        if (failure === undefined) harmless += 1;
        else expect((failure as NodeJS.ErrnoException).code, what).toBe((fault as { code: string }).code);
        faulty.decide(never);
        expect(simulated.openDescriptors, what).toEqual([]);
        // A call that failed on a lock may have left it to a process that is gone now.
        pretendReboot();
        const seen = await v
          .sibling()
          .content('f')
          .catch((error: unknown) => {
            throw new Error(what, { cause: error });
          });
        expect(
          possible.some((content) => content.equals(seen)),
          what,
        ).toBe(true);
        await (await v.sibling().open('f')).close();
        expectSame(await v.content('f'), seen);
        expect(await v.journals(), what).toEqual([]);
        cases += 1;
      }
    }
    expect(cases).toBeGreaterThan(100);
    expect(harmless).toBeLessThan(cases / 2);
  });
});
