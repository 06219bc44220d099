/** What stays in memory, and what has to go. */

import { describe, expect, it } from 'vitest';

import { type CachedFile, SegmentCache } from '../../../src/fs/file/segment-cache.ts';

const segment = (fill: number, bytes = 100): Uint8Array => new Uint8Array(bytes).fill(fill);
const held = (file: CachedFile, upTo = 100): number[] =>
  Array.from({ length: upTo }, (_, index) => index).filter((index) => file.has(index));

describe('a segment cache', () => {
  it('gives back what was put in, until something else is put there', () => {
    const file = new SegmentCache(1_000).forFile();
    expect(file.get(1)).toBeUndefined();
    file.put(1, segment(1));
    expect(file.get(1)).toEqual(segment(1));
    const before = file.get(1) as Uint8Array;
    file.put(1, segment(2));
    expect(file.get(1)).toEqual(segment(2));
    expect(before).toEqual(segment(0));
  });

  it('holds no more bytes than it may, and drops what was used longest ago', () => {
    const cache = new SegmentCache(1_000);
    const file = cache.forFile();
    for (let index = 0; index < 10; index++) file.put(index, segment(index));
    expect(cache.bytes).toBe(1_000);
    const oldest = file.take(0) as Uint8Array;
    file.put(0, oldest);
    file.put(10, segment(10));
    expect(cache.bytes).toBe(1_000);
    expect(held(file)).toEqual([0, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    file.put(11, segment(11, 350));
    expect(held(file)).toEqual([0, 6, 7, 8, 9, 10, 11]);
    expect(cache.bytes).toBe(950);
  });

  it('keeps what is used again while a large file passes through', () => {
    const cache = new SegmentCache(1_000);
    const [hot, passing] = [cache.forFile(), cache.forFile()];
    for (let index = 0; index < 7; index++) hot.put(index, segment(index));
    for (let index = 0; index < 7; index++) hot.get(index);
    for (let index = 0; index < 1_000; index++) passing.put(index, segment(1));
    expect(held(hot)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(cache.bytes).toBe(1_000);
    // And the other way: what nobody uses any more makes room for what is used now.
    for (let round = 0; round < 3; round++) {
      for (let index = 0; index < 9; index++) {
        if (passing.get(2_000 + index) === undefined) passing.put(2_000 + index, segment(3));
        passing.get(2_000 + index);
      }
    }
    expect(held(hot).length).toBeLessThan(3);
  });

  it('overwrites what it drops, but not what it gives back', () => {
    const cache = new SegmentCache(250);
    const file = cache.forFile();
    const [first, second, third] = [segment(1), segment(2), segment(3)];
    file.put(1, first);
    file.put(2, second);
    file.put(3, third);
    expect(first).toEqual(segment(0));
    expect(file.take(2)).toEqual(segment(2));
    expect(cache.bytes).toBe(100);
    cache.wipe();
    expect(third).toEqual(segment(0));
    expect(cache.bytes).toBe(0);
    file.put(4, segment(4));
    expect(file.has(4)).toBe(false);
  });

  it('keeps nothing without room, and nothing that is larger than all of it', () => {
    const none = new SegmentCache(0).forFile();
    const plain = segment(1);
    none.put(1, plain);
    expect(none.has(1)).toBe(false);
    expect(plain).toEqual(segment(0));
    const file = new SegmentCache(99).forFile();
    expect(file.fits(99)).toBe(true);
    expect(file.fits(100)).toBe(false);
    file.put(1, segment(1));
    expect(file.has(1)).toBe(false);
  });

  it('drops the end of one file without touching another', () => {
    const cache = new SegmentCache(10_000);
    const [a, b] = [cache.forFile(), cache.forFile()];
    for (let index = 0; index < 5; index++) {
      a.put(index, segment(index));
      b.put(index, segment(index));
    }
    a.dropFrom(3);
    expect([held(a), held(b)]).toEqual([
      [0, 1, 2],
      [0, 1, 2, 3, 4],
    ]);
    a.clear();
    expect(cache.bytes).toBe(500);
  });
});
