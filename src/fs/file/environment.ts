/** What all open files of one volume share. */

import { hex } from '../../bytes.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import type { System } from '../../os/system.ts';
import type { FileLocks, HeldLock } from '../locks/file-locks.ts';
import type { SegmentCache } from './segment-cache.ts';

/** Who gets what is made, when the process is not the one who should own it. */
export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

export interface FileEnvironment {
  readonly system: System;
  readonly keyring: Keyring;
  readonly locks: FileLocks;
  /** Absolute path of `.volseal/journal`. */
  readonly journalDirectory: string;
  /** `none`: no fsync and no journal; segments are written in place. */
  readonly durability: 'sync' | 'none';
  readonly cache: SegmentCache;
  readonly owner?: FileOwner | undefined;
  /** A write or truncate that would have to fill a longer gap with zeros fails with EFBIG. */
  readonly maxGapBytes: number;
}

/** Whoever holds a header lock needs it for one read and one synced write. */
const headerLockWaitMs = 5_000;

/** Held while both halves of a header are read and one is written. Throws EBUSY. */
export async function lockHeader(env: FileEnvironment, fileId: Uint8Array, path: string): Promise<HeldLock> {
  return env.locks.acquire(`${hex(fileId)}.header`, { path, waitMs: headerLockWaitMs });
}

/** Whoever replaces a file holds its write lock for one rename: that is waited for. Who has it open for writing is not. */
const writeLockWaitMs = 100;

/** Held while a file is open for writing, and by whoever replaces it. Throws EBUSY. */
export async function lockForWriting(
  env: FileEnvironment,
  fileId: Uint8Array,
  path: string,
): Promise<HeldLock> {
  return env.locks.acquire(writeLockName(fileId), { path, waitMs: writeLockWaitMs });
}

export function writeLockName(fileId: Uint8Array): string {
  return `${hex(fileId)}.write`;
}
