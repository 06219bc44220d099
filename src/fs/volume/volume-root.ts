/** The directory that is to be a volume, or is one. */

import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { invalidArgument } from '../../options.ts';
import type { System } from '../../os/system.ts';
import { fromSystemError } from '../../system-error.ts';
import type { FileOwner } from '../file/environment.ts';

export interface VolumeRoot {
  /** Real and absolute. */
  readonly path: string;
  /** Who gets what a process of root makes: the owner of the root of the volume. */
  readonly owner: FileOwner | undefined;
}

export async function rootOf(system: System, root: string | URL): Promise<VolumeRoot> {
  const path = await system.realpath(textOf(root));
  const stats = await system.stat(path);
  if (!stats.isDirectory()) {
    throw new VolsealError('ERR_VOLSEAL_INVALID_ARGUMENT', `${path} is not a directory`, {
      path,
      hint: 'name the directory where the Fly volume is mounted',
    });
  }
  const [uid, gid] = [Number(stats.uid), Number(stats.gid)];
  const isRoots = process.geteuid?.() === 0 && (uid !== 0 || gid !== 0);
  return { path, owner: isRoots ? { uid, gid } : undefined };
}

function textOf(root: unknown): string {
  if (root instanceof URL) return fileURLToPath(root);
  if (typeof root === 'string' && root !== '' && !root.includes('\0')) return resolve(root);
  throw invalidArgument('the root of a volume must be a path or a file URL', 'for example /data');
}

/** Errors of the system in our words; of permission in those that help on a new Fly volume. */
export async function explaining<T>(root: string | URL, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    const path = textOf(root);
    if (!hasErrno(error, 'EACCES', 'EPERM')) throw fromSystemError(error, path);
    const who = `${process.geteuid?.() ?? 'USER'}:${process.getegid?.() ?? 'GROUP'}`;
    throw new VolsealError('ERR_VOLSEAL_PERMISSION', `${path}: permission denied`, {
      path,
      hint: `the root of a new Fly volume belongs to root: as root run "chown ${who} ${path}" in the entrypoint, before it drops privileges`,
      cause: error,
    });
  }
}
