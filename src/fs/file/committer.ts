/**
 * Making changes durable: sync, checkpoint, and making room (docs/format/journal-v1.md §5). Its functions run one at a time.
 *
 * Nothing inside the committed extent of the file is touched before a record in the journal says what will stand there; what
 * lies wholly behind it does not count, so it may be written at any time and torn.
 */

import { emptyState } from '../../envelope/v1/copy.ts';
import { hasErrno } from '../../errno.ts';
import type { FileHeader } from '../header/file-header.ts';
import type { SealedSegment, SyncRecord } from '../journal/format.ts';
import type { JournalWriter } from '../journal/journal-writer.ts';
import { SyncFailure } from '../journal/sync-failure.ts';
import { type Body, mostDirtyBytes } from './body.ts';
import { type FileEnvironment, lockHeader } from './environment.ts';
import { type Placed, runBytes } from './placed.ts';

/** A longer journal is followed by a checkpoint. */
const checkpointBytes = 4 * 2 ** 20;
/** When checkpoints fail again and again, a sync fails rather than let the journal grow past this. */
const mostJournalBytes = 64 * 2 ** 20;
/** A file system gives space in blocks of this size or smaller. */
const blockBytes = 4_096;

export interface CommitterOptions {
  readonly env: FileEnvironment;
  readonly path: string;
  readonly header: FileHeader;
  readonly body: Body;
  readonly placed: Placed;
  readonly journal: JournalWriter;
}

export class Committer {
  readonly #env: FileEnvironment;
  readonly #path: string;
  readonly #header: FileHeader;
  readonly #body: Body;
  readonly #placed: Placed;
  readonly #journal: JournalWriter;
  /** Whether segments behind the committed end were written since the last sync of the file. */
  #unsynced = false;
  /** How long the body is by the other half of the header, when this process has written the one that counts. */
  #otherBodyBytes: number | undefined;
  /** The committed last segment whose whole place in the file is reserved. */
  #reservedIndex = -1;

  constructor(options: CommitterOptions) {
    this.#env = options.env;
    this.#path = options.path;
    this.#header = options.header;
    this.#body = options.body;
    this.#placed = options.placed;
    this.#journal = options.journal;
  }

  #seal(index: number): SealedSegment {
    const body = this.#body;
    const final = index === body.lastIndex;
    return { index, parts: this.#header.segments.seal([body.dirtyPlain(index)], index, final) };
  }

  /** Seals dirty segments, in ascending order, and writes them to their places. They stay dirty. */
  async #place(indexes: readonly number[]): Promise<void> {
    if (indexes.length === 0) return;
    this.#unsynced = true;
    this.#body.placements += 1;
    const batch = Math.max(1, Math.floor((4 * runBytes) / this.#body.layout.segmentBytes));
    for (let at = 0; at < indexes.length; at += batch) {
      const segments = indexes.slice(at, at + batch).map((index) => this.#seal(index));
      await this.#placed.write(segments);
    }
  }

  /**
   * Writes zeros, sealed, as the segments from `from` up to and not including `to`: the first ones behind the body as it
   * is, and behind its committed end.
   */
  async placeZeros(from: number, to: number): Promise<void> {
    const { layout } = this.#body;
    const zeros = [new Uint8Array(layout.plainSegmentBytes)];
    const batch = Math.max(1, Math.floor(runBytes / layout.segmentBytes));
    this.#unsynced = true;
    this.#body.placements += 1;
    for (let at = from; at < to; at += batch) {
      const segments: SealedSegment[] = [];
      for (let index = at; index < Math.min(to, at + batch); index++) {
        segments.push({ index, parts: this.#header.segments.seal(zeros, index, false) });
      }
      await this.#placed.write(segments);
    }
  }

  /**
   * Makes everything durable that was changed so far. Fails with an error of the system when the disk is full, for example:
   * then the last committed state is on the disk, what was changed is still in memory, and it may be tried again.
   */
  async commit(): Promise<void> {
    const body = this.#body;
    if (!body.changed) return;
    if (this.#env.durability === 'none') {
      await this.#flush();
      return;
    }
    if (this.#journal.bytes > mostJournalBytes) await this.checkpoint();
    const before = body.committed;
    const next = { syncSeq: before.syncSeq + 1, bodyBytes: body.sealedBytes };
    // 1. Behind the committed end.
    const { firstFree } = body;
    await this.#place(body.dirtyIndexes(firstFree, Number.POSITIVE_INFINITY));
    await this.#reserve(next.bodyBytes);
    if (this.#unsynced) {
      await this.#placed.sync();
      this.#unsynced = false;
    }
    // 2. Inside it: the commit point.
    const segments = body.dirtyIndexes(0, firstFree).map((index) => this.#seal(index));
    await this.#append({ ...next, segments });
    body.committed = next;
    body.changed = false;
    const { lastIndex } = body;
    if (next.bodyBytes < before.bodyBytes) {
      for (const index of body.pending.keys()) if (index > lastIndex) body.pending.delete(index);
    }
    for (const { index, parts } of segments) body.pending.set(index, parts);
    for (const index of [...body.dirty.keys()]) body.settleDirty(index);
    // It is committed. What follows has to be done sometime; that the disk is full, or a lock taken, takes nothing back.
    if (next.bodyBytes < before.bodyBytes) await harmless(this.#cut());
    // 3. and 4.
    if (this.#journal.bytes > checkpointBytes) await postponable(this.checkpoint());
  }

  async #append(record: SyncRecord): Promise<void> {
    try {
      await this.#journal.append(record);
    } catch (error) {
      if (this.#journal.bytes === 0 || !hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
      // What is in the journal can be put in place without a block more, and then its own blocks are free again.
      await this.checkpoint();
      await this.#journal.append(record);
    }
  }

  async #cut(): Promise<void> {
    this.#body.placements += 1;
    this.#reservedIndex = -1;
    await this.#placed.cutTo(this.#body.committed.bodyBytes);
  }

  /**
   * The last committed segment may grow in its place at the checkpoint, when it is too late to find the disk full. So the
   * place is filled before the commit, once for each segment.
   */
  async #reserve(nextBodyBytes: number): Promise<void> {
    const { committed, firstFree, layout } = this.#body;
    const last = firstFree - 1;
    const placeEnd = firstFree * layout.segmentBytes;
    const from = this.#placed.regionBytes + committed.bodyBytes;
    const to = this.#placed.regionBytes + Math.min(placeEnd, nextBodyBytes);
    if (this.#reservedIndex === last || Math.ceil(from / blockBytes) >= Math.ceil(to / blockBytes)) return;
    await this.#placed.reserve(from, this.#placed.regionBytes + placeEnd - from);
    this.#reservedIndex = last;
  }

  /** `durability: 'none'`: segments and state go to their places, and nothing is synced. */
  async #flush(): Promise<void> {
    const body = this.#body;
    const before = body.committed;
    const next = { syncSeq: before.syncSeq + 1, bodyBytes: body.sealedBytes };
    await this.#place(body.dirtyIndexes(0, Number.POSITIVE_INFINITY));
    body.committed = next;
    body.changed = false;
    body.pending.clear();
    for (const index of [...body.dirty.keys()]) body.settleDirty(index);
    await this.#writeState(false, false);
    if (next.bodyBytes < before.bodyBytes) await this.#cut();
  }

  /** Fewer dirty segments afterwards: what may be placed is placed, and if that is not enough everything is committed. */
  async makeRoom(): Promise<void> {
    const body = this.#body;
    if (this.#env.durability === 'sync') {
      const free = body.dirtyIndexes(body.firstFree, body.lastIndex);
      await this.#place(free);
      for (const index of free) body.forgetDirty(index);
      if (body.dirtyBytes * 2 <= mostDirtyBytes(body.layout)) return;
    }
    await this.commit();
  }

  /**
   * Puts what is committed in place and empties the journal. Changes that are not committed stay as they are.
   * @param isLast nothing more is going to be written
   */
  async checkpoint(isLast = false): Promise<void> {
    const body = this.#body;
    if (this.#header.state.syncSeq === body.committed.syncSeq) {
      const { bodyBytes } = body.committed;
      if (isLast && (this.#otherBodyBytes ?? bodyBytes) !== bodyBytes) await this.#writeState(false, true);
      return;
    }
    body.placements += 1;
    const indexes = [...body.pending.keys()].sort((a, b) => a - b);
    await this.#placed.write(
      indexes.map((index) => ({ index, parts: body.pending.get(index) as readonly Uint8Array[] })),
    );
    await this.#writeState(this.#env.durability === 'sync', isLast);
    body.pending.clear();
    await harmless(this.#journal.clear());
  }

  /**
   * @param isLast when the two halves would say different lengths, the other one is written too: whichever of them is
   *   damaged later, the file opens by the other one
   */
  async #writeState(durable: boolean, isLast: boolean): Promise<void> {
    const lock = await lockHeader(this.#env, this.#header.fileId, this.#path);
    try {
      const write = async (): Promise<void> => {
        this.#otherBodyBytes = this.#header.state.bodyBytes;
        const state = { ...this.#body.committed, acc: emptyState.acc };
        await this.#header.writeState(this.#env.system, this.#placed.fd, state);
      };
      await write();
      if (durable) await this.#placed.sync();
      // Whenever it gets to the disk, torn or not: the first one is there.
      if (isLast && this.#otherBodyBytes !== this.#body.committed.bodyBytes) await harmless(write());
    } finally {
      await lock.release();
    }
  }

  /**
   * Commits, and checkpoints for the last time: the file needs no journal then and is as long as its header says. When only
   * the checkpoint is not possible now, the journal stays for whoever opens the file next.
   */
  async finish(): Promise<void> {
    await this.commit();
    if (this.#env.durability === 'none') await this.checkpoint(true);
    else if (!(await postponable(this.checkpoint(true)))) return;
    const end = this.#placed.fileOffsetOf(0) + this.#body.committed.bodyBytes;
    if (this.#placed.writtenEnd > end) await harmless(this.#cut());
    await harmless(this.#journal.remove());
  }

  /** Closes the journal as it is. */
  async close(): Promise<void> {
    await this.#journal.close();
  }
}

/** Ignores failures, but not those after which nobody knows what is on the disk. */
async function harmless(work: Promise<void>): Promise<void> {
  try {
    await work;
  } catch (error) {
    if (error instanceof SyncFailure || hasErrno(error, 'EIO')) throw error;
  }
}

/** Whether it was done; false when it may be tried again later. */
async function postponable(work: Promise<void>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOSPC', 'EDQUOT', 'EBUSY', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN')) return false;
    throw error;
  }
}
