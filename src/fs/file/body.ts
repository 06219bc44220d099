/**
 * The body of one open mutable file as this process sees it: what is committed, what was changed since, and where each
 * segment is to be found. No I/O.
 *
 * A segment is, in this order of precedence,
 *   dirty    changed and not committed: plaintext in memory, and nowhere else;
 *   pending  committed in the journal, but not written in place: sealed in memory (its plaintext may be in the cache);
 *   placed   in the file, where its position puts it.
 * Whatever is not dirty was sealed with the finality it has now: a change of the length makes the old and the new last segment
 * dirty.
 */

import { type BodyShape, bodyBytes, type SegmentLayout, segmentCount } from '../../floe/layout.ts';
import type { CachedFile } from './segment-cache.ts';

/** A durable state of the body. */
export interface CommittedState {
  readonly syncSeq: number;
  /** Sealed bytes. */
  readonly bodyBytes: number;
}

/** Dirty plaintext of one file that is held in memory before room is made. A few segments always fit. */
export function mostDirtyBytes(layout: SegmentLayout): number {
  return Math.max(4 * 2 ** 20, 4 * layout.plainSegmentBytes);
}

export class Body {
  readonly layout: SegmentLayout;
  readonly cache: CachedFile;
  /** Plaintext buffers of a whole segment each; how much of the last one counts, `plainBytes` says. */
  readonly dirty: Map<number, Uint8Array> = new Map();
  /** Sealed, in parts that count as joined. */
  readonly pending: Map<number, readonly Uint8Array[]> = new Map();
  #plainBytes = 0;
  /** A last segment without plaintext behind whole ones. Other writers may leave one; it goes with the next change of the length. */
  #emptyTail = 0;
  committed: CommittedState = { syncSeq: 0, bodyBytes: 0 };
  /** Whether anything is not committed. */
  changed = false;
  /** Counts whenever placed segments change under a read that is under way. */
  placements = 0;

  constructor(layout: SegmentLayout, cache: CachedFile) {
    this.layout = layout;
    this.cache = cache;
  }

  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** Changes the length. What becomes the last segment, or no longer is, the caller makes dirty. */
  setLength(plainBytes: number): void {
    this.#plainBytes = plainBytes;
    this.#emptyTail = 0;
    this.changed = true;
  }

  get lastIndex(): number {
    return segmentCount(this.layout, this.#plainBytes) - 1 + this.#emptyTail;
  }

  /** Plaintext bytes of a segment of the body. */
  lengthOf(index: number): number {
    const { plainSegmentBytes } = this.layout;
    return Math.min(plainSegmentBytes, this.#plainBytes - index * plainSegmentBytes);
  }

  /** Sealed bytes of a segment of the body. */
  sealedLengthOf(index: number): number {
    return this.lengthOf(index) + this.layout.overheadBytes;
  }

  indexOf(plainOffset: number): number {
    const { plainSegmentBytes } = this.layout;
    return (plainOffset - (plainOffset % plainSegmentBytes)) / plainSegmentBytes;
  }

  /** Where a segment begins in the body. */
  bodyOffsetOf(index: number): number {
    return index * this.layout.segmentBytes;
  }

  /** Sealed bytes of the body as it is now. */
  get sealedBytes(): number {
    return bodyBytes(this.layout, this.#plainBytes) + this.#emptyTail * this.layout.overheadBytes;
  }

  /** The first segment that lies wholly behind the committed end: from here on nothing in the file counts yet. */
  get firstFree(): number {
    return Math.ceil(this.committed.bodyBytes / this.layout.segmentBytes);
  }

  /** Bytes of dirty plaintext held in memory. */
  get dirtyBytes(): number {
    return this.dirty.size * this.layout.plainSegmentBytes;
  }

  /**
   * The plaintext of a segment when it is in memory as such, to be read before control is given up.
   * @param passing whether it is read by someone who goes through the file: that does not make it worth keeping
   */
  plainOf(index: number, passing: boolean): Uint8Array | undefined {
    return this.dirty.get(index) ?? (passing ? this.cache.peek(index) : this.cache.get(index));
  }

  /** Makes a segment dirty whose plaintext is known: `plain` becomes the body's. */
  makeDirty(index: number, plain: Uint8Array): Uint8Array {
    const { plainSegmentBytes } = this.layout;
    this.cache.drop(index);
    const before = this.dirty.get(index);
    if (before !== plain) before?.fill(0);
    let buffer = plain;
    if (plain.length < plainSegmentBytes) {
      buffer = new Uint8Array(plainSegmentBytes);
      buffer.set(plain);
      plain.fill(0);
    }
    this.dirty.set(index, buffer);
    this.changed = true;
    return buffer;
  }

  /** The dirty segments in ascending order, within [from, to). */
  dirtyIndexes(from: number, to: number): number[] {
    const indexes: number[] = [];
    for (const index of this.dirty.keys()) if (index >= from && index < to) indexes.push(index);
    return indexes.sort((a, b) => a - b);
  }

  /** Plaintext of a dirty segment, cut to what counts. */
  dirtyPlain(index: number): Uint8Array {
    return (this.dirty.get(index) as Uint8Array).subarray(0, this.lengthOf(index));
  }

  /** Overwrites and forgets a dirty segment. */
  forgetDirty(index: number): void {
    this.dirty.get(index)?.fill(0);
    this.dirty.delete(index);
  }

  /** A dirty segment that was committed: its plaintext stays at hand. */
  settleDirty(index: number): void {
    const plain = this.dirty.get(index) as Uint8Array;
    this.dirty.delete(index);
    this.cache.put(index, plain);
  }

  /** Puts plaintext where the body ends or inside it; the segments concerned are dirty already. */
  overwrite(source: Uint8Array, plainOffset: number): void {
    const { plainSegmentBytes } = this.layout;
    let done = 0;
    while (done < source.length) {
      const at = plainOffset + done;
      const index = this.indexOf(at);
      const from = at - index * plainSegmentBytes;
      const count = Math.min(source.length - done, plainSegmentBytes - from);
      const buffer = this.dirty.get(index) as Uint8Array;
      buffer.set(count === source.length ? source : source.subarray(done, done + count), from);
      done += count;
    }
    const end = plainOffset + source.length;
    if (end > this.#plainBytes) this.setLength(end);
    this.changed = true;
  }

  /** Everything is as this state says, with these segments over the file. Nothing is dirty. */
  install(state: CommittedState, shape: BodyShape, overlay: ReadonlyMap<number, Uint8Array>): void {
    this.placements += 1;
    const { bodyBytes: length, syncSeq } = this.committed;
    if (syncSeq !== state.syncSeq || length !== state.bodyBytes) this.cache.clear();
    this.pending.clear();
    for (const [index, sealed] of overlay) this.pending.set(index, [sealed]);
    this.committed = state;
    this.takeShape(shape);
  }

  /** The length as a shape says it. */
  takeShape({ plainBytes, segments }: BodyShape): void {
    this.setLength(plainBytes);
    this.#emptyTail = segments - segmentCount(this.layout, plainBytes);
    this.changed = false;
  }

  wipe(): void {
    for (const plain of this.dirty.values()) plain.fill(0);
    this.dirty.clear();
    this.pending.clear();
    this.cache.clear();
  }
}
