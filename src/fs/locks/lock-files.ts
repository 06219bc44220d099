/**
 * Lock files on the disk, and how the lock of a dead process changes hands.
 *
 * A lock is held by whoever's record its file contains. Records are written once, under a temporary name; a lock is
 * taken by link(2), which fails when the name exists, so a record is complete from the moment it can be seen and each
 * further lock costs one system call.
 *
 * Taking over: several processes may find the same dead record D at the same time. The one that makes the file
 * `<lock>~<token of D>` (by link(2) again, so exactly one) may replace D, by renaming that claim over the lock. Tokens
 * never come back, so once the lock is not D any more it never will be again: whoever makes the claim late sees that
 * and takes it away. While the lock is D, nobody else removes the claim; when the claimant dies in between, its claim is
 * a dead record like any other and is claimed in turn. Whoever only tidies up makes the claim, removes D and then the claim.
 *
 * Where hard links do not exist the file is created with O_EXCL and then written: its content may be seen unfinished.
 */

import { constants } from 'node:fs';
import { dirname, join } from 'node:path';

import { hex } from '../../bytes.ts';
import { hasErrno } from '../../errno.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import { makePrivateDirectory } from '../../os/private-directory.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../../os/process-identity.ts';
import type { System } from '../../os/system.ts';
import { isStaleTemporary, temporaryName } from '../../os/temporary-name.ts';
import { randomSecret } from '../../random.ts';
import { encodeLockRecord, maxLockBytes, parseLockRecord } from './lock-record.ts';

/** A file without a complete record is being written, unless it is older than this: then its writer or machine failed. */
const unfinishedMs = 2_000;

/** Far more than processes that can interfere with each other before one of them gets further. */
const maxAttempts = 1_000;

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Who the caller is, and who else lives. */
export interface Processes {
  own(): ProcessIdentity;
  isAlive(identity: ProcessIdentity): boolean;
}

/** The lock is someone else's; without `holder` it cannot be said whose. */
export interface Busy {
  readonly holder: ProcessIdentity | undefined;
  /** It is a dead one's, and `holder` is just taking it over or away: in a moment that will be over. */
  readonly claimed?: boolean;
}

/** A lock file as it was read. */
interface Seen {
  /** Names this very record: the token, or for a file without one its inode and time. */
  readonly key: string;
  readonly holder: ProcessIdentity | undefined;
  readonly stale: boolean;
  readonly inode: bigint;
}

/** What the locks are linked from. */
interface OwnFile {
  readonly path: string;
  readonly inode: bigint;
}

export class LockFiles {
  readonly #system: System;
  readonly #directory: string;
  readonly #owner: Owner | undefined;
  readonly #processes: Processes;
  readonly #token: string = hex(randomSecret(16));
  #own: Promise<OwnFile> | undefined;
  #hardLinks = true;

  constructor(
    system: System,
    directory: string,
    owner?: Owner,
    processes: Processes = { own: ownIdentity, isAlive },
  ) {
    this.#system = system;
    this.#directory = directory;
    this.#owner = owner;
    this.#processes = processes;
  }

  /** Takes the lock if it is free or its holder dead: the inode of the lock file, then. */
  async take(name: string): Promise<bigint | Busy> {
    const path = join(this.#directory, name);
    for (let attempt = 0; attempt < maxAttempts; attempt++) {
      const inode = await this.#put(path);
      if (inode !== undefined) return inode;
      const seen = await this.#read(path);
      if (seen === undefined) continue;
      // Left behind by a release that failed.
      if (seen.key === this.#token) return seen.inode;
      if (!seen.stale) return { holder: seen.holder };
      const taken = await this.#takeOver(path, seen, 'ours');
      if (taken !== undefined) return taken;
    }
    return { holder: undefined };
  }

  /** Takes the lock away if it is still the one that was taken. */
  async remove(name: string, inode: bigint): Promise<void> {
    const path = join(this.#directory, name);
    try {
      const stats = await this.#system.lstat(path);
      if (stats.ino === inode) await this.#system.unlink(path);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
    }
  }

  /** The living holder. */
  async holder(name: string): Promise<ProcessIdentity | undefined> {
    let path = join(this.#directory, name);
    const first = path;
    for (let claims = 0; claims < maxAttempts; claims++) {
      const seen = await this.#read(path);
      if (seen === undefined) return undefined;
      if (!seen.stale) return seen.holder;
      path = claimOn(first, seen);
    }
    return undefined;
  }

  /** Removes what dead processes left: their locks, claims and temporary files. Returns how many files that were. */
  async sweep(): Promise<number> {
    const entries = await this.#system.readdir(this.#directory).catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return [];
      throw error;
    });
    let removed = 0;
    for (const { name } of entries) {
      const path = join(this.#directory, name);
      const claimAt = name.indexOf('~');
      if (isStaleTemporary(name)) removed += await this.#unlinkIfThere(path);
      else if (name.startsWith('.')) continue;
      else if (claimAt === -1) removed += await this.#sweepLock(path);
      else removed += await this.#sweepClaim(path, name.slice(0, claimAt), name.slice(claimAt + 1));
    }
    return removed;
  }

  /** Removes the file that locks are linked from; the next lock makes it again. Locks that are held stay. */
  async close(): Promise<void> {
    const own = this.#own;
    this.#own = undefined;
    const file = await own?.catch(() => undefined);
    if (file !== undefined) await this.#unlinkIfThere(file.path);
  }

  /** Makes a lock file with our record: its inode; undefined when there is one already. */
  async #put(path: string): Promise<bigint | undefined> {
    for (let attempt = 0; ; attempt++) {
      try {
        return this.#hardLinks ? await this.#linkOwn(path) : await this.#writeRecord(path);
      } catch (error) {
        if (hasErrno(error, 'EEXIST')) return undefined;
        if (this.#hardLinks && hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) {
          this.#hardLinks = false;
          continue;
        }
        // The directory or our file in it is not there, or has as many links as a file may have.
        if (!hasErrno(error, 'ENOENT', 'EMLINK') || attempt === 3) throw error;
      }
      if (attempt === 0) await makePrivateDirectory(this.#system, this.#directory, this.#owner);
    }
  }

  async #linkOwn(path: string): Promise<bigint> {
    this.#own ??= this.#writeOwn();
    const made = this.#own;
    try {
      const own = await made;
      await this.#system.link(own.path, path);
      return own.inode;
    } catch (error) {
      if (!hasErrno(error, 'EEXIST') && this.#own === made) this.#own = undefined;
      throw error;
    }
  }

  async #writeOwn(): Promise<OwnFile> {
    const path = join(this.#directory, temporaryName());
    return { path, inode: await this.#writeRecord(path) };
  }

  async #writeRecord(path: string): Promise<bigint> {
    const system = this.#system;
    const record = encodeLockRecord({ holder: this.#processes.own(), token: this.#token });
    const fd = await system.open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY);
    try {
      if (this.#owner !== undefined) await system.fchown(fd, this.#owner.uid, this.#owner.gid);
      await writeAll(system, fd, [record], 0);
      return (await system.fstat(fd)).ino;
    } catch (error) {
      await this.#unlinkIfThere(path).catch(() => {});
      throw error;
    } finally {
      await system.close(fd).catch(() => {});
    }
  }

  /** Undefined when the file is gone. */
  async #read(path: string): Promise<Seen | undefined> {
    const system = this.#system;
    let fd: number;
    try {
      // A FIFO that somebody put here must not be waited for.
      fd = await system.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
    try {
      const content = new Uint8Array(maxLockBytes);
      const bytes = await system.read(fd, content, 0, maxLockBytes, 0).catch((error: unknown) => {
        if (hasErrno(error, 'ESPIPE', 'EISDIR')) return 0; // no file, so nobody's record
        throw error;
      });
      const { ino, mtimeMs, mtimeNs } = await system.fstat(fd);
      const record = parseLockRecord(content.subarray(0, bytes));
      if (record !== undefined) {
        const { holder, token } = record;
        return { key: token, holder, stale: !this.#processes.isAlive(holder), inode: ino };
      }
      // The clock may have been set since, in either direction.
      const stale = Math.abs(Date.now() - Number(mtimeMs)) > unfinishedMs;
      return { key: `${ino.toString(16)}-${mtimeNs.toString(16)}`, holder: undefined, stale, inode: ino };
    } finally {
      await system.close(fd).catch(() => {});
    }
  }

  /**
   * Puts our lock in the place of a dead one, or nothing.
   * @returns the inode of our record; undefined when the lock has changed meanwhile
   */
  async #takeOver(path: string, seen: Seen, next: 'ours' | 'none'): Promise<bigint | Busy | undefined> {
    const passed: string[] = [];
    let dead = seen;
    let inode: bigint | undefined;
    for (;;) {
      const claim = claimOn(path, dead);
      inode = await this.#put(claim);
      if (inode !== undefined) break;
      const claimant = await this.#read(claim);
      if (claimant === undefined) return undefined;
      if (claimant.key === this.#token) {
        // Made by an attempt of ours that failed.
        inode = claimant.inode;
        break;
      }
      if (!claimant.stale) {
        const isStillDead = (await this.#read(path))?.key === seen.key;
        return isStillDead ? { holder: claimant.holder, claimed: true } : undefined;
      }
      passed.push(claim);
      dead = claimant;
    }
    const claim = claimOn(path, dead);
    try {
      if ((await this.#read(path))?.key !== seen.key) {
        await this.#unlinkIfThere(claim);
        return undefined;
      }
      if (next === 'ours') {
        await this.#system.rename(claim, path);
      } else {
        await this.#unlinkIfThere(path);
        passed.push(claim);
      }
    } catch (error) {
      await this.#unlinkIfThere(claim).catch(() => {});
      throw error;
    }
    // They lead nowhere now.
    for (const file of passed) await this.#unlinkIfThere(file).catch(() => {});
    return inode;
  }

  async #sweepLock(path: string): Promise<number> {
    const seen = await this.#read(path);
    if (seen === undefined || !seen.stale) return 0;
    return typeof (await this.#takeOver(path, seen, 'none')) === 'bigint' ? 1 : 0;
  }

  /** A claim on a record that the lock is not any more. */
  async #sweepClaim(path: string, name: string, key: string): Promise<number> {
    const claimant = await this.#read(path);
    if (claimant === undefined || !claimant.stale) return 0;
    const lock = await this.#read(join(dirname(path), name));
    if (lock?.key === key) return 0; // still meant; goes with its lock
    return this.#unlinkIfThere(path);
  }

  async #unlinkIfThere(path: string): Promise<number> {
    try {
      await this.#system.unlink(path);
      return 1;
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return 0;
      throw error;
    }
  }
}

function claimOn(path: string, { key }: Seen): string {
  return `${path}~${key}`;
}
