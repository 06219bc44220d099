/** Directories that volseal makes for itself. */

import { hasErrno } from '../errno.ts';
import type { System } from './system.ts';

const directoryMode = 0o700;

/**
 * Makes a directory that only its owner may enter.
 * @param owner who gets it; without one whoever makes it
 * @returns false when something of this name is there already; that stays as it is
 */
export async function makePrivateDirectory(
  system: System,
  path: string,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): Promise<boolean> {
  try {
    await system.mkdir(path, directoryMode);
  } catch (error) {
    if (hasErrno(error, 'EEXIST')) return false;
    throw error;
  }
  // Not through a link: whoever owns the folder above could have put one there meanwhile.
  if (owner !== undefined) await system.lchown(path, owner.uid, owner.gid);
  return true;
}
