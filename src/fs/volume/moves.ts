/**
 * Names that change while somebody goes through all files of the volume: what is moved from where he has not been to where he
 * has been is not met. So whoever goes through leaves a mark, `.volseal/unmoved`, and whoever moves what must not be missed
 * removes it first. If the mark is there at the end, nothing was moved in between.
 *
 * Both are done under one lock, a move with its rename in it: no move is half before and half after.
 */

import { join } from 'node:path';

import { hex } from '../../bytes.ts';
import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import { replaceFile, syncDirectory } from '../../os/replacing-file.ts';
import { randomSecret } from '../../random.ts';
import { findRegion } from '../header/find-region.ts';
import { isUnderOnly } from '../header/rewrap.ts';
import type { Mounted } from './mounted.ts';
import { metadataName } from './path-rules.ts';
import { readNoFollow } from './paths.ts';

const markName = 'unmoved';
const markBytes = 32;
const lockName = 'moves';
/** A rename takes no longer. */
const lockWaitMs = 5_000;

async function underLock<T>({ environment, paths }: Mounted, run: () => Promise<T>): Promise<T> {
  const lock = await environment.locks.acquire(lockName, { path: paths.root, waitMs: lockWaitMs });
  try {
    return await run();
  } finally {
    await lock.release();
  }
}

const pathOf = ({ paths }: Mounted): string => join(paths.root, metadataName, markName);

/**
 * Whether what lies there may be moved without a word: no file needs another volume key than the primary one, or this is a file
 * and does not.
 */
export async function isMissedByNobody(
  { environment, system }: Mounted,
  systemPath: string,
): Promise<boolean> {
  const { keyring } = environment;
  if (!keyring.hasOlderKeys) return true;
  let fd: number;
  try {
    fd = await system.open(systemPath, readNoFollow);
  } catch (error) {
    return hasErrno(error, 'ENOENT', 'ELOOP'); // nothing, or a link
  }
  try {
    if ((await system.fstat(fd)).isDirectory()) return false;
    return isUnderOnly(await findRegion(system, fd, undefined), keyring.primary.keyId);
  } catch (error) {
    return error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED';
  } finally {
    await system.close(fd).catch(() => {});
  }
}

/** Runs a rename that nobody who goes through the volume may miss. */
export async function moving(mounted: Mounted, rename: () => Promise<void>): Promise<void> {
  await underLock(mounted, async () => {
    const path = pathOf(mounted);
    const had = await mounted.system.unlink(path).then(
      () => true,
      (error: unknown) => {
        if (hasErrno(error, 'ENOENT')) return false;
        throw error;
      },
    );
    // Or a crash could bring the mark back, and not undo the rename.
    if (had && mounted.environment.durability === 'sync')
      await syncDirectory(mounted.system, join(mounted.paths.root, metadataName));
    await rename();
  });
}

/** The mark that is there, or a new one. */
export async function leaveMark(mounted: Mounted): Promise<string> {
  return underLock(mounted, async () => {
    const there = await readMark(mounted);
    if (there !== undefined) return there;
    const mark = hex(randomSecret(markBytes / 2));
    const { owner } = mounted.environment;
    await replaceFile(mounted.system, pathOf(mounted), [Buffer.from(mark, 'latin1')], {
      mode: 0o600,
      durable: mounted.environment.durability === 'sync',
      ...(owner === undefined ? {} : { owner }),
    });
    return mark;
  });
}

/** Whether nothing was moved since the mark was left. */
export async function isMarkThere(mounted: Mounted, mark: string): Promise<boolean> {
  return underLock(mounted, async () => (await readMark(mounted)) === mark);
}

async function readMark(mounted: Mounted): Promise<string | undefined> {
  const { system } = mounted;
  let fd: number;
  try {
    fd = await system.open(pathOf(mounted), readNoFollow);
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    const bytes = await readUpTo(system, fd, new Uint8Array(markBytes + 1), 0);
    const text = Buffer.from(bytes).toString('latin1');
    // Half a mark is none: nobody counts on it.
    return /^[0-9a-f]{32}$/.test(text) ? text : undefined;
  } finally {
    await system.close(fd).catch(() => {});
  }
}
