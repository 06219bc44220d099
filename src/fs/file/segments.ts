/** Reading the segments of an open file, from memory or from their places. */

import { concatBytes } from '../../bytes.ts';
import type { Body } from './body.ts';
import { openPlaced, type OpenSegment, truncatedFile } from './open-segment.ts';
import { type Placed, runBytes } from './placed.ts';

/** Segments that a read covers as wholes are kept for the next one if it covers few. */
const keptWholeSegments = 4;
/** A read that meets a segment just being written looks again; each time something else was finished meanwhile. */
const mostRetries = 100;

export interface SegmentsOptions {
  readonly body: Body;
  readonly placed: Placed;
  readonly open: OpenSegment;
  /** Throws when the file must not be used any more. */
  readonly check: () => void;
  /**
   * A placed segment cannot be read, and this process has not changed it meanwhile. Returns when it is worth another attempt,
   * else throws.
   * @param attempt counts from 0
   */
  readonly onUnreadable: (error: unknown, attempt: number) => Promise<void>;
}

export class Segments {
  readonly body: Body;
  readonly placed: Placed;
  readonly #check: () => void;
  readonly #onUnreadable: SegmentsOptions['onUnreadable'];
  /** Of the header as it was read last. */
  open: OpenSegment;
  /** Where a reader that goes through the file would go on. */
  #nextOffset = -1;

  constructor(options: SegmentsOptions) {
    this.body = options.body;
    this.placed = options.placed;
    this.open = options.open;
    this.#check = options.check;
    this.#onUnreadable = options.onUnreadable;
  }

  /** The number of bytes read, at once when all of them are in memory. Less than `length` only at the end of the body. */
  read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
  ): number | Promise<number> {
    const { body } = this;
    const end = Math.min(plainOffset + length, body.plainBytes);
    if (end <= plainOffset) return 0;
    const passing = plainOffset === this.#nextOffset;
    const at = this.#copyFromMemory(target, targetOffset - plainOffset, plainOffset, end, passing);
    if (at === end) {
      this.#nextOffset = end;
      return end - plainOffset;
    }
    return this.#readOn(target, targetOffset, length, plainOffset, at, passing);
  }

  /** @returns up to where it got */
  #copyFromMemory(target: Uint8Array, shift: number, from: number, end: number, passing: boolean): number {
    const { body } = this;
    const { plainSegmentBytes } = body.layout;
    let at = from;
    while (at < end) {
      const index = body.indexOf(at);
      const plain = body.plainOf(index, passing) ?? this.#openPending(index);
      if (plain === undefined) return at;
      const begin = index * plainSegmentBytes;
      const until = Math.min(end, begin + plainSegmentBytes);
      target.set(plain.subarray(at - begin, until - begin), at + shift);
      at = until;
    }
    return at;
  }

  /** The plaintext of a pending segment, to be read before control is given up. */
  #openPending(index: number): Uint8Array | undefined {
    const { body, placed } = this;
    const parts = body.pending.get(index);
    if (parts === undefined) return undefined;
    const sealed = parts.length === 1 ? (parts[0] as Uint8Array) : concatBytes(...parts);
    const plain = this.open(sealed, index, index === body.lastIndex, placed.fileOffsetOf(index));
    // A cache without room wipes what it is given.
    if (body.cache.fits(plain.length)) body.cache.put(index, plain);
    return plain;
  }

  async #readOn(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
    from: number,
    passing: boolean,
  ): Promise<number> {
    const { body } = this;
    const shift = targetOffset - plainOffset;
    const keepWhole = !passing && length <= keptWholeSegments * body.layout.plainSegmentBytes;
    let at = from;
    let retries = 0;
    let attempt = 0;
    for (;;) {
      this.#check();
      // What was read from another process's file may have become shorter.
      const end = Math.min(plainOffset + length, body.plainBytes);
      at = this.#copyFromMemory(target, shift, at, end, passing);
      if (at >= end) break;
      const { placements } = body;
      const first = body.indexOf(at);
      try {
        const opened = this.#readRun(target, shift, at, end, keepWhole);
        at = typeof opened === 'number' ? opened : await opened;
      } catch (error) {
        const changedHere =
          body.placements !== placements || body.pending.has(first) || body.dirty.has(first);
        if (changedHere && retries++ < mostRetries) continue;
        await this.#onUnreadable(error, attempt++);
      }
    }
    this.#nextOffset = at;
    return Math.max(0, at - plainOffset);
  }

  /** Reads neighbouring segments that are not in memory with one system call. @returns up to where it got */
  #readRun(
    target: Uint8Array,
    shift: number,
    from: number,
    end: number,
    keepWhole: boolean,
  ): number | Promise<number> {
    const { body, placed } = this;
    const { plainSegmentBytes, segmentBytes } = body.layout;
    const { lastIndex, placements } = body;
    const first = body.indexOf(from);
    const most = Math.max(1, Math.floor(runBytes / segmentBytes));
    const wanted = Math.min(first + most - 1, body.indexOf(end - 1));
    let last = first;
    while (last < wanted && !this.#isInMemory(last + 1)) last += 1;
    const sealedBytes = (last - first) * segmentBytes + body.sealedLengthOf(last);
    return placed.read(first, sealedBytes, (sealed) => {
      let at = from;
      for (let index = first; index <= last; index++) {
        const offset = (index - first) * segmentBytes;
        const until = index === last ? sealedBytes : offset + segmentBytes;
        const fileOffset = placed.fileOffsetOf(index);
        if (sealed.length < until) throw truncatedFile(placed.fileOffsetOf(first) + sealed.length);
        const plain = this.open(sealed.subarray(offset, until), index, index === lastIndex, fileOffset);
        const begin = index * plainSegmentBytes;
        const stop = Math.min(end, begin + plain.length);
        target.set(plain.subarray(at - begin, stop - begin), at + shift);
        const isWhole = at === begin && stop === begin + plain.length;
        at = stop;
        if (isWhole && !keepWhole) plain.fill(0);
        else if (body.placements === placements && !this.#isInMemory(index)) body.cache.put(index, plain);
      }
      return at;
    });
  }

  #isInMemory(index: number): boolean {
    const { body } = this;
    return body.dirty.has(index) || body.cache.has(index) || body.pending.has(index);
  }

  /** The plaintext of a segment that is not dirty, for a writer to change: nothing else moves segments meanwhile. */
  async load(index: number): Promise<Uint8Array> {
    const { body, placed } = this;
    const cached = body.cache.take(index);
    if (cached !== undefined) return cached;
    const final = index === body.lastIndex;
    const parts = body.pending.get(index);
    if (parts !== undefined)
      return this.open(concatBytes(...parts), index, final, placed.fileOffsetOf(index));
    return openPlaced(placed, this.open, index, body.sealedLengthOf(index), final);
  }
}
