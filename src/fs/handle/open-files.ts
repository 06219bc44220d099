/**
 * The files of a volume that are open in this process, by device and inode: however many handles there are on a file,
 * under whatever names, they share one state and see each other's writes at once. A file that is replaced by another
 * one under its name stays open as it was, as on any POSIX system.
 *
 * System calls of opening a file that exists: open, fstat, and those of `OpenFile.open`; of one that is open already:
 * open, fstat, close.
 */

import { type BigIntStats, constants } from 'node:fs';

import { errnoError, hasErrno, restateError } from '../../errno.ts';
import { VolsealError, withPath } from '../../errors.ts';
import type { System } from '../../os/system.ts';
import { type FileEnvironment, lockForWriting } from '../file/environment.ts';
import { OpenFile } from '../file/open-file.ts';
import { isWriteOnceError, rewriteAsMutable } from '../file/rewrite.ts';
import { findRegion } from '../header/find-region.ts';
import { journalPath } from '../journal/read-journal.ts';
import { fileClosed } from './argument-errors.ts';
import type { OpenFlags } from './flags.ts';
import type { Lease } from './handle-target.ts';
import { makeEmptyFile } from './new-file.ts';
import { OpenDirectory } from './open-directory.ts';
import { SharedFile } from './shared-file.ts';
import { Turns } from './turns.ts';

export interface OpenRequest {
  readonly flags: OpenFlags;
  /** Permission bits of a file that is made; the process's umask is taken off. */
  readonly mode: number;
  /** As the caller named it: for errors. */
  readonly path: string;
}

/** A file that others make and remove all the time is given up on some time. */
const mostRounds = 100;

const { O_RDONLY, O_RDWR, O_NOFOLLOW, O_NONBLOCK } = constants;
/** Never waits: a FIFO that nobody writes to has to be refused. */
const always = O_NOFOLLOW | O_NONBLOCK;

const nothing = new Uint8Array(0);

/** How a descriptor is reached by a path, where the system has that. */
const descriptorPath = (fd: number): string => `/proc/self/fd/${fd}`;

export class OpenFiles {
  readonly #env: FileEnvironment;
  readonly #system: System;
  readonly #entries = new Map<string, SharedFile>();
  readonly #turns = new Turns();
  readonly #opening = new Set<Promise<Lease>>();
  #directories = 0;
  #closed = false;

  constructor(env: FileEnvironment) {
    this.#env = env;
    this.#system = env.system;
  }

  /** How many files and directories are open. */
  get size(): number {
    return this.#entries.size;
  }

  /**
   * Opens what lies at `systemPath`, or makes it. `w` puts a new empty file in the place of the old one, under a new data
   * key, on the disk before this ends if the volume is durable; a write-once file that is opened for writing is replaced
   * by a mutable one first.
   * @param systemPath absolute; a symbolic link as its last part is not followed
   * @throws errno errors of `open`: ELOOP for a symbolic link, EBUSY with `holderPid` when another process has the file
   *   open for writing; VolsealError `ERR_VOLSEAL_NOT_SEALED`, `ERR_VOLSEAL_CLOSED` and what reading the header and the
   *   journal throws
   */
  async open(systemPath: string, request: OpenRequest): Promise<Lease> {
    const opening = this.#open(systemPath, request);
    this.#opening.add(opening);
    try {
      return await opening;
    } catch (error) {
      throw withPath(restateError(error, 'open', request.path), request.path);
    } finally {
      this.#opening.delete(opening);
    }
  }

  /** The file that is open with this `stat`, if there is one: its sizes and times are ahead of those on the disk. */
  find(stats: BigIntStats): OpenFile | undefined {
    return this.#entries.get(keyOf(stats))?.file;
  }

  /** Closes everything. Handles that are still open refuse whatever is asked of them from then on. */
  async closeAll(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#opening);
    const all = [...this.#entries.values()];
    const closed = await Promise.allSettled(
      all.map((shared) => this.#turns.take(shared.key, () => this.#close(shared))),
    );
    const failed = closed.find(({ status }) => status === 'rejected');
    if (failed !== undefined) throw (failed as PromiseRejectedResult).reason;
  }

  async #open(systemPath: string, request: OpenRequest): Promise<Lease> {
    for (let round = 0; round < mostRounds; round++) {
      if (this.#closed) {
        throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the volume was closed', { hint: 'open it again' });
      }
      const fd = await this.#descriptor(systemPath, request);
      const lease = fd === undefined ? undefined : await this.#enter(fd, systemPath, request);
      if (lease !== undefined) return lease;
    }
    throw replacedAllTheTime(request.path);
  }

  /** Opens what is there, or makes it. Undefined: somebody was faster, look again. */
  async #descriptor(systemPath: string, { flags, mode }: OpenRequest): Promise<number | undefined> {
    const { create, exclusive, passedOn, truncate, write } = flags;
    if (exclusive) return makeEmptyFile(this.#env, systemPath, { mode });
    const access = write || truncate ? O_RDWR : O_RDONLY;
    let fd: number;
    try {
      fd = await this.#system.open(systemPath, access | passedOn | always);
    } catch (error) {
      if (!create || !hasErrno(error, 'ENOENT')) throw error;
      return makeEmptyFile(this.#env, systemPath, { mode }).catch((cause: unknown) => {
        if (hasErrno(cause, 'EEXIST')) return undefined;
        throw cause;
      });
    }
    if (!truncate) return fd;
    try {
      return await this.#replace(fd, systemPath, mode);
    } finally {
      await this.#system.close(fd).catch(() => {});
    }
  }

  /** Puts an empty file in the place of one that nobody else writes, and gives its descriptor. */
  async #replace(fd: number, systemPath: string, mode: number): Promise<number> {
    const replaced = await this.#system.fstat(fd);
    if (!replaced.isFile()) throw notRegular();
    const renaming = (rename: () => Promise<void>): Promise<void> => this.replacing(systemPath, rename);
    return makeEmptyFile(this.#env, systemPath, { mode, replaced, renaming });
  }

  /**
   * Runs `rename`, which puts another file in the place of what lies at `systemPath`, while nobody else writes to that: what
   * they write later would be lost. What is open here stays open as it was. The journal of a file that has no name left is
   * removed.
   * @throws errno EBUSY with `holderPid`
   */
  async replacing(systemPath: string, rename: () => Promise<void>): Promise<void> {
    for (let round = 0; round < mostRounds; round++) {
      const fd = await this.#system.open(systemPath, O_RDONLY | always).catch((error: unknown) => {
        // There is nothing, or nothing that may be read: whoever may not read a file may replace it all the same.
        if (hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO')) return undefined;
        throw error;
      });
      if (fd === undefined) return rename();
      try {
        const stats = await this.#system.fstat(fd);
        const key = keyOf(stats);
        const done = await this.#turns.take(key, () => this.#renameOver(fd, stats, systemPath, rename));
        if (done) return;
      } finally {
        await this.#system.close(fd).catch(() => {});
      }
    }
    throw replacedAllTheTime(systemPath);
  }

  /** @returns false when the name leads to another file by now */
  async #renameOver(
    fd: number,
    stats: BigIntStats,
    systemPath: string,
    rename: () => Promise<void>,
  ): Promise<boolean> {
    const { journalDirectory } = this.#env;
    const isOurs = this.#entries.get(keyOf(stats))?.file?.writable === true;
    const fileId = isOurs || !stats.isFile() ? undefined : await this.#fileIdOf(fd);
    const lock = fileId && (await lockForWriting(this.#env, fileId, systemPath));
    try {
      const named = await this.#system.lstat(systemPath).catch(() => undefined);
      if (named === undefined || keyOf(named) !== keyOf(stats)) return false;
      await rename();
      if (fileId !== undefined && (await this.#system.fstat(fd)).nlink === 0n) {
        // Left by a writer that died. With the lock nobody has begun another one.
        await this.#system.unlink(journalPath(journalDirectory, fileId)).catch(() => {});
      }
      return true;
    } finally {
      await lock?.release().catch(() => {}); // of a file that most likely has no name any more
    }
  }

  /** Undefined for a file that nobody can have opened. */
  async #fileIdOf(fd: number): Promise<Uint8Array | undefined> {
    try {
      return (await findRegion(this.#system, fd, undefined)).header.fileId;
    } catch (error) {
      if (error instanceof VolsealError) return undefined;
      throw error;
    }
  }

  /** A hold on what the descriptor is open on; takes the descriptor over. Undefined: look again. */
  async #enter(fd: number, systemPath: string, request: OpenRequest): Promise<Lease | undefined> {
    let stats: BigIntStats;
    try {
      stats = await this.#system.fstat(fd);
      if (stats.isDirectory()) {
        if (request.flags.create) throw errnoError('EISDIR', 'open');
        const key = `directory ${this.#directories++}`;
        const directory = new OpenDirectory(this.#system, fd);
        return this.#lease(this.#add(new SharedFile(key, request.path, directory, fd)), false);
      }
      if (!stats.isFile()) throw notRegular();
    } catch (error) {
      await this.#system.close(fd).catch(() => {});
      throw error;
    }
    const key = keyOf(stats);
    return this.#turns.take(key, async () => {
      const { flags, path } = request;
      const { write } = flags;
      try {
        const shared = await this.#sound(key);
        if (shared !== undefined) {
          await this.#join(shared, fd, write);
          return this.#lease(shared, write);
        }
        const file = await OpenFile.open(this.#env, fd, { path, write, stats });
        return this.#lease(this.#add(new SharedFile(key, path, file, fd)), write);
      } catch (error) {
        if (!write || !isWriteOnceError(error)) throw error;
        await rewriteAsMutable(this.#env, systemPath).catch((cause: unknown) => {
          throw underName(cause, systemPath, path);
        });
        return undefined;
      }
    });
  }

  #add(shared: SharedFile): SharedFile {
    this.#entries.set(shared.key, shared);
    return shared;
  }

  /**
   * The open file of this key, if there is one that can still be worked with. Otherwise it is opened anew: its handles go on
   * saying what went wrong.
   */
  async #sound(key: string): Promise<SharedFile | undefined> {
    const shared = this.#entries.get(key);
    if (shared === undefined) return undefined;
    try {
      await shared.read(nothing, 0, 0, 0);
      return shared;
    } catch (error) {
      this.#entries.delete(key);
      const failed = shared.refuse((syscall) => restateError(error, syscall, shared.path));
      // Whoever closes its last handle is told.
      await failed.close().catch((cause: unknown) => {
        shared.lost = cause as Error;
      });
      return undefined;
    }
  }

  /** One more handle on a file that is open; takes the descriptor over. */
  async #join(shared: SharedFile, fd: number, write: boolean): Promise<void> {
    const file = shared.file as OpenFile;
    if (write && !file.writable) {
      await file.makeWritable(fd);
      shared.goOnWith(file, fd);
      return;
    }
    await this.#system.close(fd);
    if (!file.writable) await file.refresh();
  }

  #lease(shared: SharedFile, write: boolean): Lease {
    shared.holders++;
    if (write) shared.writers++;
    return {
      file: shared,
      context: shared.context,
      release: () => this.#turns.take(shared.key, () => this.#release(shared, write)),
    };
  }

  async #release(shared: SharedFile, write: boolean): Promise<void> {
    shared.holders--;
    if (write) shared.writers--;
    if (shared.refused) {
      if (shared.holders === 0 && shared.lost !== undefined) throw shared.lost;
    } else if (shared.holders === 0) {
      await this.#close(shared);
    } else if (write && shared.writers === 0) {
      await this.#letOthersWrite(shared);
    } else if (write) {
      // Whoever opens the file in another process after this sees what was written through this handle.
      await shared.sync();
    }
  }

  /** Nobody writes any more, some still read: goes on without the write lock. Readers notice nothing. */
  async #letOthersWrite(shared: SharedFile): Promise<void> {
    const writable = shared.file as OpenFile;
    await writable.sync();
    let fd: number;
    let file: OpenFile;
    try {
      await writable.checkpoint();
      fd = await this.#system.open(descriptorPath(shared.fd), O_RDONLY);
      file = await OpenFile.open(this.#env, fd, { path: shared.path, write: false });
    } catch {
      return; // then it stays writable until its last handle is closed
    }
    shared.goOnWith(file, fd);
    await writable.close();
  }

  async #close(shared: SharedFile): Promise<void> {
    const target = shared.refuse(fileClosed);
    try {
      await target.close();
    } finally {
      this.#entries.delete(shared.key);
    }
  }
}

function replacedAllTheTime(path: string): Error {
  return errnoError('EBUSY', 'open', path, undefined, { detail: 'others replace it all the time' });
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`;
}

/** The same error about the name that the caller knows. */
function underName(error: unknown, systemPath: string, path: string): unknown {
  if (!(error instanceof VolsealError) || error.path !== systemPath) return error;
  const { cause, code, hint, message, offset, retryable } = error;
  const said = message.replace(systemPath, () => path);
  return new VolsealError(code, said, { hint, path, offset, retryable, cause });
}

function notRegular(): VolsealError {
  return new VolsealError('ERR_VOLSEAL_NOT_SEALED', 'it is not a regular file', {
    hint: 'a volume holds regular files, directories and symbolic links',
  });
}
