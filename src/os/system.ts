/**
 * The one seam between volumes and the operating system. Tests put a file system in its place that records, fails or
 * crashes; nothing of keyring/ and fs/ talks to `node:fs` beside it.
 *
 * Every function fails as `node:fs` does: with an errno error that has `code`, `errno`, `syscall` and, where a path was
 * given, `path`. Descriptors are plain numbers. Offsets and lengths count bytes of the file as it lies on the disk.
 */

import type { BigIntStats } from 'node:fs';

export type EntryKind = 'file' | 'directory' | 'symlink' | 'other';

export interface Entry {
  readonly name: string;
  readonly kind: EntryKind;
}

export interface System {
  /** `flags` as `fs.constants.O_*`. */
  open(path: string, flags: number, mode?: number): Promise<number>;
  close(descriptor: number): Promise<void>;
  /** May read less than `length`; 0 at the end of the file. */
  read(
    descriptor: number,
    target: Uint8Array,
    targetOffset: number,
    length: number,
    fileOffset: number,
  ): Promise<number>;
  /** May write less than was given. */
  writev(descriptor: number, parts: readonly Uint8Array[], fileOffset: number): Promise<number>;
  /** Content and size are on the disk afterwards. */
  fdatasync(descriptor: number): Promise<void>;
  /** Content and everything that describes it are on the disk afterwards; for a directory its entries. */
  fsync(descriptor: number): Promise<void>;
  ftruncate(descriptor: number, length: number): Promise<void>;
  fstat(descriptor: number): Promise<BigIntStats>;
  fchmod(descriptor: number, mode: number): Promise<void>;
  fchown(descriptor: number, uid: number, gid: number): Promise<void>;
  futimes(descriptor: number, atimeSeconds: number, mtimeSeconds: number): Promise<void>;
  /** Where an open descriptor leads now, by its real path; undefined where the platform cannot tell. */
  pathOf(descriptor: number): Promise<string | undefined>;

  stat(path: string): Promise<BigIntStats>;
  lstat(path: string): Promise<BigIntStats>;
  /**
   * As `lstat`, of what the kernel has been asked about just now, or is all the time, and so has in memory: it is answered
   * without waiting. Undefined when there is nothing.
   */
  lookAgain(path: string): Promise<BigIntStats | undefined>;
  /** `mode` as `fs.constants.R_OK` and its like. */
  access(path: string, mode?: number): Promise<void>;
  readdir(path: string): Promise<Entry[]>;
  mkdir(path: string, mode?: number): Promise<void>;
  rmdir(path: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** Replaces `to` in one step when it exists. */
  rename(from: string, to: string): Promise<void>;
  /** Fails with EEXIST when `to` exists. */
  link(from: string, to: string): Promise<void>;
  symlink(target: string, path: string): Promise<void>;
  readlink(path: string): Promise<string>;
  realpath(path: string): Promise<string>;
  chmod(path: string, mode: number): Promise<void>;
  chown(path: string, uid: number, gid: number): Promise<void>;
  lchown(path: string, uid: number, gid: number): Promise<void>;
  utimes(path: string, atimeSeconds: number, mtimeSeconds: number): Promise<void>;
  lutimes(path: string, atimeSeconds: number, mtimeSeconds: number): Promise<void>;
}
