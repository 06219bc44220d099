/**
 * One regular file of a volume, open in this process; all handles on it share it.
 *
 * Reads overlap each other and everything else. Whatever changes the file goes one after the other through a queue. Errors
 * are those of the system, with its codes, and VolsealError.
 */

import type { BigIntStats } from 'node:fs';

import { errnoError } from '../../errno.ts';
import type { FileHeader } from '../header/file-header.ts';
import { JournalWriter } from '../journal/journal-writer.ts';
import type { HeldLock } from '../locks/file-locks.ts';
import type { Body } from './body.ts';
import { Committer } from './committer.ts';
import { Condition } from './condition.ts';
import { Editor } from './editor.ts';
import { type FileEnvironment, lockForWriting } from './environment.ts';
import { findFile, type Found, type OpenFileOptions, type Taken } from './find-file.ts';
import { journalIdentity, type Located } from './locate.ts';
import { segmentOpener } from './open-segment.ts';
import { OtherWriters } from './other-writers.ts';
import type { Placed } from './placed.ts';
import { recover } from './recover.ts';
import { Segments } from './segments.ts';
import { SerialQueue } from './serial-queue.ts';
import { keepWriteTime, type WantedTimes } from './times.ts';
import { writeOnceError } from './write-once.ts';

export type { FileEnvironment } from './environment.ts';
export type { OpenFileOptions } from './find-file.ts';

/** What a file that is open for writing has beyond one that is not. */
interface Writing {
  readonly lock: HeldLock;
  readonly committer: Committer;
  readonly editor: Editor;
}

export class OpenFile {
  readonly #env: FileEnvironment;
  readonly #path: string;
  readonly #body: Body;
  readonly #placed: Placed;
  readonly #segments: Segments;
  readonly #others: OtherWriters;
  readonly #condition: Condition;
  readonly #queue: SerialQueue = new SerialQueue();
  #header: FileHeader;
  #region: Uint8Array;
  #writing: Writing | undefined;
  #closing: Promise<void> | undefined;
  #readsUnderWay = 0;
  #readsDone: (() => void) | undefined;
  #writtenMs = 0;
  #times: WantedTimes | undefined;

  private constructor(env: FileEnvironment, path: string, { body, header, placed, region, taken }: Found) {
    this.#env = env;
    this.#path = path;
    this.#header = header;
    this.#region = region;
    this.#body = body;
    this.#placed = placed;
    this.#condition = new Condition(path);
    this.#others = new OtherWriters({
      env,
      path,
      body,
      placed,
      queue: this.#queue,
      header: () => this.#header,
      region: () => this.#region,
      mayChange: () =>
        this.#writing === undefined && this.#closing === undefined && this.#header.kind === 'mutable',
      install: (located) => {
        this.#install(located, located.overlay);
      },
    });
    this.#segments = new Segments({
      body,
      placed,
      open: segmentOpener(header),
      check: () => {
        this.#condition.check('read');
      },
      onUnreadable: async (error, attempt) => this.#others.excuse(error, attempt),
    });
    if (taken !== undefined) this.#startWriting(taken);
  }

  /**
   * Opens a file by its descriptor, which is taken over, also when it fails. With `write` the descriptor must be open for
   * reading and writing; the write lock is taken, and what a dead writer left in the journal is put in place.
   * @throws VolsealError the codes of docs/format/v1.md §8 that concern a header, `ERR_VOLSEAL_JOURNAL_TAMPERED`,
   *   `ERR_VOLSEAL_KEYRING_ROLLED_BACK`; errors of the system, EBUSY with `holderPid` when another process writes the file,
   *   EACCES when the journal may not be read, and EPERM (see `isWriteOnceError`) for a write-once file with `write`
   */
  static async open(env: FileEnvironment, fd: number, options: OpenFileOptions): Promise<OpenFile> {
    try {
      return new OpenFile(env, options.path, await findFile(env, fd, options));
    } catch (error) {
      await env.system.close(fd).catch(() => {});
      throw new Condition(options.path).failed(error);
    }
  }

  #startWriting({ lock, stats }: Taken): void {
    const env = this.#env;
    const common = { env, path: this.#path, header: this.#header, body: this.#body, placed: this.#placed };
    const access = { mode: Number(stats.mode & 0o666n) | 0o600, owner: env.owner };
    const identity = journalIdentity(this.#header);
    const journal = new JournalWriter(env.system, env.journalDirectory, identity, access);
    const committer = new Committer({ ...common, journal });
    const { maxGapBytes } = env;
    const editor = new Editor({ path: this.#path, maxGapBytes, segments: this.#segments, committer });
    this.#writing = { lock, committer, editor };
  }

  get header(): FileHeader {
    return this.#header;
  }

  /** 16 bytes. */
  get fileId(): Uint8Array {
    return this.#header.fileId;
  }

  /** With everything that was written in this process, synced or not. */
  get plainBytes(): number {
    return this.#body.plainBytes;
  }

  get writable(): boolean {
    return this.#writing !== undefined;
  }

  /**
   * Goes on with a second descriptor of the same file, open for reading and writing, which is taken over, also when it fails.
   * Does nothing to a file that is writable. Throws what {@link open} throws.
   */
  async makeWritable(fd: number): Promise<void> {
    try {
      await this.#exclusive('open', async () => this.#makeWritable(fd));
    } finally {
      if (this.#placed.fd !== fd) await this.#env.system.close(fd).catch(() => {});
    }
  }

  async #makeWritable(fd: number): Promise<void> {
    if (this.#writing !== undefined) return;
    if (this.#header.kind === 'write-once') throw writeOnceError(this.#path);
    const env = this.#env;
    const lock = await lockForWriting(env, this.fileId, this.#path);
    try {
      const known = { header: this.#header, region: this.#region };
      const { located, stats } = await recover(env, fd, this.#path, known, known.region.length);
      this.#install(located, new Map());
      this.#startWriting({ lock, stats });
    } catch (error) {
      await lock.release().catch(() => {});
      throw error;
    }
    await this.#placed.replaceDescriptor(fd);
  }

  #install({ header, region, shape, state }: Located, overlay: ReadonlyMap<number, Uint8Array>): void {
    if (header !== this.#header) {
      this.#header.wipe();
      this.#header = header;
      this.#segments.open = segmentOpener(header);
    }
    this.#region = region;
    this.#placed.forgetStart();
    this.#body.install(state, shape, overlay);
  }

  /**
   * Looks at what other processes have synced since. Call it for each further open of a file that is open for reading
   * already; a file that is writable has nothing to look for.
   */
  async refresh(): Promise<void> {
    this.#checkOpen('open');
    try {
      await this.#others.look();
    } catch (error) {
      throw this.#condition.failed(error);
    }
  }

  /**
   * Reads authenticated plaintext. The number of bytes comes at once when all of them are in memory; it is less than
   * `length` only at the end of the file.
   * @throws VolsealError `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`; errors of the system
   */
  read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
  ): number | Promise<number> {
    try {
      if (this.#closing !== undefined || !this.#condition.isSound) this.#checkOpen('read');
      const read = this.#segments.read(target, targetOffset, length, plainOffset);
      return typeof read === 'number' ? read : this.#finishRead(read);
    } catch (error) {
      return Promise.reject(this.#condition.failed(error));
    }
  }

  async #finishRead(read: Promise<number>): Promise<number> {
    this.#readsUnderWay += 1;
    try {
      return await read;
    } catch (error) {
      throw this.#condition.failed(error);
    } finally {
      this.#readsUnderWay -= 1;
      if (this.#readsUnderWay === 0) this.#readsDone?.();
    }
  }

  /**
   * Writes into memory, at any offset: a gap before it is filled with zeros. Durable after {@link sync}.
   * @returns bytes written: all, or fewer when the disk became full on the way
   * @throws EBADF when the file is not writable, EFBIG for a gap that is too long, ENOSPC and others of the system
   */
  async write(
    source: Uint8Array,
    sourceOffset: number,
    length: number,
    plainOffset: number,
  ): Promise<number> {
    const { editor } = this.#writer('write');
    const bytes = part(source, sourceOffset, length);
    this.#written();
    if (this.#queue.idle && editor.writeNow(bytes, plainOffset)) return length;
    return this.#exclusive('write', async () => {
      this.#written();
      return editor.write(bytes, plainOffset);
    });
  }

  /** As {@link write}, at the end of the file as it is when its turn comes. */
  async append(source: Uint8Array, sourceOffset: number, length: number): Promise<number> {
    const { editor } = this.#writer('write');
    const bytes = part(source, sourceOffset, length);
    this.#written();
    if (this.#queue.idle && editor.writeNow(bytes, this.#body.plainBytes)) return length;
    return this.#exclusive('write', async () => {
      this.#written();
      return editor.write(bytes, this.#body.plainBytes);
    });
  }

  /** Cuts the file, or extends it by zeros. Durable after {@link sync}. Throws as {@link write}. */
  async truncate(plainBytes: number): Promise<void> {
    const { editor } = this.#writer('ftruncate');
    await this.#exclusive('ftruncate', async () => {
      this.#written();
      await editor.truncate(plainBytes);
    });
  }

  /**
   * Returns when everything that was written before the call is durable. Calls at the same time share one sync. After ENOSPC
   * what was written is still in memory, and it may be called again.
   */
  async sync(): Promise<void> {
    this.#checkOpen('fsync');
    const { committer } = this.#writing ?? {};
    if (committer === undefined || (this.#queue.idle && !this.#body.changed)) return;
    await this.#exclusive('fsync', async () => {
      await committer.commit();
      await this.#keepTimes();
    });
  }

  /** Everything is synced and stands in the file itself afterwards: for whoever copies or renames the sealed bytes. */
  async checkpoint(): Promise<void> {
    this.#checkOpen('fsync');
    const { committer } = this.#writing ?? {};
    if (committer === undefined) return;
    await this.#exclusive('fsync', async () => {
      await committer.commit();
      await committer.checkpoint();
      await this.#keepTimes();
    });
  }

  /** As `fstat`, with the size of the plaintext, and with the time of writes that are still in memory. */
  async stat(): Promise<BigIntStats> {
    this.#checkOpen('fstat');
    const stats = await this.#placed.withDescriptor(async (fd) => this.#env.system.fstat(fd));
    stats.size = BigInt(this.#body.plainBytes);
    if (this.#times === undefined) keepWriteTime(stats, this.#writtenMs);
    return stats;
  }

  /** As `fchmod`. */
  async chmod(mode: number): Promise<void> {
    this.#checkOpen('fchmod');
    await this.#placed.withDescriptor(async (fd) => this.#env.system.fchmod(fd, mode));
  }

  /** As `fchown`. */
  async chown(uid: number, gid: number): Promise<void> {
    this.#checkOpen('fchown');
    await this.#placed.withDescriptor(async (fd) => this.#env.system.fchown(fd, uid, gid));
  }

  /** As `futimes`. What was written before and is not in place yet does not change the times again. */
  async utimes(atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    await this.#exclusive('futime', async () => {
      await this.#env.system.futimes(this.#placed.fd, atimeSeconds, mtimeSeconds);
      this.#times = { atimeSeconds, mtimeSeconds, placements: this.#body.placements };
    });
  }

  /** Writing segments in place has set the times anew: they are what they were before. */
  async #keepTimes(): Promise<void> {
    const times = this.#times;
    const { placements } = this.#body;
    if (times === undefined || times.placements === placements) return;
    await this.#env.system.futimes(this.#placed.fd, times.atimeSeconds, times.mtimeSeconds);
    this.#times = { ...times, placements };
  }

  #written(): void {
    this.#writtenMs = Date.now();
    this.#times = undefined;
  }

  /**
   * Syncs, puts everything in place, removes the journal, releases the write lock, wipes keys and plaintext, and closes the
   * file. All but the sync happens whatever fails. Closing twice is fine.
   */
  close(): Promise<void> {
    this.#closing ??= this.#queue.run(async () => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    const failures: unknown[] = [];
    const attempt = async (work: () => Promise<void>): Promise<void> => {
      try {
        await work();
      } catch (error) {
        failures.push(this.#condition.failed(error));
      }
    };
    const writing = this.#writing;
    if (writing !== undefined) {
      await attempt(async () => {
        // After a failure nothing more is written; it was told to whoever met it, unless something is lost only now.
        if (this.#condition.isSound) await writing.committer.finish();
        else if (this.#body.changed) this.#condition.check('close');
        if (this.#condition.isSound) await this.#keepTimes();
      });
      await attempt(async () => writing.committer.close());
    }
    if (this.#readsUnderWay > 0) {
      await new Promise<void>((resolve) => {
        this.#readsDone = resolve;
      });
    }
    await attempt(async () => this.#placed.close());
    if (writing !== undefined) await attempt(async () => writing.lock.release());
    this.#body.wipe();
    this.#header.wipe();
    if (failures.length > 0) throw failures[0];
  }

  #writer(syscall: string): Writing {
    this.#checkOpen(syscall);
    if (this.#writing === undefined) throw errnoError('EBADF', syscall, this.#path);
    return this.#writing;
  }

  #checkOpen(syscall: string): void {
    if (this.#closing !== undefined) throw errnoError('EBADF', syscall, this.#path);
    this.#condition.check(syscall);
  }

  async #exclusive<T>(syscall: string, task: () => Promise<T>): Promise<T> {
    this.#checkOpen(syscall);
    return this.#queue.run(async () => {
      this.#condition.check(syscall);
      try {
        return await task();
      } catch (error) {
        throw this.#condition.failed(error);
      }
    });
  }
}

function part(source: Uint8Array, offset: number, length: number): Uint8Array {
  return offset === 0 && length === source.length ? source : source.subarray(offset, offset + length);
}
