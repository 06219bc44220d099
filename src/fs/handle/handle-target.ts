/** What a handle works on, and how it holds it. */

import type { BigIntStats } from 'node:fs';

import type { Context } from '../../kms/provider.ts';

/** An open sealed file, shared by all handles on it in this process; or something that stands in for one. */
export interface HandleTarget {
  readonly plainBytes: number;
  /** The number at once when all of it is in memory. */
  read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
  ): number | Promise<number>;
  /** A gap before `plainOffset` reads as zeros afterwards. */
  write(source: Uint8Array, sourceOffset: number, length: number, plainOffset: number): Promise<number>;
  append(source: Uint8Array, sourceOffset: number, length: number): Promise<number>;
  truncate(plainBytes: number): Promise<void>;
  sync(): Promise<void>;
  /** `size` is of the plaintext. */
  stat(): Promise<BigIntStats>;
  /** No write from before changes the times again. */
  utimes(atimeSeconds: number, mtimeSeconds: number): Promise<void>;
  chmod(mode: number): Promise<void>;
  chown(uid: number, gid: number): Promise<void>;
  close(): Promise<void>;
}

/** One handle's hold on a target. Whoever has the last one closes the target by releasing it. */
export interface Lease {
  readonly file: HandleTarget;
  /** The authenticated encryption context of a file; of a directory none. */
  readonly context: Context;
  /**
   * Once. Without other holds on the target what was written is on the disk afterwards, as far as the durability of the
   * volume says.
   */
  release(): Promise<void>;
}
