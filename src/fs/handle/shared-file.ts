/** A file or directory that is open, as all handles on it in this process see it, whatever stands behind it at the time. */

import type { BigIntStats } from 'node:fs';

import type { Context } from '../../kms/provider.ts';
import type { OpenFile } from '../file/open-file.ts';
import type { HandleTarget } from './handle-target.ts';
import type { OpenDirectory } from './open-directory.ts';
import { refusingFile } from './refusing-file.ts';

type Refusal = (syscall: string) => unknown;

export class SharedFile implements HandleTarget {
  readonly key: string;
  /** By which it was opened first: for errors. */
  readonly path: string;
  readonly context: Context;
  /** Handles that hold it, and how many of them may write. */
  holders = 0;
  writers = 0;
  /** What went wrong when it was closed under its handles. */
  lost: Error | undefined;
  #target: HandleTarget;
  #file: OpenFile | undefined;
  /** The target owns and closes it. */
  #fd: number;
  #refused = false;

  constructor(key: string, path: string, opened: OpenFile | OpenDirectory, fd: number) {
    this.key = key;
    this.path = path;
    this.#target = opened;
    this.#file = 'header' in opened ? opened : undefined;
    this.#fd = fd;
    this.context = this.#file?.header.context ?? {};
  }

  /** What stands behind it while it is a regular file and open. */
  get file(): OpenFile | undefined {
    return this.#file;
  }

  get fd(): number {
    return this.#fd;
  }

  /** Goes on with another opening of the same file, or with another descriptor. What was there before is the caller's. */
  goOnWith(file: OpenFile, fd: number): void {
    this.#target = file;
    this.#file = file;
    this.#fd = fd;
  }

  /** Refuses everything from now on. What was there before is the caller's to close. */
  refuse(refusal: Refusal): HandleTarget {
    const before = this.#target;
    this.#target = refusingFile(refusal);
    this.#file = undefined;
    this.#refused = true;
    return before;
  }

  get refused(): boolean {
    return this.#refused;
  }

  get plainBytes(): number {
    return this.#target.plainBytes;
  }

  read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
  ): number | Promise<number> {
    return this.#target.read(target, targetOffset, length, plainOffset);
  }

  write(source: Uint8Array, sourceOffset: number, length: number, plainOffset: number): Promise<number> {
    return this.#target.write(source, sourceOffset, length, plainOffset);
  }

  append(source: Uint8Array, sourceOffset: number, length: number): Promise<number> {
    return this.#target.append(source, sourceOffset, length);
  }

  truncate(plainBytes: number): Promise<void> {
    return this.#target.truncate(plainBytes);
  }

  sync(): Promise<void> {
    return this.#target.sync();
  }

  stat(): Promise<BigIntStats> {
    return this.#target.stat();
  }

  utimes(atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    return this.#target.utimes(atimeSeconds, mtimeSeconds);
  }

  chmod(mode: number): Promise<void> {
    return this.#target.chmod(mode);
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.#target.chown(uid, gid);
  }

  close(): Promise<void> {
    return this.#target.close();
  }
}
