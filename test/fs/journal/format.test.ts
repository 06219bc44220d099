/** The bytes of a journal (docs/format/journal-v1.md §2 and §3). */

import { createHmac } from 'node:crypto';

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import {
  encodeRecord,
  encodeStart,
  headBytes,
  maxRecordBytes,
  parseHead,
} from '../../../src/fs/journal/format.ts';
import { journalOf, layout, newIdentity, parse, recordOf, sealedOf } from './journal-bytes.ts';

const identity = newIdentity();

/** Bodies of up to 40 segments, and some of their segments in order. */
const records = fc
  .record({ segments: fc.integer({ min: 1, max: 40 }), last: fc.integer({ min: 44, max: 4_096 }) })
  .chain(({ last, segments }) =>
    fc.record({
      bodyBytes: fc.constant((segments - 1) * 4_096 + last),
      indexes: fc
        .uniqueArray(fc.nat(segments - 1), { minLength: 1, maxLength: 5 })
        .map((indexes) => indexes.sort((a, b) => a - b)),
    }),
  );

describe('the start record', () => {
  it('has its fields where the format document puts them', () => {
    const start = Buffer.from(encodeStart(identity));
    expect(start.length).toBe(64);
    expect(start.toString('hex', 0, 16)).toBe('8956534a0d0a1a0a0001000000000000');
    expect(start.subarray(16, 32)).toEqual(Buffer.from(identity.fileId));
    expect(start.subarray(32, 64)).toEqual(Buffer.from(identity.floeHeader.subarray(10, 42)));
  });
});

describe('a sync record', () => {
  it('has its fields where the format document puts them', () => {
    const previous = Buffer.alloc(32, 7);
    const record = recordOf(258, 4_096 + 100, [0, 1]);
    const { bytes, mac, parts } = encodeRecord(identity.key, previous, record);
    const encoded = Buffer.concat(parts);
    expect(encoded.length).toBe(bytes);
    expect(encoded.toString('hex', 0, 4)).toBe('9e565352');
    expect(encoded.readUInt32BE(4)).toBe(28 + 24 + 4_096 + 100 + 32);
    expect(encoded.readBigUInt64BE(8)).toBe(258n);
    expect(encoded.readBigUInt64BE(16)).toBe(4_196n);
    expect(encoded.readUInt32BE(24)).toBe(2);
    expect([encoded.readBigUInt64BE(28), encoded.readUInt32BE(36)]).toEqual([0n, 4_096]);
    expect([encoded.readBigUInt64BE(40), encoded.readUInt32BE(48)]).toEqual([1n, 100]);
    const sealed = sealedOf(record);
    expect(encoded.subarray(52, 52 + 4_096).equals(sealed.get(0) as Buffer)).toBe(true);
    expect(encoded.subarray(52 + 4_096, -32).equals(sealed.get(1) as Buffer)).toBe(true);
    const expected = createHmac('sha256', identity.key.bytes())
      .update(previous)
      .update(encoded.subarray(0, -32))
      .digest();
    expect(encoded.subarray(-32)).toEqual(expected);
    expect(Buffer.from(mac)).toEqual(expected);
  });

  it('is the same bytes joined and in parts, with a start record in front and without', () => {
    fc.assert(
      fc.property(records, fc.boolean(), ({ bodyBytes, indexes }, withStart) => {
        const record = recordOf(9, bodyBytes, indexes);
        const previous = encodeStart(identity);
        const start = withStart ? previous : undefined;
        const inParts = encodeRecord(identity.key, previous, record, { start });
        const joined = encodeRecord(identity.key, previous, record, {
          start,
          into: (bytes) => new Uint8Array(bytes),
        });
        expect(joined.parts.length).toBe(1);
        expect(joined.bytes).toBe(inParts.bytes);
        expect(Buffer.concat(joined.parts).equals(Buffer.concat(inParts.parts))).toBe(true);
        expect(Buffer.from(joined.mac).equals(inParts.mac)).toBe(true);
      }),
    );
  });

  it('comes back as it went in', () => {
    fc.assert(
      fc.property(records, fc.integer({ min: 1, max: 2 ** 50 }), ({ bodyBytes, indexes }, syncSeq) => {
        const record = recordOf(syncSeq, bodyBytes, indexes);
        const found = parse(identity, journalOf(identity, [record]).bytes);
        expect(found).toMatchObject({
          start: 'ours',
          records: 1,
          state: { syncSeq, bodyBytes },
          tamperedAt: undefined,
        });
        expect([...found.overlay.keys()]).toEqual(indexes);
        for (const [index, sealed] of sealedOf(record)) {
          expect(sealed.equals(found.overlay.get(index) as Uint8Array)).toBe(true);
        }
      }),
    );
  });
});

describe('the head of a record', () => {
  const head = (change: (bytes: Buffer) => void): Buffer => {
    const bytes = Buffer.from(journalOf(identity, [recordOf(1, 4_096 + 100, [0, 1])]).bytes.subarray(64));
    change(bytes);
    return bytes.subarray(0, headBytes);
  };
  const available = 28 + 24 + 4_096 + 100 + 32;

  it('bounds everything behind it before it is read', () => {
    expect(
      parseHead(
        head(() => {}),
        layout,
        available,
      ),
    ).toMatchObject({ recordBytes: available, count: 2 });
    const changes: Record<string, (bytes: Buffer) => void> = {
      'another mark': (bytes) => bytes.writeUInt8(0, 3),
      'a record longer than the journal': (bytes) => bytes.writeUInt32BE(available + 1, 4),
      'a record of more than 64 MiB': (bytes) => bytes.writeUInt32BE(maxRecordBytes + 1, 4),
      'a syncSeq of zero': (bytes) => bytes.writeBigUInt64BE(0n, 8),
      'a syncSeq that is no safe integer': (bytes) => bytes.writeBigUInt64BE(2n ** 53n, 8),
      'a body shorter than one segment': (bytes) => bytes.writeBigUInt64BE(43n, 16),
      'a body that ends inside the overhead': (bytes) => bytes.writeBigUInt64BE(4_096n + 43n, 16),
      'a body that is too long': (bytes) => bytes.writeBigUInt64BE(2n ** 53n - 1n, 16),
      'no segments': (bytes) => bytes.writeUInt32BE(0, 24),
      'more segments than the body has': (bytes) => bytes.writeUInt32BE(3, 24),
      'more segments than fit into the record': (bytes) => {
        bytes.writeBigUInt64BE(2n ** 40n, 16);
        bytes.writeUInt32BE(4, 24);
      },
    };
    for (const [what, change] of Object.entries(changes)) {
      const journalBytes = what.includes('64 MiB') ? 2 ** 30 : available;
      expect(parseHead(head(change), layout, journalBytes), what).toBeUndefined();
    }
    expect(parseHead(head(() => {}).subarray(0, 27), layout, available)).toBeUndefined();
  });
});
