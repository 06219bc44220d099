/** Journals made by hand, and what the parser says about their bytes. */

import { type SegmentLayout, segmentLayout } from '../../../src/floe/layout.ts';
import {
  encodeRecord,
  encodeStart,
  type JournalIdentity,
  type SealedSegment,
  type SyncRecord,
} from '../../../src/fs/journal/format.ts';
import { type JournalFindings, maxRequestBytes, parseJournal } from '../../../src/fs/journal/parse.ts';
import { randomSecret } from '../../../src/random.ts';
import { Secret } from '../../../src/secret.ts';

export const layout: SegmentLayout = segmentLayout(4_096, 24);

export function newIdentity(): JournalIdentity {
  return {
    fileId: randomSecret(16),
    floeHeader: randomSecret(74),
    layout,
    key: new Secret(randomSecret(32)),
  };
}

/** A record of a body of so many sealed bytes, with these segments of it. The journal does not look into segments. */
export function recordOf(syncSeq: number, bodyBytes: number, indexes: readonly number[]): SyncRecord {
  const last = Math.ceil(bodyBytes / layout.segmentBytes) - 1;
  const segments: SealedSegment[] = indexes.map((index) => {
    const sealed = randomSecret(
      index === last ? bodyBytes - last * layout.segmentBytes : layout.segmentBytes,
    );
    return { index, parts: [sealed.subarray(0, 28), sealed.subarray(28, -16), sealed.subarray(-16)] };
  });
  return { syncSeq, bodyBytes, segments };
}

export interface Journal {
  readonly bytes: Uint8Array;
  /** Where each record begins, and where the last one ends. */
  readonly borders: readonly number[];
}

/** A journal as its writer leaves it. */
export function journalOf(identity: JournalIdentity, records: readonly SyncRecord[]): Journal {
  const start = encodeStart(identity);
  const parts: Uint8Array[] = [start];
  const borders = [start.length];
  let previous: Uint8Array = start;
  for (const record of records) {
    const encoded = encodeRecord(identity.key, previous, record);
    parts.push(...encoded.parts);
    borders.push((borders.at(-1) as number) + encoded.bytes);
    previous = encoded.mac;
  }
  return { bytes: Buffer.concat(parts), borders };
}

export interface Parsed extends JournalFindings {
  /** Bytes that the parser asked for. */
  readonly requestedBytes: number;
}

export function parse(identity: JournalIdentity, bytes: Uint8Array, headerSyncSeq = 0): Parsed {
  const parsing = parseJournal(identity, bytes.length, headerSyncSeq);
  // Overwritten for each request, as the buffer of a file is.
  const buffer = new Uint8Array(maxRequestBytes);
  let requestedBytes = 0;
  for (let step = parsing.next(); ; ) {
    if (step.done === true) return { ...step.value, requestedBytes };
    const { length, offset } = step.value;
    if (length < 0 || length > maxRequestBytes || offset < 0 || offset + length > bytes.length) {
      throw new Error(`the parser asked for ${length} bytes from ${offset} of ${bytes.length}`);
    }
    requestedBytes += length;
    buffer.fill(0xdd, 0, length);
    buffer.set(bytes.subarray(offset, offset + length));
    step = parsing.next(buffer.subarray(0, length));
  }
}

/** The joined parts of each segment. */
export function sealedOf({ segments }: SyncRecord): Map<number, Buffer> {
  return new Map(segments.map(({ index, parts }) => [index, Buffer.concat(parts)]));
}
