/** A directory that was opened as a file: its attributes can be read and changed and its entries synced, nothing else. */

import type { BigIntStats } from 'node:fs';

import { errnoError } from '../../errno.ts';
import type { System } from '../../os/system.ts';
import type { HandleTarget } from './handle-target.ts';

export class OpenDirectory implements HandleTarget {
  readonly plainBytes = 0;
  readonly #system: System;
  readonly #fd: number;

  /** Takes the descriptor over. */
  constructor(system: System, fd: number) {
    this.#system = system;
    this.#fd = fd;
  }

  async read(): Promise<never> {
    throw errnoError('EISDIR', 'read');
  }

  async write(): Promise<never> {
    throw errnoError('EBADF', 'write');
  }

  async append(): Promise<never> {
    throw errnoError('EBADF', 'write');
  }

  async truncate(): Promise<never> {
    throw errnoError('EINVAL', 'ftruncate');
  }

  sync(): Promise<void> {
    return this.#system.fsync(this.#fd);
  }

  stat(): Promise<BigIntStats> {
    return this.#system.fstat(this.#fd);
  }

  utimes(atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    return this.#system.futimes(this.#fd, atimeSeconds, mtimeSeconds);
  }

  chmod(mode: number): Promise<void> {
    return this.#system.fchmod(this.#fd, mode);
  }

  chown(uid: number, gid: number): Promise<void> {
    return this.#system.fchown(this.#fd, uid, gid);
  }

  close(): Promise<void> {
    return this.#system.close(this.#fd);
  }
}
