/**
 * A new file, or a new content of one, that is there as a whole or not at all: written under a temporary name in the
 * same directory, synced, renamed, and the directory synced.
 *
 * System calls of a new file: lstat, open, [what is written], rename, close; durable: fsync, and open, fsync, close of
 * the directory. Replacing one: fstat more. `known` saves the lstat.
 */

import { type BigIntStats, constants } from 'node:fs';
import { dirname, join, resolve } from 'node:path';

import { errnoError, hasErrno } from '../errno.ts';
import { writeAll } from './descriptor-bytes.ts';
import type { System } from './system.ts';
import { temporaryName } from './temporary-name.ts';

export interface ReplacingFileOptions {
  /** Of a file that replaces none; the process's umask is taken off it, as `open` does. 0o666 by default. */
  readonly mode?: number;
  /** Who gets a file that replaces none. */
  readonly owner?: { readonly uid: number; readonly gid: number };
  /** Fail with EEXIST where something is already. */
  readonly exclusive?: boolean;
  /** What `lstat` of the path said just now, when the caller has asked already. */
  readonly known?: BigIntStats | 'absent';
  /** Made in the directory of the path, and taken over. */
  readonly temporary?: TemporaryFile | undefined;
}

/** A new and empty file that has its final name still to get. */
export interface TemporaryFile {
  /** Open for reading and writing. */
  readonly fd: number;
  readonly path: string;
}

/** @param mode permission bits; the process's umask is taken off */
export async function makeTemporaryFile(
  system: System,
  directory: string,
  mode: number,
): Promise<TemporaryFile> {
  const path = join(directory, temporaryName());
  const flags = constants.O_CREAT | constants.O_EXCL | constants.O_RDWR;
  return { fd: await system.open(path, flags, mode), path };
}

/** Takes away what nobody took over. Never fails. */
export async function removeTemporaryFile(system: System, { fd, path }: TemporaryFile): Promise<void> {
  await system.close(fd).catch(() => {});
  await system.unlink(path).catch(() => {});
}

export interface CommitOptions {
  /** Content and name are on the disk afterwards. Otherwise nothing is synced at all. */
  readonly durable: boolean;
  /** Leaves `fd` open; it is the caller's then. */
  readonly keepOpen?: boolean;
  /** Permission bits, also of a file that replaces one with others. */
  readonly mode?: number | undefined;
  /** Runs the step by which the file takes its name; what this throws before it, is thrown. Default: just runs it. */
  readonly renaming?: ((rename: () => Promise<void>) => Promise<void>) | undefined;
}

const permissionBits = 0o7777n;

interface Target {
  readonly path: string;
  readonly replaced: BigIntStats | undefined;
}

export class ReplacingFile {
  /** Open for reading and writing, empty at first. */
  readonly fd: number;
  readonly temporaryPath: string;
  readonly #system: System;
  readonly #path: string;
  readonly #target: Target;
  readonly #options: ReplacingFileOptions;
  #open = true;
  #named = true;

  private constructor(
    system: System,
    fd: number,
    temporaryPath: string,
    path: string,
    target: Target,
    options: ReplacingFileOptions,
  ) {
    this.#system = system;
    this.fd = fd;
    this.temporaryPath = temporaryPath;
    this.#path = path;
    this.#target = target;
    this.#options = options;
  }

  /**
   * A symbolic link is written through: what it points to is replaced, not the link. Throws EISDIR for a directory,
   * EINVAL for anything else that is not a regular file, EEXIST with `exclusive`.
   */
  static async create(
    system: System,
    path: string,
    options: ReplacingFileOptions = {},
  ): Promise<ReplacingFile> {
    const { temporary } = options;
    let target: Target;
    try {
      target = await targetOf(system, path, options);
      checkTarget(path, target, options);
    } catch (error) {
      if (temporary !== undefined) await removeTemporaryFile(system, temporary);
      throw error;
    }
    const { replaced } = target;
    const mode = replaced === undefined ? (options.mode ?? 0o666) : temporaryMode(replaced);
    const made =
      temporary ??
      (await makeTemporaryFile(system, dirname(target.path), mode).catch((error: unknown) => {
        throw concerning(error, 'open', path);
      }));
    const file = new ReplacingFile(system, made.fd, made.path, path, target, options);
    try {
      // It was made as one that replaces none.
      if (temporary !== undefined && replaced !== undefined) await system.fchmod(made.fd, mode);
      if (replaced === undefined && options.owner !== undefined) {
        await system.fchown(made.fd, options.owner.uid, options.owner.gid);
      }
      return file;
    } catch (error) {
      await file.abort();
      throw concerning(error, 'open', path);
    }
  }

  /** Makes what was written the content of the path. After a failure call {@link abort}. */
  async commit(options: CommitOptions): Promise<void> {
    const system = this.#system;
    const directoryPath = dirname(this.#target.path);
    await this.#keepOwnerAndMode(options.mode).catch((error: unknown) => {
      throw concerning(error, 'open', this.#path);
    });
    // Opened before the rename: a failure still changes nothing then.
    let directory: number | undefined;
    if (options.durable) {
      const [synced, opened] = await Promise.allSettled([
        system.fsync(this.fd),
        openDirectory(system, directoryPath),
      ]);
      if (opened.status === 'fulfilled') directory = opened.value;
      const failed = [synced, opened].find(({ status }) => status === 'rejected');
      if (failed !== undefined) {
        if (directory !== undefined) await system.close(directory).catch(() => {});
        throw concerning((failed as PromiseRejectedResult).reason, 'fsync', this.#path);
      }
    }
    let closing: Promise<void> | undefined;
    try {
      const { renaming = (rename) => rename() } = options;
      const isClosed = options.keepOpen !== true;
      if (isClosed) {
        this.#open = false;
        closing = system.close(this.fd);
        closing.catch(() => {}); // awaited below, or of no interest after another failure
      }
      await renaming(async () => this.#takeName());
      if (directory !== undefined) await system.fsync(directory);
      // Without a sync it is the last call that may tell of a failed write (NFS, quotas); after one it tells nothing.
      await (options.durable ? closing?.catch(() => {}) : closing);
      this.#open = false;
    } catch (error) {
      await closing?.catch(() => {});
      throw concerning(error, 'rename', this.#path);
    } finally {
      if (directory !== undefined) await system.close(directory).catch(() => {});
    }
  }

  /** Leaves everything as it was; never throws. After a `commit` that succeeded it does nothing. */
  async abort(): Promise<void> {
    if (this.#open) await this.#system.close(this.fd).catch(() => {});
    this.#open = false;
    if (this.#named) await this.#system.unlink(this.temporaryPath).catch(() => {});
    this.#named = false;
  }

  async #takeName(): Promise<void> {
    if (this.#options.exclusive === true) await this.#moveWithoutReplacing();
    else await this.#system.rename(this.temporaryPath, this.#target.path);
    this.#named = false;
  }

  async #keepOwnerAndMode(wanted: number | undefined): Promise<void> {
    const { replaced } = this.#target;
    if (replaced === undefined) {
      if (wanted !== undefined) await this.#system.fchmod(this.fd, wanted);
      return;
    }
    const own = await this.#system.fstat(this.fd);
    const given = own.uid !== replaced.uid || own.gid !== replaced.gid;
    if (given) {
      // Only root may give files away; others keep the file as their own.
      await this.#system.fchown(this.fd, Number(replaced.uid), Number(replaced.gid)).catch(() => {});
    }
    const mode = wanted === undefined ? replaced.mode & permissionBits : BigInt(wanted);
    // A change of owner takes the set-user-id bits away.
    if (given || (own.mode & permissionBits) !== mode) await this.#system.fchmod(this.fd, Number(mode));
  }

  /** `rename` would replace a file that appeared meanwhile; `link` refuses to. */
  async #moveWithoutReplacing(): Promise<void> {
    const system = this.#system;
    try {
      await system.link(this.temporaryPath, this.#target.path);
    } catch (error) {
      if (!hasErrno(error, 'EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error;
      // No hard links on this file system: take the name first, then replace what is certainly ours.
      const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY;
      await system.close(await system.open(this.#target.path, flags, 0o600));
      try {
        await system.rename(this.temporaryPath, this.#target.path);
      } catch (cause) {
        await system.unlink(this.#target.path).catch(() => {});
        throw cause;
      }
      return;
    }
    // The file is where it belongs; a second name that cannot be taken away now is removed as a stale one later.
    await system.unlink(this.temporaryPath).catch(() => {});
  }
}

function checkTarget(path: string, { replaced }: Target, { exclusive }: ReplacingFileOptions): void {
  if (replaced === undefined) return;
  if (exclusive === true) throw errnoError('EEXIST', 'open', path);
  if (replaced.isDirectory()) throw errnoError('EISDIR', 'open', path);
  if (!replaced.isFile())
    throw errnoError('EINVAL', 'open', path, undefined, { detail: 'not a regular file' });
}

/** Open to its future readers from the start, unless that takes a change of owner: then to nobody else before it. */
function temporaryMode(replaced: BigIntStats): number {
  const isOurs = Number(replaced.uid) === process.geteuid?.() && Number(replaced.gid) === process.getegid?.();
  return isOurs ? Number(replaced.mode & 0o777n) : 0o600;
}

/** Replaces a file by these bytes, or makes it. */
export async function replaceFile(
  system: System,
  path: string,
  parts: readonly Uint8Array[],
  options: ReplacingFileOptions & CommitOptions,
): Promise<void> {
  const file = await ReplacingFile.create(system, path, options);
  try {
    await writeAll(system, file.fd, parts, 0).catch((error: unknown) => {
      throw concerning(error, 'write', path);
    });
    await file.commit({ durable: options.durable });
  } catch (error) {
    await file.abort();
    throw error;
  }
}

/** Puts the entries of a directory on the disk: what was made, renamed or removed in it stays so. */
export async function syncDirectory(system: System, path: string): Promise<void> {
  const directory = await openDirectory(system, path);
  if (directory === undefined) return;
  try {
    await system.fsync(directory);
  } finally {
    await system.close(directory).catch(() => {});
  }
}

async function openDirectory(system: System, path: string): Promise<number | undefined> {
  // Windows has no directories to sync.
  if (process.platform === 'win32') return undefined;
  return system.open(path, constants.O_RDONLY | constants.O_DIRECTORY);
}

/** As many links in a row as Linux follows. */
const maxLinks = 40;

/** Where a path leads, also when nothing is there yet. */
async function targetOf(system: System, path: string, options: ReplacingFileOptions): Promise<Target> {
  let target = path;
  let { known } = options;
  for (let links = 0; links <= maxLinks; links++) {
    const stats = known ?? (await lstatIfThere(system, target));
    known = undefined;
    if (stats === 'absent') return { path: target, replaced: undefined };
    // `open` with O_EXCL does not follow a link either.
    if (!stats.isSymbolicLink() || options.exclusive === true) return { path: target, replaced: stats };
    target = await followLink(system, target).catch((error: unknown) => {
      throw concerning(error, 'open', path);
    });
  }
  throw errnoError('ELOOP', 'open', path);
}

async function followLink(system: System, path: string): Promise<string> {
  return resolve(await system.realpath(dirname(path)), await system.readlink(path));
}

async function lstatIfThere(system: System, path: string): Promise<BigIntStats | 'absent'> {
  return system.lstat(path).catch((error: unknown): 'absent' => {
    if (hasErrno(error, 'ENOENT')) return 'absent';
    throw concerning(error, 'open', path);
  });
}

/** The same error about the path that the caller knows, not about the temporary one. */
function concerning(error: unknown, syscall: string, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined || (error as NodeJS.ErrnoException).path === path) {
    return error;
  }
  return errnoError(code, syscall, path, undefined, { cause: error });
}
