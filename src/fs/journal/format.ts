/**
 * The bytes of a redo journal: pure encoding and bounds, no I/O (docs/format/journal-v1.md §2 and §3).
 *
 *     journal = start record ‖ sync record ‖ sync record …
 *     sync record = head ‖ table ‖ sealed segments ‖ MAC
 */

import { createHmac } from 'node:crypto';

import { readU32, readU64, writeU32, writeU64 } from '../../bytes.ts';
import {
  type BodyShape,
  bodyShape,
  messageIvBytes,
  parameterBytes,
  type SegmentLayout,
} from '../../floe/layout.ts';
import type { Secret } from '../../secret.ts';

export const startBytes = 64;
export const headBytes = 28;
export const entryBytes = 12;
export const macBytes = 32;
/** Of one sync record, from its mark to the end of its MAC. */
export const maxRecordBytes: number = 64 * 2 ** 20;

/** 0x89 "VSJ" CR LF 0x1A LF */
export const startMagic: Uint8Array = Uint8Array.of(0x89, 0x56, 0x53, 0x4a, 0x0d, 0x0a, 0x1a, 0x0a);
/** 0x9E "VSR": where a reader that lost its way finds records again. */
export const recordMark: Uint8Array = Uint8Array.of(0x9e, 0x56, 0x53, 0x52);
export const journalVersion = 1;

const fileIdAt = 16;
const ivAt = 32;

/** What a journal must be about: taken from the verified header of the file. */
export interface JournalIdentity {
  /** 16 bytes. */
  readonly fileId: Uint8Array;
  /** 74 bytes. */
  readonly floeHeader: Uint8Array;
  readonly layout: SegmentLayout;
  /** E(FK, "volseal/v1/journal", 32). */
  readonly key: Secret;
}

/** The only start record that the journal of this file can have, 64 bytes (docs/format/journal-v1.md §2). */
export function encodeStart({ fileId, floeHeader }: JournalIdentity): Uint8Array {
  const start = new Uint8Array(startBytes);
  start.set(startMagic, 0);
  start[startMagic.length + 1] = journalVersion;
  start.set(fileId, fileIdAt);
  start.set(floeHeader.subarray(parameterBytes, parameterBytes + messageIvBytes), ivAt);
  return start;
}

/** What one sync changed. */
export interface SyncRecord {
  readonly syncSeq: number;
  /** Sealed bytes of the whole body after it. */
  readonly bodyBytes: number;
  /** In ascending order of `index`. */
  readonly segments: readonly SealedSegment[];
}

export interface SealedSegment {
  readonly index: number;
  /** In parts that count as joined. */
  readonly parts: readonly Uint8Array[];
}

function partsBytes(parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}

export interface EncodeOptions {
  /** Goes in front of the record. Not under its MAC: {@link encodeRecord} takes it as `previous`. */
  readonly start?: Uint8Array | undefined;
  /** Memory of so many bytes to join everything in, or undefined where that is not worth it. Valid until it is asked for again. */
  readonly into?: ((bytes: number) => Uint8Array | undefined) | undefined;
}

/** A record ready to be written, MAC included. */
export interface EncodedRecord {
  /** That count as joined. */
  readonly parts: readonly Uint8Array[];
  /** Of all parts together. */
  readonly bytes: number;
  /** 32 bytes: what the next record chains to. */
  readonly mac: Uint8Array;
}

/**
 * @param previous the MAC of the record before, or the start record in front of the first one
 */
export function encodeRecord(
  key: Secret,
  previous: Uint8Array,
  record: SyncRecord,
  { into, start }: EncodeOptions = {},
): EncodedRecord {
  const { segments } = record;
  const startLength = start?.length ?? 0;
  const frontBytes = startLength + headBytes + segments.length * entryBytes;
  let bytes = frontBytes + macBytes;
  for (const { parts } of segments) bytes += partsBytes(parts);
  const joined = into?.(bytes);
  const front = joined ?? Buffer.allocUnsafe(frontBytes);
  if (start !== undefined) front.set(start, 0);
  writeFront(front, startLength, record, bytes - startLength);
  const hmac = startMac(key, previous);
  if (joined === undefined) {
    const parts = [front.subarray(startLength)];
    for (const segment of segments) parts.push(...segment.parts);
    for (const part of parts) hmac.update(part);
    parts[0] = front;
    const mac = hmac.digest();
    parts.push(mac);
    return { parts, bytes, mac };
  }
  let at = frontBytes;
  for (const { parts } of segments) {
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
  }
  const mac = hmac.update(joined.subarray(startLength, at)).digest();
  joined.set(mac, at);
  return { parts: [joined], bytes, mac };
}

/** Head and table. */
function writeFront(
  target: Uint8Array,
  from: number,
  { bodyBytes, segments, syncSeq }: SyncRecord,
  recordBytes: number,
): void {
  target.set(recordMark, from);
  writeU32(target, recordBytes, from + 4);
  writeU64(target, syncSeq, from + 8);
  writeU64(target, bodyBytes, from + 16);
  writeU32(target, segments.length, from + 24);
  let at = from + headBytes;
  for (const { index, parts } of segments) {
    writeU64(target, index, at);
    writeU32(target, partsBytes(parts), at + 8);
    at += entryBytes;
  }
}

/** HMAC over what a record chains to; the record without its MAC follows. */
export function startMac(key: Secret, previous: Uint8Array): ReturnType<typeof createHmac> {
  return createHmac('sha256', key.keyObject()).update(previous);
}

/** The head of a record whose fields are in bounds. Nothing of it is authenticated. */
export interface RecordHead {
  readonly recordBytes: number;
  readonly syncSeq: number;
  readonly bodyBytes: number;
  readonly count: number;
  readonly shape: BodyShape;
}

/**
 * Reads a record head, 28 bytes, and bounds everything that follows by it (docs/format/journal-v1.md §3).
 * @param availableBytes what the journal has from the start of the record on
 * @returns undefined when no record of this file can begin so
 */
export function parseHead(
  bytes: Uint8Array,
  layout: SegmentLayout,
  availableBytes: number,
): RecordHead | undefined {
  if (bytes.length < headBytes) return undefined;
  for (let i = 0; i < recordMark.length; i++) if (bytes[i] !== recordMark[i]) return undefined;
  const recordBytes = readU32(bytes, 4);
  const syncSeq = readU64(bytes, 8);
  const bodyBytes = readU64(bytes, 16);
  const count = readU32(bytes, 24);
  if (recordBytes > Math.min(maxRecordBytes, availableBytes)) return undefined;
  if (syncSeq === undefined || syncSeq === 0 || bodyBytes === undefined || count === 0) return undefined;
  const shape = bodyShape(layout, bodyBytes);
  if (shape === undefined || count > shape.segments) return undefined;
  // All but at most one of them are whole segments.
  const leastBytes = (count - 1) * layout.segmentBytes + layout.overheadBytes;
  if (headBytes + count * entryBytes + leastBytes + macBytes > recordBytes) return undefined;
  return { recordBytes, syncSeq, bodyBytes, count, shape };
}

/** One entry of a record's table. */
export interface TableEntry {
  readonly index: number;
  readonly sealedBytes: number;
}

/**
 * Reads a record's table. Indexes ascend, every segment has the one length that its place in the body allows, and the lengths
 * add up to the record: else undefined.
 */
export function parseTable(
  bytes: Uint8Array,
  head: RecordHead,
  layout: SegmentLayout,
): readonly TableEntry[] | undefined {
  const { count, recordBytes, shape } = head;
  if (bytes.length < count * entryBytes) return undefined;
  const entries: TableEntry[] = [];
  let total = headBytes + count * entryBytes + macBytes;
  let before = -1;
  for (let at = 0; at < count * entryBytes; at += entryBytes) {
    const index = readU64(bytes, at);
    const sealedBytes = readU32(bytes, at + 8);
    if (index === undefined || index <= before || index >= shape.segments) return undefined;
    const isLast = index === shape.segments - 1;
    if (sealedBytes !== (isLast ? shape.lastSegmentBytes : layout.segmentBytes)) return undefined;
    entries.push({ index, sealedBytes });
    before = index;
    total += sealedBytes;
  }
  return total === recordBytes ? entries : undefined;
}
