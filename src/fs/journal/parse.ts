/**
 * What a journal says: bytes in, findings out (docs/format/journal-v1.md §4). Pure: the bytes are asked for by yielding, so
 * that files and tests can feed it, and never more than a piece of them is held beside what has been verified.
 */

import { bytesEqual, constantTimeEqual, readU16 } from '../../bytes.ts';
import {
  encodeStart,
  entryBytes,
  headBytes,
  type JournalIdentity,
  journalVersion,
  macBytes,
  maxRecordBytes,
  parseHead,
  parseTable,
  recordMark,
  startBytes,
  startMagic,
  startMac,
} from './format.ts';

/** Asks for these bytes of the journal. They are valid until the next request. */
export interface JournalRequest {
  readonly offset: number;
  /** At most {@link maxRequestBytes}, and never past the end of the journal. */
  readonly length: number;
}

export const maxRequestBytes = 1_048_576;

/** Later records are looked for no further than this behind one that is not valid: a torn record ends before. */
const searchedBytes = 2 * maxRecordBytes;
/**
 * What may be read to check candidates, a window for each of them on top. A mark occurs by chance once in 4 GiB; whoever
 * plants them by the thousand must not make the search quadratic.
 */
const laterBudgetBytes = 2 * searchedBytes;

export interface JournalFindings {
  /**
   * `ours`: it begins with the start record of this file. `none`: it is shorter than one, or begins with zeros, as a crash
   * leaves it before the first sync. `newer`: a start record of an unknown version. `foreign`: it begins with something else.
   */
  readonly start: 'ours' | 'none' | 'newer' | 'foreign';
  /** Records in the longest valid chain. */
  readonly records: number;
  /** Of the first of them. */
  readonly firstSyncSeq: number | undefined;
  /** What the last of them says; undefined when there is none. */
  readonly state: { readonly syncSeq: number; readonly bodyBytes: number } | undefined;
  /** The newest sealed segment of each index that the chain changed and did not cut off later. */
  readonly overlay: ReadonlyMap<number, Uint8Array>;
  /** Where the chain ends. */
  readonly chainBytes: number;
  /** Where a valid record stands behind one that is not: no crash leaves that. */
  readonly tamperedAt: number | undefined;
}

type Parsing<T> = Generator<JournalRequest, T, Uint8Array>;

interface VerifiedRecord {
  readonly recordBytes: number;
  readonly syncSeq: number;
  readonly bodyBytes: number;
  readonly segmentCount: number;
  readonly segments: ReadonlyMap<number, Uint8Array>;
  readonly mac: Uint8Array;
}

/**
 * @param headerSyncSeq of the header on the disk: records that are not newer are leftovers that a checkpoint has overtaken
 */
export function* parseJournal(
  identity: JournalIdentity,
  journalBytes: number,
  headerSyncSeq: number,
): Parsing<JournalFindings> {
  const expectedStart = encodeStart(identity);
  const start = yield* startOf(expectedStart, journalBytes);
  const overlay = new Map<number, Uint8Array>();
  let state: JournalFindings['state'];
  let firstSyncSeq: number | undefined;
  let records = 0;
  let at = startBytes;
  let segmentCount = 0;
  let previous: Uint8Array = expectedStart;
  while (start === 'ours' && at < journalBytes) {
    const record = yield* readRecord(identity, at, journalBytes, previous, true);
    if (record === undefined || (state !== undefined && record.syncSeq !== state.syncSeq + 1)) break;
    // A body that was cut and grew again has other segments there now: in later records, or straight in the file.
    if (record.segmentCount < segmentCount) dropFrom(overlay, record.segmentCount);
    segmentCount = record.segmentCount;
    for (const [index, sealed] of record.segments) overlay.set(index, sealed);
    firstSyncSeq ??= record.syncSeq;
    state = { syncSeq: record.syncSeq, bodyBytes: record.bodyBytes };
    previous = record.mac;
    at += record.recordBytes;
    records += 1;
  }
  const newest = Math.max(headerSyncSeq, state?.syncSeq ?? 0);
  // Behind a start record that was changed, the first record is still authentic under the one that should be there.
  const tamperedAt = yield* findLater(identity, at, journalBytes, newest, expectedStart);
  return { start, records, firstSyncSeq, state, overlay, chainBytes: records === 0 ? 0 : at, tamperedAt };
}

function* startOf(expected: Uint8Array, journalBytes: number): Parsing<JournalFindings['start']> {
  if (journalBytes < startBytes) return 'none';
  const start = yield { offset: 0, length: startBytes };
  if (bytesEqual(start, expected)) return 'ours';
  if (start.every((byte) => byte === 0)) return 'none';
  const isStart = bytesEqual(start.subarray(0, startMagic.length), startMagic);
  return isStart && readU16(start, startMagic.length) !== journalVersion ? 'newer' : 'foreign';
}

function dropFrom(overlay: Map<number, Uint8Array>, segmentCount: number): void {
  for (const index of overlay.keys()) if (index >= segmentCount) overlay.delete(index);
}

/**
 * The record at `at`, if it is one whose MAC is right behind `previous`.
 * @param keep whether its segments are wanted
 */
function* readRecord(
  { key, layout }: JournalIdentity,
  at: number,
  journalBytes: number,
  previous: Uint8Array,
  keep: boolean,
): Parsing<VerifiedRecord | undefined> {
  if (journalBytes - at < headBytes) return undefined;
  const headBytesRead = (yield { offset: at, length: headBytes }).slice();
  const head = parseHead(headBytesRead, layout, journalBytes - at);
  if (head === undefined) return undefined;
  const table = new Uint8Array(head.count * entryBytes);
  yield* readInto(table, at + headBytes);
  const entries = parseTable(table, head, layout);
  if (entries === undefined) return undefined;
  const mac = startMac(key, previous).update(headBytesRead).update(table);
  const segments = new Map<number, Uint8Array>();
  let offset = at + headBytes + table.length;
  for (const { index, sealedBytes } of entries) {
    const sealed = keep ? new Uint8Array(sealedBytes) : undefined;
    for (let done = 0; done < sealedBytes; ) {
      const length = Math.min(maxRequestBytes, sealedBytes - done);
      const piece = yield { offset: offset + done, length };
      mac.update(piece);
      sealed?.set(piece, done);
      done += length;
    }
    if (sealed !== undefined) segments.set(index, sealed);
    offset += sealedBytes;
  }
  const stored = (yield { offset, length: macBytes }).slice();
  if (!constantTimeEqual(mac.digest(), stored)) return undefined;
  const { bodyBytes, recordBytes, shape, syncSeq } = head;
  return { recordBytes, syncSeq, bodyBytes, segmentCount: shape.segments, segments, mac: stored };
}

function* readInto(target: Uint8Array, offset: number): Parsing<void> {
  for (let done = 0; done < target.length; ) {
    const length = Math.min(maxRequestBytes, target.length - done);
    target.set(yield { offset: offset + done, length }, done);
    done += length;
  }
}

/**
 * Looks behind the valid chain for a record that is newer and authentic. The 32 bytes in front of a record are the MAC it
 * chains to, so each can be checked on its own.
 * @param newest only records with a higher syncSeq count: older ones are what a journal that was used again had before
 */
function* findLater(
  identity: JournalIdentity,
  from: number,
  journalBytes: number,
  newest: number,
  expectedStart: Uint8Array,
): Parsing<number | undefined> {
  const end = Math.min(journalBytes, from + searchedBytes);
  let budgetBytes = laterBudgetBytes;
  let windowAt = from;
  while (windowAt + headBytes <= end) {
    const length = Math.min(maxRequestBytes, end - windowAt);
    const marks = marksIn(yield { offset: windowAt, length });
    const isLastWindow = windowAt + length === end;
    let nextWindowAt = windowAt + length - recordMark.length + 1;
    for (const mark of marks) {
      const candidate = windowAt + mark;
      if (candidate + headBytes > windowAt + length && !isLastWindow) {
        nextWindowAt = candidate;
        break;
      }
      if (journalBytes - candidate < headBytes) return undefined;
      const request = { offset: candidate, length: headBytes };
      const head = parseHead(yield request, identity.layout, journalBytes - candidate);
      if (head === undefined || head.syncSeq <= newest) continue;
      budgetBytes -= head.recordBytes + maxRequestBytes;
      if (budgetBytes < 0) return candidate;
      const previous =
        candidate < startBytes + macBytes
          ? expectedStart
          : (yield { offset: candidate - macBytes, length: macBytes }).slice();
      if ((yield* readRecord(identity, candidate, journalBytes, previous, false)) !== undefined) {
        return candidate;
      }
    }
    if (isLastWindow) return undefined;
    windowAt = nextWindowAt;
  }
  return undefined;
}

function marksIn(window: Uint8Array): number[] {
  const bytes = Buffer.from(window.buffer, window.byteOffset, window.byteLength);
  const marks: number[] = [];
  for (let at = bytes.indexOf(recordMark); at !== -1; at = bytes.indexOf(recordMark, at + 1)) marks.push(at);
  return marks;
}
