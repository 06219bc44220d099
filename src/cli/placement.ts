/** Before and after a result takes its place: what may be replaced, and whose it is then. */

import type { Stats } from 'node:fs';
import { chown, lstat, stat } from 'node:fs/promises';

import { VolsealError } from '../errors.ts';
import { standardStream } from './destinations.ts';
import type { Item } from './items.ts';

/**
 * Looks at what is in the place of a result and gives it, if it may be replaced.
 * @throws VolsealError `ERR_VOLSEAL_EXISTS`; `ERR_VOLSEAL_INVALID_ARGUMENT` when it is the source itself
 */
export async function checkPlace(item: Item, mayReplace: boolean): Promise<Stats | undefined> {
  const { destination, inTree, source, sourceStats } = item;
  if (destination === standardStream) return undefined;
  const existing = await lstat(destination).catch(() => undefined); // what is wrong with it, writing to it will say
  if (existing === undefined) return undefined;
  if (existing.isSymbolicLink() && inTree) {
    throw existsError(destination, 'it is a symbolic link, which may lead anywhere');
  }
  const target = existing.isSymbolicLink() ? await stat(destination).catch(() => undefined) : existing;
  if (sourceStats !== undefined && target?.dev === sourceStats.dev && target.ino === sourceStats.ino) {
    throw new VolsealError(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
      `${source} and its destination are the same file`,
      { hint: 'name another destination', path: source },
    );
  }
  if (!mayReplace && target?.isFile() === true) throw existsError(destination, 'it exists already');
  return existing;
}

function existsError(path: string, why: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_EXISTS', `${path}: ${why}`, { path });
}

/**
 * An operator on the Machine is root and the app is not: the app goes on owning what comes of its files.
 * @returns false when the system does not let this root give files away
 */
export async function giveOwner({ destination, sourceStats }: Item): Promise<boolean> {
  if (process.geteuid?.() !== 0 || destination === standardStream || sourceStats?.isFile() !== true)
    return true;
  if (sourceStats.uid === 0 && sourceStats.gid === 0) return true;
  try {
    await chown(destination, sourceStats.uid, sourceStats.gid);
    return true;
  } catch {
    return false;
  }
}
