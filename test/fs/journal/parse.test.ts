/** Journals that were cut, changed, put together from others, or planted (docs/format/journal-v1.md §4). */

import { describe, expect, it } from 'vitest';

import { encodeStart, type SyncRecord } from '../../../src/fs/journal/format.ts';
import { journalOf, layout, newIdentity, parse, recordOf, sealedOf } from './journal-bytes.ts';

const identity = newIdentity();
/** Small ones, so that every byte can be tried: a body of one segment that grows. */
const small: SyncRecord[] = [4, 5, 6, 7].map((syncSeq) => recordOf(syncSeq, 40 + 4 * syncSeq, [0]));
const { borders, bytes } = journalOf(identity, small);
const end = bytes.length;

function changed(at: number, mask: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ mask;
  return copy;
}

/** The number of the record that holds a byte; -1 for the start record. */
const recordAt = (at: number): number => borders.findLastIndex((border) => border <= at);

describe('a whole journal', () => {
  it('gives the newest segments and the last state', () => {
    const records = [
      recordOf(1, 3 * 4_096, [0, 2]),
      recordOf(2, 3 * 4_096, [1, 2]),
      recordOf(3, 5 * 4_096 - 9, [2, 4]),
    ];
    const found = parse(identity, journalOf(identity, records).bytes);
    expect(found).toMatchObject({ records: 3, state: { syncSeq: 3, bodyBytes: 5 * 4_096 - 9 } });
    const newest = new Map([0, 1, 2, 4].map((index) => [index, records.findLast(has(index))]));
    expect([...found.overlay.keys()].toSorted((a, b) => a - b)).toEqual([0, 1, 2, 4]);
    for (const [index, record] of newest) {
      const sealed = sealedOf(record as SyncRecord).get(index) as Buffer;
      expect(sealed.equals(found.overlay.get(index) as Uint8Array)).toBe(true);
    }
  });

  it('drops what a shorter body cut off, also when it grows again', () => {
    const records = [
      recordOf(1, 6 * 4_096, [1, 3, 5]),
      recordOf(2, 4_096 + 60, [1]),
      recordOf(3, 9 * 4_096, [1, 2]),
    ];
    // What stands at 3 and 5 now was written straight to the file.
    expect([...parse(identity, journalOf(identity, records).bytes).overlay.keys()]).toEqual([1, 2]);
  });

  it('is empty without a record, and when it is shorter than a start record or begins with zeros', () => {
    for (const empty of [bytes.subarray(0, 64), bytes.subarray(0, 63), Buffer.alloc(0), Buffer.alloc(500)]) {
      const found = parse(identity, empty);
      expect(found).toMatchObject({ records: 0, state: undefined, tamperedAt: undefined });
      expect(found.start).toBe(empty.length === 64 ? 'ours' : 'none');
    }
  });

  it('may be followed by zeros, which a writer puts ahead of its records', () => {
    const found = parse(identity, Buffer.concat([bytes, Buffer.alloc(100_000)]));
    expect(found).toMatchObject({ records: 4, tamperedAt: undefined, chainBytes: end });
  });
});

describe('a journal cut at any byte', () => {
  it('counts up to the last whole record', () => {
    for (let length = 0; length <= end; length++) {
      const found = parse(identity, bytes.subarray(0, length));
      const whole = Math.max(
        0,
        borders.findLastIndex((border) => border <= length),
      );
      expect(found.records, `cut to ${length}`).toBe(whole);
      expect(found.state?.syncSeq).toBe(small[whole - 1]?.syncSeq);
      expect(found.tamperedAt).toBeUndefined();
    }
  });

  it('with zeros or other bytes in the place of the rest, as a torn write leaves it', () => {
    for (let length = 64; length < end; length += 3) {
      for (const fill of [0, 0x9e]) {
        const torn = Buffer.alloc(end, fill);
        torn.set(bytes.subarray(0, length));
        const found = parse(identity, torn);
        // The bytes that are missing may happen to be right.
        expect(found.records).toBeGreaterThanOrEqual(recordAt(length));
        expect(found.records).toBeLessThanOrEqual(recordAt(length) + 1);
        expect(found.tamperedAt).toBeUndefined();
      }
    }
  });
});

describe('a journal with any byte changed', () => {
  it('counts up to that record, and is tampered with when a valid one follows', () => {
    for (let at = 0; at < end; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const found = parse(identity, changed(at, mask));
        const hit = recordAt(at);
        const what = `byte ${at} of record ${hit}`;
        expect(found.records, what).toBe(Math.max(0, hit));
        // The MAC of a record is what the next one chains to: without it two are not valid.
        const macHit = hit >= 0 && at >= (borders[hit + 1] as number) - 32;
        const nextValid = hit + (macHit ? 2 : 1);
        const tamperedAt = nextValid < small.length ? borders[Math.max(0, nextValid)] : undefined;
        expect(found.tamperedAt, what).toBe(tamperedAt);
      }
    }
  });
});

describe('a journal put together', () => {
  const record = (i: number): Uint8Array => bytes.subarray(borders[i], borders[i + 1]);
  const start = bytes.subarray(0, 64);
  const joined = (...parts: Uint8Array[]): Uint8Array => Buffer.concat(parts);

  it('without a record of the middle', () => {
    const found = parse(identity, joined(start, record(0), record(2), record(3)));
    expect(found).toMatchObject({ records: 1, tamperedAt: 64 + record(0).length + record(2).length });
  });

  it('without the first record', () => {
    expect(parse(identity, joined(start, record(1), record(2)))).toMatchObject({
      records: 0,
      tamperedAt: 64 + record(1).length,
    });
  });

  it('with two records exchanged', () => {
    const found = parse(identity, joined(start, record(0), record(2), record(1), record(3)));
    expect(found.records).toBe(1);
    // None of them stands behind the MAC that it chains to.
    expect(found.tamperedAt).toBeUndefined();
  });

  it('with a record twice, or an old one again at the end', () => {
    expect(parse(identity, joined(start, record(0), record(1), record(1), record(2)))).toMatchObject({
      records: 2,
      tamperedAt: 64 + record(0).length + 2 * record(1).length,
    });
    expect(parse(identity, joined(bytes, record(3)))).toMatchObject({ records: 4, tamperedAt: undefined });
    expect(parse(identity, joined(bytes, record(1), record(2)))).toMatchObject({
      records: 4,
      tamperedAt: undefined, // older than what counts: leftovers of a journal that was used again look like it
    });
  });

  it('from two journals of the same file', () => {
    const other = journalOf(identity, [recordOf(4, 56, [0]), recordOf(5, 60, [0])]);
    const second = other.bytes.subarray(other.borders[1]);
    expect(parse(identity, joined(start, record(0), second))).toMatchObject({
      records: 1,
      tamperedAt: undefined,
    });
    expect(parse(identity, joined(start, record(0), record(1), second, record(2)))).toMatchObject({
      records: 2,
    });
  });
});

describe('a journal whose syncs do not follow each other', () => {
  it('counts up to there, though every MAC is right', () => {
    const { borders: at, bytes: skipping } = journalOf(identity, [
      small[0],
      small[2],
      small[3],
    ] as SyncRecord[]);
    expect(parse(identity, skipping)).toMatchObject({ records: 1, state: { syncSeq: 4 }, tamperedAt: at[1] });
  });
});

describe('leftovers behind the records', () => {
  it('are none of its business when the header has overtaken them', () => {
    // Used again after a checkpoint at 7: the first new record lies over the old ones, whole or torn.
    const next = journalOf(identity, [recordOf(8, 50, [0])]);
    for (const length of [next.bytes.length, next.bytes.length - 1, next.bytes.length - 40, 80]) {
      const reused = Buffer.from(bytes);
      reused.set(next.bytes.subarray(0, length));
      const found = parse(identity, reused, 7);
      // The byte that is missing may be the one that was there.
      const isWhole = Buffer.compare(reused.subarray(0, next.bytes.length), next.bytes) === 0;
      expect(found.records).toBe(isWhole ? 1 : 0);
      expect(found.tamperedAt).toBeUndefined();
      // With an older header the same bytes are records that somebody cut out of their chain.
      expect(parse(identity, reused, 6).tamperedAt === undefined).toBe(found.records === 1);
    }
  });
});

describe('a journal of something else', () => {
  it('of another file, IV or key is not ours', () => {
    const strangers = [
      { ...identity, fileId: newIdentity().fileId },
      { ...identity, floeHeader: newIdentity().floeHeader },
      newIdentity(),
    ];
    for (const stranger of strangers) {
      const found = parse(identity, journalOf(stranger, small).bytes);
      expect(found).toMatchObject({ start: 'foreign', records: 0, state: undefined });
    }
    // Right in front, but under another key: nothing is valid, as if all of it were torn.
    const forged = journalOf({ ...identity, key: newIdentity().key }, small).bytes;
    expect(parse(identity, forged)).toMatchObject({ start: 'ours', records: 0, tamperedAt: undefined });
  });

  it('of another file of the same key, whose segments have another place, is not ours', () => {
    const stranger = { ...identity, fileId: newIdentity().fileId };
    const spliced = Buffer.concat([encodeStart(identity), journalOf(stranger, small).bytes.subarray(64)]);
    // Each record but the first one chains to the one before it alone; the first one names the file.
    expect(parse(identity, spliced).records).toBe(0);
  });

  it('with a start record that was changed is tampered with, as long as a record of ours is in it', () => {
    for (const at of [0, 7, 9, 10, 15, 16, 31, 32, 63]) {
      const found = parse(identity, changed(at, 1).subarray(0, borders[1]));
      expect(found, `byte ${at}`).toMatchObject({ records: 0, tamperedAt: 64 });
    }
  });

  it('of a later version says so', () => {
    const later = Buffer.from(bytes.subarray(0, 64));
    later.writeUInt16BE(2, 8);
    const found = parse(identity, Buffer.concat([later, Buffer.alloc(300, 5)]));
    expect(found).toMatchObject({ start: 'newer', records: 0, tamperedAt: undefined });
  });
});

describe('a planted journal', () => {
  it('claims lengths that it does not have', () => {
    const huge = Buffer.from(bytes.subarray(0, 64 + 28));
    huge.writeUInt32BE(64 * 2 ** 20, 68);
    huge.writeUInt32BE(2 ** 32 - 1, 64 + 24);
    const found = parse(identity, huge);
    expect(found.records).toBe(0);
    expect(found.requestedBytes).toBeLessThan(64 + 4 * 28);
  });

  it('full of heads of records does not take long', () => {
    // Each head is in bounds and claims all that follows.
    const planted = Buffer.alloc(4 * 2 ** 20);
    planted.set(bytes.subarray(0, 64));
    const head = Buffer.from(bytes.subarray(64, 92));
    const step = 4_096;
    for (let at = 64; at + 70_000 < planted.length; at += step) {
      const count = Math.floor((planted.length - at - 100) / (layout.segmentBytes + 12));
      head.writeUInt32BE(planted.length - at, 4);
      head.writeBigUInt64BE(100n, 8);
      head.writeBigUInt64BE(BigInt(layout.segmentBytes) * 2_000n, 16);
      head.writeUInt32BE(count, 24);
      planted.set(head, at);
    }
    const found = parse(identity, planted);
    expect(found.records).toBe(0);
    expect(found.tamperedAt).toBeGreaterThan(64); // chance plants one mark in 4 GiB
    expect(found.requestedBytes).toBeLessThan(2 ** 30);
  });

  it('with a valid record far behind torn ones is found out', () => {
    const gap = Buffer.alloc(3 * 2 ** 20 + 17, 0x56);
    const last = bytes.subarray((borders[3] as number) - 32);
    const found = parse(identity, Buffer.concat([bytes.subarray(0, borders[1]), gap, last]));
    expect(found).toMatchObject({ records: 1, tamperedAt: (borders[1] as number) + gap.length + 32 });
  });
});

function has(index: number): (record: SyncRecord) => boolean {
  return ({ segments }) => segments.some((segment) => segment.index === index);
}
