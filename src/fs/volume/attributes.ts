/** What is asked and told about entries: sizes and times, rights, owners, links. */

import { type BigIntStats, constants } from 'node:fs';

import { errnoError, hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { plainSizeOf } from '../file/pending-size.ts';
import { withPlainSize } from '../handle/stats.ts';
import type { Mounted } from './mounted.ts';
import { type OpenedPlace, type Place, readNoFollow } from './paths.ts';
import { outsideVolume, splitPath } from './path-rules.ts';

/** What cannot be opened for reading, but looked at. */
const unreadable = ['EACCES', 'EPERM', 'ENXIO', 'ENODEV'] as const;

/** `stat`, with the size of the plaintext. Links are followed. */
export async function statOf(mounted: Mounted, path: string): Promise<BigIntStats> {
  const { paths, system } = mounted;
  let opened: OpenedPlace;
  try {
    opened = await paths.open(path, constants.O_RDONLY);
  } catch (error) {
    if (!hasErrno(error, ...unreadable)) throw error;
    const stats = await withPlace(paths.follow(path), ({ systemPath }) => system.stat(systemPath));
    // The plaintext size of a file is in its header.
    if (stats.isFile()) throw error;
    return stats;
  }
  return statOfDescriptor(mounted, opened.descriptor);
}

/** `lstat`, with the size of the plaintext. */
export async function lstatOf(mounted: Mounted, path: string): Promise<BigIntStats> {
  // A slash behind a link means what it leads to.
  if (splitPath(path).slash) return statOf(mounted, path);
  const { paths } = mounted;
  return withPlace(paths.entry(path, 'absent'), ({ systemPath }) => lstatAt(mounted, systemPath));
}

/** `lstat` of what is held already. */
async function lstatAt(mounted: Mounted, systemPath: string): Promise<BigIntStats> {
  const { system } = mounted;
  let descriptor: number;
  try {
    descriptor = await system.open(systemPath, readNoFollow);
  } catch (error) {
    if (!hasErrno(error, 'ELOOP', ...unreadable)) throw error;
    const stats = await system.lstat(systemPath);
    if (stats.isFile()) throw error;
    return stats;
  }
  return statOfDescriptor(mounted, descriptor);
}

/** Takes the descriptor over. */
async function statOfDescriptor(mounted: Mounted, descriptor: number): Promise<BigIntStats> {
  const { environment, files, system } = mounted;
  try {
    const stats = await system.fstat(descriptor);
    if (!stats.isFile()) return stats;
    const open = files.size > 0 ? files.find(stats) : undefined;
    if (open?.writable === true) return await open.stat();
    return withPlainSize(stats, await plainSizeOf(environment, descriptor));
  } catch (error) {
    // Its size is that of the plaintext. Only reading it is refused: it must be possible to list and remove it.
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED') {
      return await system.fstat(descriptor);
    }
    throw error;
  } finally {
    await system.close(descriptor).catch(() => {});
  }
}

/** What there is, by the system alone: the size is that of the sealed bytes. Works whatever the file holds. */
export function lookAt({ paths, system }: Mounted, path: string, follow: boolean): Promise<BigIntStats> {
  return follow || splitPath(path).slash
    ? withPlace(paths.follow(path), ({ systemPath }) => system.stat(systemPath))
    : withPlace(paths.entry(path, 'absent'), ({ systemPath }) => system.lstat(systemPath));
}

/** The same; undefined when there is nothing. */
export async function lookIfThere(
  mounted: Mounted,
  path: string,
  follow: boolean,
): Promise<BigIntStats | undefined> {
  return lookAt(mounted, path, follow).catch((error: unknown) => {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  });
}

/** Does something with a place that is released afterwards. */
export async function withPlace<P extends Place, T>(
  holding: Promise<P>,
  work: (place: P) => Promise<T>,
): Promise<T> {
  const place = await holding;
  try {
    return await work(place);
  } finally {
    await place.release();
  }
}

export function checkAccess({ paths, system }: Mounted, path: string, mode: number): Promise<void> {
  return withPlace(paths.follow(path), ({ systemPath }) => system.access(systemPath, mode));
}

export function changeMode({ paths, system }: Mounted, path: string, mode: number): Promise<void> {
  return withPlace(paths.follow(path), ({ systemPath }) => system.chmod(systemPath, mode));
}

export function changeOwner(
  { paths, system }: Mounted,
  path: string,
  uid: number,
  gid: number,
): Promise<void> {
  return withPlace(paths.follow(path), ({ systemPath }) => system.chown(systemPath, uid, gid));
}

export function changeTimes(
  { files, paths, system }: Mounted,
  path: string,
  atimeSeconds: number,
  mtimeSeconds: number,
): Promise<void> {
  return withPlace(paths.follow(path), async ({ systemPath }) => {
    const open = files.size > 0 ? files.find(await system.stat(systemPath)) : undefined;
    // What was written before and is not on the disk yet must not change them again.
    if (open !== undefined) await open.utimes(atimeSeconds, mtimeSeconds);
    else await system.utimes(systemPath, atimeSeconds, mtimeSeconds);
  });
}

/** The real path as a path of the volume. */
export function realPathOf({ paths }: Mounted, path: string): Promise<string> {
  return withPlace(paths.follow(path), async ({ relativePath }) => `/${relativePath}`);
}

export async function readLink({ paths, system }: Mounted, path: string): Promise<string> {
  if (splitPath(path).slash) {
    await withPlace(paths.follow(path), async () => {});
    throw errnoError('EINVAL', 'readlink');
  }
  return withPlace(paths.entry(path, 'absent'), ({ systemPath }) => system.readlink(systemPath));
}

/**
 * Makes a symbolic link. Whether anything is at its target is of no interest.
 * @throws VolsealError `ERR_VOLSEAL_OUTSIDE_VOLUME` for a target that is absolute, or leads above the root
 */
export async function makeLink(
  { environment, paths, system }: Mounted,
  target: string,
  path: string,
): Promise<void> {
  await withPlace(paths.entry(path, 'refused'), async ({ relativeDirectory, systemPath }) => {
    checkTarget(relativeDirectory, target);
    await system.symlink(target, systemPath);
    const { owner } = environment;
    if (owner !== undefined) await system.lchown(systemPath, owner.uid, owner.gid);
  });
}

function checkTarget(relativeDirectory: string, target: string): void {
  const hint = 'use a target that is relative to the directory of the link and stays in the volume';
  if (target.startsWith('/')) throw outsideVolume(target, hint);
  try {
    splitPath(`${relativeDirectory}/${target}`);
  } catch {
    throw outsideVolume(target, hint);
  }
}
