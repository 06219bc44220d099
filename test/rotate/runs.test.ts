/** What runs are made of: pace, checkpoints, the order of the walk, names of keys. */

import { describe, expect, it } from 'vitest';

import { DoneUpTo } from '../../src/rotate/checkpoint.ts';
import { keyNamed } from '../../src/rotate/key-names.ts';
import { checkJobs, checkMaxIops, type Clock, Pace } from '../../src/rotate/limits.ts';
import { ProgressMeter } from '../../src/rotate/progress.ts';
import type { AuditedKey, RunProgress } from '../../src/rotate/report-types.ts';
import { type Walked, walkPath, walkVolume } from '../../src/rotate/walk.ts';
import { volumeInternals } from '../../src/fs/volume/internals.ts';
import { volumeScratch } from '../fs/volume/volumes.ts';
import fc from 'fast-check';

const { volume: newVolume } = volumeScratch();

class TestClock implements Clock {
  ms = 1_000;
  now(): number {
    return this.ms;
  }
  async sleep(ms: number): Promise<void> {
    this.ms += ms;
  }
}

describe('the pace of a run', () => {
  it('is no faster than it may be, also after a pause', async () => {
    const clock = new TestClock();
    const pace = new Pace(100, undefined, clock);
    for (let i = 0; i < 100; i++) await pace.take(5);
    expect(clock.ms - 1_000).toBeGreaterThanOrEqual(4_890);
    clock.ms += 60_000;
    const before = clock.ms;
    for (let i = 0; i < 100; i++) await pace.take(1);
    expect(clock.ms - before).toBeGreaterThanOrEqual(890);
  });

  it('without a limit waits for nothing, and refuses what is none', async () => {
    const clock = new TestClock();
    const pace = new Pace(Number.POSITIVE_INFINITY, undefined, clock);
    for (let i = 0; i < 1_000; i++) await pace.take(100);
    expect(clock.ms).toBe(1_000);
    for (const wrong of [0, -1, Number.NaN]) expect(() => checkMaxIops(wrong)).toThrow('maxIops');
    for (const wrong of [0, 65, 1.5]) expect(() => checkJobs(wrong)).toThrow('jobs');
  });

  it('ends with the signal', async () => {
    const pace = new Pace(10, AbortSignal.abort());
    await expect(pace.take(1)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
  });
});

describe('how far a run is', () => {
  it('is up to where nothing is open, in whatever order entries end', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...Array(20).keys()]), (order) => {
        const upTo = new DoneUpTo();
        const done = new Set<number>();
        for (const number of order) {
          upTo.done(number, `/${number}`);
          done.add(number);
          let files = 0;
          while (done.has(files)) files++;
          expect(upTo.files).toBe(files);
          expect(upTo.path).toBe(files === 0 ? undefined : `/${files - 1}`);
        }
      }),
    );
  });

  it('is told with rate and time left', () => {
    const clock = new TestClock();
    const told: RunProgress[] = [];
    const meter = new ProgressMeter((progress) => told.push(progress), 10, clock);
    meter.totalFiles = 30;
    for (let i = 0; i < 10; i++) {
      clock.ms += 50;
      meter.file(4_096 * (i + 1));
    }
    expect(told.at(-1)).toEqual({
      files: 20,
      totalFiles: 30,
      bytes: 40_960,
      filesPerSecond: 20,
      etaSeconds: 0.5,
    });
  });
});

describe('names', () => {
  it('of keys are ids, key ids, labels and types', () => {
    const key = (id: string, keyId: string): AuditedKey => ({
      id,
      keyId,
      kind: id.startsWith('vk:') ? 'volume-key' : 'secret',
      state: 'active',
      files: 0,
      halves: 0,
      journals: 0,
      generations: [],
      examples: [],
    });
    const keys = [
      key('vk:1', 'K1'),
      key('fly-secrets:v1', 'S1'),
      key('fly-secrets:v2', 'S2'),
      key('recovery:R', 'R'),
    ];
    for (const [name, keyId] of [
      ['vk:1', 'K1'],
      ['K1', 'K1'],
      ['fly-secrets:v2', 'S2'],
      ['v1', 'S1'],
      ['recovery:', 'R'],
    ] as const)
      expect(keyNamed(keys, name).keyId).toBe(keyId);
    expect(() => keyNamed(keys, 'vk:2')).toThrow('has no key "vk:2"');
    expect(() => keyNamed(keys, 'fly-secrets:')).toThrow('more than one key');
  });
});

describe('the walk', () => {
  const paths = ['a', 'a b', 'a.b/c', 'a0', 'd/e/f', 'd/g', 'd.x', 'z'];

  async function gather(entries: AsyncGenerator<Walked>): Promise<string[]> {
    const found: string[] = [];
    for await (const entry of entries) {
      found.push(entry.path);
      if (entry.kind === 'file') entry.release();
    }
    return found;
  }

  it('has one order, and goes on behind any path, also one that is gone', async () => {
    const volume = await newVolume();
    for (const path of paths) await volume.outputFile(path, '');
    await volume.symlink('a', 'link');
    const { mounted } = volumeInternals(volume);
    const all = await gather(walkVolume(mounted));
    expect(all).toEqual(['/a', '/a b', '/a.b/c', '/a0', '/d/e/f', '/d/g', '/d.x', '/z']);
    for (const [i, after] of all.entries()) {
      expect(await gather(walkVolume(mounted, { after }))).toEqual(all.slice(i + 1));
      await volume.rm(after);
      expect(await gather(walkVolume(mounted, { after }))).toEqual(all.slice(i + 1));
      await volume.writeFile(after, '');
    }
    await volume.rm('d', { recursive: true });
    expect(await gather(walkVolume(mounted, { after: '/d/e/f' }))).toEqual(['/d.x', '/z']);
    expect(await gather(walkPath(mounted, 'a.b'))).toEqual(['/a.b/c']);
    expect(await gather(walkPath(mounted, 'link'))).toEqual(['/a']);
    await expect(gather(walkPath(mounted, 'gone'))).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
