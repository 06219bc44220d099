/** Changing the body of an open file: in memory, as far as there is room. Its functions run one at a time. */

import { errnoError, hasErrno } from '../../errno.ts';
import { maxSealedBytes, maxSegments } from '../../limits.ts';
import { type Body, mostDirtyBytes } from './body.ts';
import type { Committer } from './committer.ts';
import type { Segments } from './segments.ts';

export interface EditorOptions {
  readonly path: string;
  readonly maxGapBytes: number;
  readonly segments: Segments;
  readonly committer: Committer;
}

const ready = -1;

export class Editor {
  readonly #path: string;
  readonly #maxGapBytes: number;
  readonly #segments: Segments;
  readonly #committer: Committer;
  readonly #body: Body;
  readonly #mostDirtyBytes: number;

  constructor(options: EditorOptions) {
    this.#path = options.path;
    this.#maxGapBytes = options.maxGapBytes;
    this.#segments = options.segments;
    this.#committer = options.committer;
    this.#body = options.segments.body;
    this.#mostDirtyBytes = mostDirtyBytes(this.#body.layout);
  }

  /**
   * Writes when that takes nothing but memory, else does nothing.
   * @returns whether it was done
   */
  writeNow(source: Uint8Array, plainOffset: number): boolean {
    const body = this.#body;
    const { plainSegmentBytes } = body.layout;
    if (source.length === 0 || plainOffset > body.plainBytes) return false;
    if (body.dirtyBytes + source.length + 2 * plainSegmentBytes > this.#mostDirtyBytes) return false;
    const end = plainOffset + source.length;
    if (end > body.plainBytes && !this.#fits(end)) return false;
    if (this.#prepare(plainOffset, end) !== ready) return false;
    body.overwrite(source, plainOffset);
    return true;
  }

  /**
   * Writes all of `source`, or, when the disk is full on the way, its first part.
   * @returns bytes written, more than 0 unless `source` is empty
   */
  async write(source: Uint8Array, plainOffset: number): Promise<number> {
    const body = this.#body;
    const { plainSegmentBytes } = body.layout;
    if (source.length === 0) return 0;
    this.#checkSize(plainOffset + source.length, 'write');
    if (plainOffset > body.plainBytes) await this.#extend(plainOffset, 'write');
    let done = 0;
    while (done < source.length) {
      try {
        if (body.dirtyBytes + 3 * plainSegmentBytes > this.#mostDirtyBytes) await this.#committer.makeRoom();
        const from = plainOffset + done;
        const room = Math.floor((this.#mostDirtyBytes - body.dirtyBytes) / plainSegmentBytes) - 1;
        const until = (body.indexOf(from) + Math.max(1, room)) * plainSegmentBytes;
        const piece = source.subarray(done, Math.min(source.length, until - plainOffset));
        await this.#overwrite(piece, from);
        done += piece.length;
      } catch (error) {
        if (done > 0 && hasErrno(error, 'ENOSPC', 'EDQUOT')) return done;
        throw error;
      }
    }
    return done;
  }

  /** Cuts the body, or extends it by zeros. */
  async truncate(plainBytes: number): Promise<void> {
    const body = this.#body;
    const { plainSegmentBytes } = body.layout;
    if (plainBytes === body.plainBytes) return;
    this.#checkSize(plainBytes, 'ftruncate');
    await this.#makeRoomForTwo();
    if (plainBytes > body.plainBytes) {
      await this.#extend(plainBytes, 'ftruncate');
      return;
    }
    const last = Math.max(0, Math.ceil(plainBytes / plainSegmentBytes) - 1);
    // The segment that becomes the last one is sealed as such, even when all of it stays.
    if (plainBytes === 0) body.makeDirty(0, new Uint8Array(plainSegmentBytes));
    else await this.#loadDirty(last);
    body.placements += 1;
    for (const index of [...body.dirty.keys()]) if (index > last) body.forgetDirty(index);
    body.cache.dropFrom(last + 1);
    body.setLength(plainBytes);
  }

  async #makeRoomForTwo(): Promise<void> {
    const needed = this.#body.dirtyBytes + 2 * this.#body.layout.plainSegmentBytes;
    if (needed > this.#mostDirtyBytes) await this.#committer.makeRoom();
  }

  #fits(plainBytes: number): boolean {
    const { overheadBytes, plainSegmentBytes } = this.#body.layout;
    const segments = Math.ceil(plainBytes / plainSegmentBytes);
    return segments <= maxSegments && plainBytes + segments * overheadBytes <= maxSealedBytes;
  }

  #checkSize(plainBytes: number, syscall: string): void {
    if (this.#fits(plainBytes)) return;
    throw errnoError('EFBIG', syscall, this.#path, undefined, { detail: 'larger segments hold more' });
  }

  /** Fills up to `plainBytes` with zeros. They are written, sealed: there are no holes in a sealed file. */
  async #extend(plainBytes: number, syscall: string): Promise<void> {
    const body = this.#body;
    const { plainSegmentBytes } = body.layout;
    if (plainBytes - body.plainBytes > this.#maxGapBytes) {
      const detail = `it would write ${plainBytes - body.plainBytes} zero bytes; at most ${this.#maxGapBytes} are filled in`;
      throw errnoError('EFBIG', syscall, this.#path, undefined, { detail });
    }
    const old = body.lastIndex;
    const last = Math.ceil(plainBytes / plainSegmentBytes) - 1;
    // The body was cut and that is not committed: what lies behind it is not free to be written yet.
    if (last > old + 1 && old + 1 < body.firstFree) await this.#committer.commit();
    const filled = await this.#loadDirty(old);
    if (last > old + 1) await this.#committer.placeZeros(old + 1, last);
    filled.fill(0, body.lengthOf(old));
    if (last > old) body.makeDirty(last, new Uint8Array(plainSegmentBytes));
    body.setLength(plainBytes);
  }

  /** The buffer of a segment of the body, dirty from now on. */
  async #loadDirty(index: number): Promise<Uint8Array> {
    const body = this.#body;
    const dirty = body.dirty.get(index);
    if (dirty !== undefined) return dirty;
    return body.makeDirty(index, await this.#segments.load(index));
  }

  async #overwrite(piece: Uint8Array, from: number): Promise<void> {
    for (;;) {
      const missing = this.#prepare(from, from + piece.length);
      if (missing === ready) {
        // In the same step: a read that comes in between would get the zeros of a buffer that is not filled yet.
        this.#body.overwrite(piece, from);
        return;
      }
      await this.#loadDirty(missing);
    }
  }

  /**
   * Makes everything dirty that a write to [from, to) touches: the segments in it, and the old last segment when the body
   * grows behind it. `from` is not behind the end of the body.
   * @returns {@link ready}, or the index of a segment that has to be loaded first; then nothing was done
   */
  #prepare(from: number, to: number): number {
    const body = this.#body;
    const { plainSegmentBytes } = body.layout;
    const first = body.indexOf(from);
    const last = body.indexOf(to - 1);
    const old = body.lastIndex;
    if (first > old) {
      if (!this.#isAtHand(old)) return old;
    } else {
      const coversFirst =
        from === first * plainSegmentBytes && to >= first * plainSegmentBytes + body.lengthOf(first);
      if (!coversFirst && !this.#isAtHand(first)) return first;
      if (last !== first && last <= old) {
        const coversLast = to >= last * plainSegmentBytes + body.lengthOf(last);
        if (!coversLast && !this.#isAtHand(last)) return last;
      }
    }
    for (let index = Math.min(first, old); index <= last; index++) {
      if (body.dirty.has(index)) continue;
      body.makeDirty(index, body.cache.take(index) ?? new Uint8Array(plainSegmentBytes));
    }
    return ready;
  }

  #isAtHand(index: number): boolean {
    return this.#body.dirty.has(index) || this.#body.cache.has(index);
  }
}
