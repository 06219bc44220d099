/** Readers beside a writer in another process, and a reader that becomes the writer. */

import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { FaultySystem } from '../../simulator/faulty-system.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { contentOf, expectSame, pattern, readAt, SealedVolume } from './sealed-volume.ts';

const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 44;

/** Two processes on one volume. */
async function two(): Promise<{ writing: SealedVolume; reading: SealedVolume; disk: SimulatedSystem }> {
  const disk = new SimulatedSystem();
  const writing = await SealedVolume.create('/v', disk);
  return { writing, reading: writing.sibling(), disk };
}

describe('a reader', () => {
  it('sees at its open what was synced before, from the journal or in place', async () => {
    const { reading, writing } = await two();
    await writing.make('f', pattern(30_000), { segmentBytes });
    const file = await writing.open('f');
    for (let round = 0; round < 6; round++) {
      await file.write(pattern(6_000, round), 0, 6_000, 3_000 * round);
      await file.append(pattern(2_500, round), 0, 2_500);
      const before = await reading.content('f');
      await file.sync();
      const synced = await contentOf(file);
      expect(before.equals(synced)).toBe(false);
      expectSame(await reading.content('f'), synced);
      if (round % 2 === 1) await file.checkpoint();
      expectSame(await reading.content('f'), synced);
    }
    await file.close();
  });

  it('that stays open sees the new content after another open', async () => {
    const { reading, writing } = await two();
    await writing.make('f', pattern(30_000), { segmentBytes });
    const reader = await reading.open('f', false);
    expectSame(await contentOf(reader), pattern(30_000));
    const file = await writing.open('f');
    await file.write(pattern(6_000, 2), 0, 6_000, 3_000);
    await file.truncate(20_000);
    await file.sync();
    const synced = await contentOf(file);
    await reader.refresh();
    expect(reader.plainBytes).toBe(20_000);
    expectSame(await contentOf(reader), synced);
    await file.append(pattern(50_000, 3), 0, 50_000);
    await file.close();
    const closed = Buffer.concat([synced, pattern(50_000, 3)]);
    await Promise.all([reader.refresh(), reader.refresh(), reader.refresh()]);
    expectSame(await contentOf(reader), closed);
    await reader.close();
  });

  it('never meets a segment that is not authentic, whatever the writer does meanwhile', async () => {
    const { disk, reading, writing } = await two();
    const segments = 12;
    const fill = (round: number, count: number): Buffer => Buffer.alloc(count * plainSegmentBytes, round);
    await writing.make('f', fill(1, segments), { segmentBytes });
    let running = true;
    let opened = 0;
    let newestSynced = 1;
    const reader = async (stays: boolean): Promise<void> => {
      const small = reading.sibling({ cacheBytes: stays ? 20_000 : 2 ** 20 });
      let file = await small.open('f', false);
      while (running) {
        if (!stays) {
          await file.close();
          const least = newestSynced;
          file = await small.open('f', false);
          opened += 1;
          expect(Math.max(...(await readAt(file, 1, 0)))).toBeGreaterThanOrEqual(least);
        }
        const content = await contentOf(file);
        // Each segment was written as a whole.
        for (let at = 0; at < content.length; at += plainSegmentBytes) {
          expect(new Set(content.subarray(at, at + plainSegmentBytes)).size).toBe(1);
        }
        await turn();
      }
      await file.close();
    };
    const readers = [reader(true), reader(false), reader(true), reader(false)];
    for (let round = 2; round < 60; round++) {
      const file = await writing.open('f');
      const count = segments - (round % 5);
      await file.truncate(count * plainSegmentBytes);
      await turn();
      const bytes = fill(round, segments);
      await file.write(bytes, 0, bytes.length, 0);
      await file.sync();
      newestSynced = round;
      await turn();
      if (round % 3 === 0) await file.checkpoint();
      await turn();
      await file.write(fill(round, 3), 0, 3 * plainSegmentBytes, 2 * plainSegmentBytes);
      await file.sync();
      await file.close();
    }
    running = false;
    await Promise.all(readers);
    expect(opened).toBeGreaterThan(20);
    expect(disk.openDescriptors).toEqual([]);
  });

  it('looks again for a tenth of a second while a writer is alive, before it says that a segment is tampered with', async () => {
    const { reading, writing } = await two();
    await writing.make('f', pattern(30_000), { segmentBytes });
    const good = await writing.raw('f');
    const bad = Buffer.from(good);
    bad[4_096 + 2 * 4_096 + 100] = (bad[4_096 + 2 * 4_096 + 100] as number) ^ 1;
    await writing.putRaw('f', bad);
    const reader = await reading.open('f', false);
    const alone = readAt(reader, 10, 2 * plainSegmentBytes);
    await expect(alone).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED', offset: 4_096 + 2 * 4_096 });
    const file = await writing.open('f');
    const started = performance.now();
    const beside = readAt(reader, 10, 2 * plainSegmentBytes);
    await expect(beside).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED' });
    expect(performance.now() - started).toBeGreaterThan(60);
    // As soon as it is whole it is read.
    const healed = readAt(reader, 10, 2 * plainSegmentBytes);
    await turn();
    const fd = await writing.system.open(writing.at('f'), constants.O_RDWR);
    await writing.system.writev(fd, [good], 0);
    await writing.system.close(fd);
    expectSame(await healed, pattern(30_000).subarray(2 * plainSegmentBytes, 2 * plainSegmentBytes + 10));
    await file.close();
    await reader.close();
  });
});

describe('the second writer', () => {
  it('is kept out, with the pid of the first one', async () => {
    const { disk, reading, writing } = await two();
    await writing.make('f', pattern(100));
    const file = await writing.open('f');
    const busy = { code: 'EBUSY', path: 'f', holderPid: process.pid };
    await expect(reading.open('f')).rejects.toMatchObject(busy);
    const reader = await reading.open('f', false);
    const fd = await reading.system.open(reading.at('f'), constants.O_RDWR);
    await expect(reader.makeWritable(fd)).rejects.toMatchObject(busy);
    expect(reader.writable).toBe(false);
    expectSame(await contentOf(reader), pattern(100));
    await reader.close();
    await file.close();
    const second = await reading.open('f');
    await second.close();
    expect(disk.openDescriptors).toEqual([]);
    expect(await writing.locks()).toEqual([]);
  });
});

describe('a reader that becomes the writer', () => {
  it('goes on with the content that is there by then', async () => {
    const { disk, reading, writing } = await two();
    await writing.make('f', pattern(30_000), { segmentBytes });
    const reader = await reading.open('f', false);
    await contentOf(reader);
    const file = await writing.open('f');
    await file.append(pattern(9_000, 2), 0, 9_000);
    await file.write(pattern(5), 0, 5, 0);
    await file.close();
    const expected = Buffer.concat([pattern(30_000), pattern(9_000, 2)]);
    const under = readAt(reader, 20_000, 5_000);
    await reader.makeWritable(await reading.system.open(reading.at('f'), constants.O_RDWR));
    expectSame(await under, pattern(30_000).subarray(5_000, 25_000));
    expect(reader.writable).toBe(true);
    pattern(5).copy(expected);
    expectSame(await contentOf(reader), expected);
    await reader.append(pattern(3), 0, 3);
    // Again: nothing to do but to close the descriptor.
    await reader.makeWritable(await reading.system.open(reading.at('f'), constants.O_RDWR));
    await reader.close();
    expectSame(await writing.content('f'), Buffer.concat([expected, pattern(3)]));
    expect(disk.openDescriptors).toEqual([]);
    expect(await writing.locks()).toEqual([]);
  });

  it('leaves nothing behind when that fails', async () => {
    for (let failing = 1; ; failing++) {
      const disk = new SimulatedSystem();
      const faulty = new FaultySystem(disk);
      const v = await SealedVolume.create('/v', faulty.system);
      await v.make('f', pattern(30_000), { segmentBytes });
      const reader = await v.open('f', false);
      const fd = await v.system.open(v.at('f'), constants.O_RDWR);
      faulty.decide(({ name, number }) =>
        number === failing && name !== 'close' ? { code: 'EMFILE', when: 'before' } : undefined,
      );
      const calls = faulty.calls;
      const worked = await reader.makeWritable(fd).then(
        () => true,
        (error: unknown) => {
          expect(error).toMatchObject({ code: 'EMFILE' });
          return false;
        },
      );
      faulty.decide(() => undefined);
      expect(reader.writable).toBe(worked);
      expectSame(await contentOf(reader), pattern(30_000));
      await reader.close();
      expect(disk.openDescriptors).toEqual([]);
      expect(await v.locks()).toEqual([]);
      if (worked && calls.length < failing) break;
      expect(failing).toBeLessThan(100);
    }
  });
});

/** Lets everybody else go on. */
async function turn(): Promise<void> {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
}
