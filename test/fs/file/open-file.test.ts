/** What an open file does on a disk that behaves. */

import { describe, expect, it } from 'vitest';

import type { OpenFile } from '../../../src/fs/file/open-file.ts';
import type { System } from '../../../src/os/system.ts';
import { FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, readAt, SealedVolume } from './sealed-volume.ts';

const mib = 2 ** 20;

async function volume(): Promise<SealedVolume> {
  return SealedVolume.create('/v', new SimulatedSystem());
}

/** A volume whose system calls are counted. */
async function counted(): Promise<{ v: SealedVolume; faulty: FaultySystem }> {
  const faulty = new FaultySystem(new SimulatedSystem());
  const v = await SealedVolume.create('/v', faulty.system);
  return { v, faulty };
}

/** The names of the calls that something makes, locks apart. */
async function callsOf(faulty: FaultySystem, run: () => Promise<unknown>): Promise<string[]> {
  faulty.decide(() => undefined);
  await run();
  return faulty.calls.filter(({ path }) => !path.includes('/locks')).map(({ name }) => name);
}

/** Lets everybody else go on. */
async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}

async function write(file: OpenFile, bytes: Uint8Array, at: number): Promise<void> {
  expect(await file.write(bytes, 0, bytes.length, at)).toBe(bytes.length);
}

describe('an open file', () => {
  it('reads what was written, before and after it was synced, closed and opened again', async () => {
    const v = await volume();
    await v.make('f');
    const file = await v.open('f');
    const bytes = pattern(100_000);
    await write(file, bytes, 0);
    expectSame(await contentOf(file), bytes);
    await file.sync();
    expectSame(await contentOf(file), bytes);
    await file.close();
    expectSame(await v.content('f'), bytes);
    expect(await v.journals()).toEqual([]);
    expect(await v.locks()).toEqual([]);
  });

  it('reads up to its end, and nothing behind it', async () => {
    const v = await volume();
    await v.make('f', pattern(20_000));
    const file = await v.open('f', false);
    expect(await readAt(file, 100, 20_000)).toHaveLength(0);
    expect(await readAt(file, 100, 19_990)).toHaveLength(10);
    expect(await readAt(file, 0, 5)).toHaveLength(0);
    await file.close();
  });

  it('answers at once when everything is in memory', async () => {
    const v = await volume();
    await v.make('f', pattern(200_000));
    const file = await v.open('f');
    const target = Buffer.alloc(4_096);
    expect(file.read(target, 0, 4_096, 100_000)).toBeInstanceOf(Promise);
    await readAt(file, 4_096, 100_000);
    expect(file.read(target, 0, 4_096, 100_000)).toBe(4_096);
    expectSame(target, pattern(200_000).subarray(100_000, 104_096));
    await write(file, Buffer.from('written'), 150_000);
    expect(file.read(target, 3, 7, 150_000)).toBe(7);
    expect(target.toString('latin1', 3, 10)).toBe('written');
    await file.close();
  });

  it('keeps what is read again while the whole file is read once', async () => {
    const v = (await volume()).sibling({ cacheBytes: 20 * 16_340 });
    const whole = pattern(3 * mib);
    await v.make('f', whole);
    const file = await v.open('f', false);
    const target = Buffer.alloc(4_096);
    for (let round = 0; round < 2; round++) {
      for (let i = 0; i < 8; i++) await file.read(target, 0, 4_096, 200_000 + i * 16_340);
    }
    for (const step of [65_536, 1_000, 300_000]) {
      for (let at = 0; at < 3 * mib; at += step) {
        const from = at;
        expectSame(await readAt(file, step, from), whole.subarray(from, from + step));
        if (step === 1_000 && at > mib) break;
      }
      for (let i = 0; i < 8; i++) expect(file.read(target, 0, 4_096, 200_000 + i * 16_340)).toBe(4_096);
    }
    expect(v.env.cache.bytes).toBeLessThanOrEqual(20 * 16_340);
    await file.close();
    expect(v.env.cache.bytes).toBe(0);
  });

  it('has no opinion about a write of nothing, also behind its end', async () => {
    const v = await volume();
    await v.make('f', pattern(10));
    const file = await v.open('f');
    expect(await file.write(new Uint8Array(0), 0, 0, 1_000)).toBe(0);
    expect(await file.append(new Uint8Array(0), 0, 0)).toBe(0);
    expect(file.plainBytes).toBe(10);
    await file.close();
  });

  it('fills a gap with zeros up to the longest that is allowed', async () => {
    const v = (await volume()).sibling({ maxGapBytes: 100_000 });
    await v.make('f', pattern(10));
    const file = await v.open('f');
    await expect(file.write(Buffer.from('x'), 0, 1, 100_011)).rejects.toMatchObject({
      code: 'EFBIG',
      syscall: 'write',
      path: 'f',
    });
    await expect(file.truncate(100_011)).rejects.toMatchObject({ code: 'EFBIG', syscall: 'ftruncate' });
    await expect(file.truncate(2 ** 53 - 1)).rejects.toMatchObject({ code: 'EFBIG' });
    expect(file.plainBytes).toBe(10);
    await write(file, Buffer.from('x'), 100_010);
    const expected = Buffer.concat([pattern(10), Buffer.alloc(100_000), Buffer.from('x')]);
    expectSame(await contentOf(file), expected);
    await file.close();
    expectSame(await v.content('f'), expected);
  });

  it('fills a gap with sealed zeros: nothing in it is a hole', async () => {
    const v = await volume();
    await v.make('f');
    const file = await v.open('f');
    await file.truncate(10 * 16_340);
    await file.close();
    const raw = await v.raw('f');
    expect(raw.length).toBe(4_096 + 10 * 16_384);
    for (let at = 4_096; at < raw.length; at += 4_096) {
      expect(new Set(raw.subarray(at, at + 4_096)).size).toBeGreaterThan(100);
    }
  });

  it('cut and grown again has zeros where there was something, also where that was in memory', async () => {
    const v = await volume();
    await v.make('f', pattern(10));
    const plainSegmentBytes = 16_340;
    for (const grow of ['truncate', 'write'] as const) {
      const file = await v.open('f');
      await file.truncate(10);
      const bytes = pattern(6 * plainSegmentBytes, 4);
      await write(file, bytes, 0);
      await file.sync();
      expectSame(
        await readAt(file, 10_000, 3 * plainSegmentBytes),
        bytes.subarray(3 * plainSegmentBytes).subarray(0, 10_000),
      );
      await file.truncate(20);
      if (grow === 'truncate') await file.truncate(6 * plainSegmentBytes);
      else await write(file, Buffer.alloc(1), 6 * plainSegmentBytes - 1);
      const expected = Buffer.alloc(6 * plainSegmentBytes);
      bytes.copy(expected, 0, 0, 20);
      expectSame(await contentOf(file), expected);
      await file.close();
      expectSame(await v.content('f'), expected);
    }
  });

  it('knows its size in plaintext and the time of a write that is in memory only', async () => {
    const v = await volume();
    await v.make('f', pattern(5));
    const file = await v.open('f');
    const before = await file.stat();
    expect(before.size).toBe(5n);
    await new Promise((resolve) => {
      setTimeout(resolve, 5);
    });
    await write(file, pattern(100), 0);
    const after = await file.stat();
    expect(after.size).toBe(100n);
    expect(after.mtimeNs).toBeGreaterThan(before.mtimeNs);
    expect(after.mtime.getTime()).toBe(Number(after.mtimeMs));
    await file.close();
  });

  it('keeps times that were set after a write, also when that reaches the disk later', async () => {
    const v = await volume();
    await v.make('f', pattern(50_000));
    const file = await v.open('f');
    await write(file, pattern(100, 2), 40);
    await file.utimes(1_000, 2_000);
    expect((await file.stat()).mtimeMs).toBe(2_000_000n);
    await file.sync();
    await file.close();
    expect((await v.system.stat(v.at('f'))).mtimeMs).toBe(2_000_000n);
    // A write after it is a change of its own.
    const again = await v.open('f');
    await again.utimes(1_000, 2_000);
    await write(again, pattern(10, 3), 0);
    await again.close();
    expect((await v.system.stat(v.at('f'))).mtimeMs).toBeGreaterThan(2_000_000n);
  });

  it('refuses everything after it was closed, and writes when it is open for reading', async () => {
    const v = await volume();
    await v.make('f', pattern(100));
    const reading = await v.open('f', false);
    await expect(reading.write(pattern(1), 0, 1, 0)).rejects.toMatchObject({
      code: 'EBADF',
      syscall: 'write',
    });
    await expect(reading.append(pattern(1), 0, 1)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(reading.truncate(0)).rejects.toMatchObject({ code: 'EBADF' });
    await reading.sync();
    await reading.checkpoint();
    await reading.close();
    const file = await v.open('f');
    await Promise.all([file.close(), file.close()]);
    await file.close();
    await expect(readAt(file, 1, 0)).rejects.toMatchObject({ code: 'EBADF', syscall: 'read' });
    await expect(file.write(pattern(1), 0, 1, 0)).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.sync()).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.stat()).rejects.toMatchObject({ code: 'EBADF' });
    await expect(file.makeWritable(await v.system.open(v.at('f'), 2))).rejects.toMatchObject({
      code: 'EBADF',
    });
    expect((v.system as SimulatedSystem).openDescriptors).toEqual([]);
  });

  it('does what was asked before it was closed', async () => {
    const v = await volume();
    await v.make('f', pattern(300_000));
    const file = await v.open('f');
    const cold = readAt(file, 100_000, 150_000);
    const writes = [
      file.write(pattern(10, 2), 0, 10, 5),
      file.truncate(280_000),
      file.append(pattern(7), 0, 7),
    ];
    await file.close();
    expectSame(await cold, pattern(300_000).subarray(150_000, 250_000));
    await Promise.all(writes);
    const content = await v.content('f');
    expect(content.length).toBe(280_007);
    expectSame(content.subarray(5, 15), pattern(10, 2));
  });
});

describe('a last segment without plaintext behind whole ones', () => {
  const plainSegmentBytes = 4_096 - 44;
  const content = pattern(3 * plainSegmentBytes);
  const options = { segmentBytes: 4_096, emptyTail: true } as const;

  it('is read past', async () => {
    const v = await volume();
    for (const kind of ['mutable', 'write-once'] as const) {
      const bytes = kind === 'mutable' ? content : pattern(2 * (4_096 - 32));
      await v.make('f', bytes, { ...options, kind });
      const file = await v.open('f', false);
      expect(file.plainBytes).toBe(bytes.length);
      expectSame(await contentOf(file), bytes);
      await file.close();
    }
  });

  it('stays while the length does, and goes when that changes', async () => {
    const changes: [string, (file: OpenFile) => Promise<unknown>, Buffer][] = [
      ['overwrite', (file) => write(file, content.subarray(7, 17), 7), content],
      ['last', (file) => write(file, content.subarray(-10), content.length - 10), content],
      [
        'append',
        (file) => file.append(Buffer.from('more'), 0, 4),
        Buffer.concat([content, Buffer.from('more')]),
      ],
      [
        'extend',
        (file) => file.truncate(20_000),
        Buffer.concat([content, Buffer.alloc(20_000 - content.length)]),
      ],
      ['cut', (file) => file.truncate(content.length - 1), content.subarray(0, -1)],
      ['at a border', (file) => file.truncate(plainSegmentBytes), content.subarray(0, plainSegmentBytes)],
    ];
    for (const [what, change, expected] of changes) {
      const v = await volume();
      await v.make('f', content, options);
      const file = await v.open('f');
      await change(file);
      expect(file.plainBytes, what).toBe(expected.length);
      await file.sync();
      expectSame(await v.sibling().content('f'), expected);
      await file.close();
      expectSame(await v.content('f'), expected);
      const again = await v.open('f');
      await again.append(Buffer.from('end'), 0, 3);
      await again.close();
      expectSame(await v.content('f'), Buffer.concat([expected, Buffer.from('end')]));
    }
  });
});

describe('more than fits into memory', () => {
  it('goes straight to the file behind its durable end, without a sync', async () => {
    const { v, faulty } = await counted();
    await v.make('f', pattern(1_000));
    const file = await v.open('f');
    const chunk = pattern(256 * 1_024, 3);
    const calls = await callsOf(faulty, async () => {
      for (let i = 0; i < 40; i++) await file.append(chunk, 0, chunk.length);
    });
    expect(new Set(calls)).toEqual(new Set(['writev']));
    expect(await v.journals()).toEqual([]);
    const expected = Buffer.concat([pattern(1_000), ...Array.from({ length: 40 }, () => chunk)]);
    expectSame(await contentOf(file), expected);
    // Nothing of it counts before it is synced.
    expectSame(await v.sibling().content('f'), pattern(1_000));
    await file.sync();
    expectSame(await v.sibling().content('f'), expected);
    await file.close();
    expectSame(await v.content('f'), expected);
  });

  it('is synced early inside it', async () => {
    const { v, faulty } = await counted();
    const before = pattern(9 * mib);
    await v.make('f', before);
    const file = await v.open('f');
    const bytes = pattern(9 * mib, 5);
    const calls = await callsOf(faulty, async () => write(file, bytes.subarray(100), 50));
    expect(calls.filter((name) => name === 'fdatasync').length).toBeGreaterThan(2);
    expectSame(await readAt(file, bytes.length - 100, 50), bytes.subarray(100));
    await file.close();
    const expected = Buffer.from(before);
    bytes.copy(expected, 50, 100);
    expectSame(await v.content('f'), expected);
  });

  it('is bounded by 4 MiB for each file, whatever is written', async () => {
    const v = (await volume()).sibling({ cacheBytes: 0 });
    await v.make('f', pattern(6 * mib));
    const file = await v.open('f');
    // Every other segment, so that nothing is joined.
    for (let at = 0; at < 6 * mib; at += 2 * 16_340) await write(file, pattern(10, 7), at);
    expect((await v.journals()).length).toBe(0);
    await file.close();
    const journalled = await v.open('f');
    for (let round = 0; round < 4; round++) {
      for (let at = 0; at < 5 * mib; at += 16_340) await write(journalled, pattern(10, round), at);
    }
    const [journal] = await v.journals();
    const { size } = await v.system.stat(v.at(journal as string));
    expect(size).toBeLessThan(BigInt(9 * mib));
    await journalled.close();
    expect(await v.journals()).toEqual([]);
  });

  it('in segments of 4 MiB', async () => {
    const v = await volume();
    await v.make('f', pattern(9 * mib), { segmentBytes: 4 * mib });
    const file = await v.open('f');
    const expected = pattern(17 * mib);
    pattern(9 * mib).copy(expected);
    await write(file, expected.subarray(9 * mib), 9 * mib);
    for (const at of [5, 4 * mib - 44, 8 * mib]) {
      await write(file, pattern(1_000, at), at);
      pattern(1_000, at).copy(expected, at);
    }
    await file.sync();
    expectSame(await v.sibling().content('f'), expected);
    await file.close();
    expectSame(await v.content('f'), expected);
  });
});

describe('system calls', () => {
  it('of a sync: one write and one sync in the common case', async () => {
    const { v, faulty } = await counted();
    await v.make('f', pattern(200_000));
    const file = await v.open('f');
    await write(file, pattern(4_096, 2), 100_000);
    const first = await callsOf(faulty, async () => file.sync());
    expect(first).toEqual(['open', 'open', 'fsync', 'close', 'writev', 'fdatasync']);
    await write(file, pattern(4_096, 3), 150_000);
    // The journal is extended ahead of its records now and then.
    expect(await callsOf(faulty, async () => file.sync())).toEqual(['writev', 'writev', 'fdatasync']);
    await write(file, pattern(4_096, 4), 150_000);
    expect(await callsOf(faulty, async () => file.sync())).toEqual(['writev', 'fdatasync']);
    expect(await callsOf(faulty, async () => file.sync())).toEqual([]);
    await file.close();
  });

  it('of many syncs at a time: those of one', async () => {
    const { v, faulty } = await counted();
    await v.make('f', pattern(100));
    const file = await v.open('f');
    await file.append(pattern(5), 0, 5);
    await file.sync();
    const calls = await callsOf(faulty, async () =>
      Promise.all(
        Array.from({ length: 50 }, async (_, i) => {
          await file.append(pattern(10, i), 0, 10);
          await file.sync();
        }),
      ),
    );
    expect(calls.filter((name) => name === 'fdatasync').length).toBeLessThanOrEqual(2);
    await file.close();
    expect((await v.content('f')).length).toBe(605);
  });

  it('of opening and reading a small file', async () => {
    const { v, faulty } = await counted();
    await v.make('f', pattern(1_000));
    const calls = await callsOf(faulty, async () => v.content('f'));
    // Header and content; is there a journal; did the header change while that was looked up.
    expect(calls).toEqual(['open', 'read', 'read', 'open', 'read', 'close']);
  });

  it('of one read of many segments: one', async () => {
    const { v, faulty } = await counted();
    await v.make('f', pattern(600_000));
    const file = await v.open('f', false);
    await readAt(file, 10, 300_000);
    const calls = await callsOf(faulty, async () => {
      expectSame(await readAt(file, 200_000, 320_000), pattern(600_000).subarray(320_000, 520_000));
    });
    expect(calls).toEqual(['read']);
    await file.close();
  });
});

describe("durability 'none'", () => {
  it('syncs nothing and keeps no journal', async () => {
    const faulty = new FaultySystem(new SimulatedSystem());
    const v = await SealedVolume.create('/v', faulty.system, { durability: 'none' });
    await v.make('f', pattern(50_000));
    const expected = pattern(6 * mib, 9);
    const calls = await callsOf(faulty, async () => {
      const file = await v.open('f');
      await write(file, expected, 0);
      await file.sync();
      await write(file, expected.subarray(0, 100), 200);
      await file.truncate(5 * mib);
      await file.close();
    });
    expected.copy(expected, 200, 0, 100);
    expect(calls.filter((name) => name.includes('sync'))).toEqual([]);
    expect(await v.journals()).toEqual([]);
    expectSame(await v.content('f'), expected.subarray(0, 5 * mib));
    expect((await v.raw('f')).length).toBe(4_096 + 5 * mib + Math.ceil((5 * mib) / 16_340) * 44);
  });

  it('shows other processes what was flushed, and recovers a journal all the same', async () => {
    const v = await volume();
    await v.make('f', pattern(50_000));
    const loose = v.sibling({ durability: 'none' });
    const file = await loose.open('f');
    await file.append(pattern(30_000, 2), 0, 30_000);
    await file.sync();
    expectSame(await v.content('f'), Buffer.concat([pattern(50_000), pattern(30_000, 2)]));
    await file.close();
  });
});

describe('reads and writes at the same time', () => {
  it('see each other whole', async () => {
    const v = (await volume()).sibling({ cacheBytes: 40_000 });
    const segmentBytes = 4_096;
    const plainBytes = 60 * (segmentBytes - 44);
    await v.make('f', Buffer.alloc(plainBytes, 0), { segmentBytes });
    const file = await v.open('f');
    let running = true;
    const reader = async (seed: number): Promise<number> => {
      let state = seed;
      let reads = 0;
      for (; running; reads++) {
        state = (state * 7_919 + 13) % plainBytes;
        const bytes = await readAt(file, 9_000, state);
        // Each write fills its range with one value, and each byte has been written as often as its neighbour or once more.
        for (let i = 1; i < bytes.length; i++) {
          const step = Math.abs((bytes[i] as number) - (bytes[i - 1] as number));
          if (step > 1) throw new Error(`a step of ${step} at ${state + i}`);
        }
        await turn();
      }
      return reads;
    };
    const readers = [1, 2, 3, 4].map(async (seed) => reader(seed));
    for (let round = 1; round <= 25; round++) {
      for (let at = 0; at < plainBytes; at += 20_000) {
        const length = Math.min(20_000, plainBytes - at);
        await file.write(Buffer.alloc(length, round), 0, length, at);
        await turn();
      }
      if (round % 2 === 0) await file.sync();
      if (round % 5 === 0) await file.checkpoint();
    }
    running = false;
    for (const reads of await Promise.all(readers)) expect(reads).toBeGreaterThan(5);
    await file.close();
    expectSame(await v.content('f'), Buffer.alloc(plainBytes, 25));
  });

  it('and a read that took long does not bring back what it found', async () => {
    const disk = new SimulatedSystem();
    let hold: Promise<void> | undefined;
    const slow = new Proxy<System>(disk, {
      get: (target, name) => {
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        if (name !== 'read') return method.bind(target) as unknown;
        return async (...args: unknown[]) => {
          const held = hold;
          const count: unknown = await method.apply(target, args);
          await held;
          return count;
        };
      },
    });
    const v = await SealedVolume.create('/v', slow);
    await v.make('f', pattern(100_000));
    for (const finish of ['sync', 'checkpoint'] as const) {
      const file = await v.open('f');
      let release = (): void => {};
      hold = new Promise((resolve) => {
        release = resolve;
      });
      const before = await v.sibling({}, disk).content('f');
      let done = false;
      const old = readAt(file, 1_000, 40_000);
      void old.then(() => {
        done = true;
      });
      hold = undefined;
      // All of its segments anew, so that none has to be read.
      const bytes = pattern(3 * 16_340, finish.length);
      await write(file, bytes, 2 * 16_340);
      await file[finish]();
      expect(done).toBe(false);
      release();
      expectSame(await old, before.subarray(40_000, 41_000));
      expectSame(await readAt(file, 1_000, 40_000), bytes.subarray(40_000 - 2 * 16_340, 41_000 - 2 * 16_340));
      await file.close();
    }
  });

  it('cut and grown under a read', async () => {
    const v = (await volume()).sibling({ cacheBytes: 0 });
    await v.make('f', pattern(200_000), { segmentBytes: 4_096 });
    const file = await v.open('f');
    for (let round = 0; round < 20; round++) {
      const reads = [0, 50_000, 120_000].map(async (at) => readAt(file, 80_000, at));
      await file.truncate(100_000);
      await file.sync();
      const more = [40_000, 90_000].map(async (at) => readAt(file, 80_000, at));
      await write(file, pattern(200_000).subarray(100_000), 100_000);
      await file.sync();
      if (round % 3 === 0) await file.checkpoint();
      for (const bytes of await Promise.all([...reads, ...more]))
        expect(bytes.length).toBeLessThanOrEqual(80_000);
      expectSame((await reads[0]) as Buffer, pattern(200_000).subarray(0, 80_000));
    }
    await file.close();
    expectSame(await v.content('f'), pattern(200_000));
  });
});
