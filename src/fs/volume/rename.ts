/** Renaming and moving. In a durable volume the new name is on the disk when it ends. */

import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';

import { errnoError, hasErrno } from '../../errno.ts';
import { syncDirectory } from '../../os/replacing-file.ts';
import { lookAt, lookIfThere, withPlace } from './attributes.ts';
import { copyTree } from './copy-tree.ts';
import { asStated, stating } from './errors.ts';
import { makeDirectories } from './make-directories.ts';
import { isDurable, type Mounted } from './mounted.ts';
import { isMissedByNobody, moving } from './moves.ts';
import { checkNotRoot, remove } from './remove.ts';

export async function renameEntry(mounted: Mounted, from: string, to: string): Promise<void> {
  checkNotRoot(from, 'rename');
  checkNotRoot(to, 'rename');
  await mounted.holder.using(async () => {
    await refreshed(mounted);
    await renameNow(mounted, from, to);
  });
}

/** What only changes names has to be possible on a full disk. */
async function refreshed({ environment, holder }: Mounted): Promise<void> {
  try {
    await holder.refresh();
  } catch (error) {
    if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    await environment.keyring.refresh();
  }
}

async function renameNow(mounted: Mounted, from: string, to: string): Promise<void> {
  const { leftJournals, paths, system } = mounted;
  await withPlace(paths.entry(from, 'absent'), (source) =>
    withPlace(paths.entry(to, 'refused'), async (destination) => {
      const rename = (): Promise<void> => system.rename(source.systemPath, destination.systemPath);
      const isPlain = await isMissedByNobody(mounted, source.systemPath);
      await leftJournals.removing(destination.systemPath, () =>
        isPlain ? rename() : moving(mounted, rename),
      );
      if (!isDurable(mounted)) return;
      // First where it is now: found under both names after a crash is better than under none.
      await syncDirectory(system, destination.systemDirectory);
      if (source.relativeDirectory !== destination.relativeDirectory) {
        await syncDirectory(system, source.systemDirectory);
      }
    }),
  );
}

/** `move` of fs-extra: makes the directories above the destination, and replaces it only with `overwrite`. */
export async function moveEntry(
  mounted: Mounted,
  from: string,
  to: string,
  overwrite: boolean,
): Promise<void> {
  const source = await stating({ syscall: 'lstat', path: from }, () => lookAt(mounted, from, false));
  const destination = await stating({ syscall: 'lstat', path: to }, () => lookIfThere(mounted, to, false));
  if (destination !== undefined) checkKinds(from, to, source, destination);
  if (source.isDirectory()) await checkNotInto(mounted, from, to, source);
  const parent = posix.dirname(to);
  await stating({ syscall: 'mkdir', path: parent }, () => makeDirectories(mounted, parent, 0o777));
  if (destination !== undefined && !overwrite) throw refused('EEXIST', from, to, 'dest already exists.');
  try {
    await renameEntry(mounted, from, to);
  } catch (error) {
    // In one step where the system can; a directory with something in it has to go first.
    if (hasErrno(error, 'EXDEV')) return moveAcross(mounted, from, to);
    if (!overwrite || !hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    await remove(mounted, to, { recursive: true, force: true });
    await renameEntry(mounted, from, to);
  }
}

/** Another file system is mounted in the volume. */
async function moveAcross(mounted: Mounted, from: string, to: string): Promise<void> {
  await copyTree(mounted, from, to, {
    dereference: false,
    errorOnExist: false,
    exclusive: false,
    filter: undefined,
    force: true,
    preserveTimestamps: true,
    recursive: true,
    verbatimSymlinks: true,
  });
  await remove(mounted, from, { recursive: true, force: true });
}

function refused(code: string, from: string, to: string, detail: string): Error {
  return asStated(errnoError(code, 'rename', from, to, { detail }));
}

function checkKinds(from: string, to: string, source: BigIntStats, destination: BigIntStats): void {
  if (source.dev === destination.dev && source.ino === destination.ino) {
    throw refused('EINVAL', from, to, 'Source and destination must not be the same.');
  }
  if (source.isDirectory() && !destination.isDirectory()) {
    throw refused('ENOTDIR', from, to, `Cannot overwrite non-directory '${to}' with directory '${from}'.`);
  }
  if (!source.isDirectory() && destination.isDirectory()) {
    throw refused('EISDIR', from, to, `Cannot overwrite directory '${to}' with non-directory '${from}'.`);
  }
}

/** By the text, and through links by what is there. */
async function checkNotInto(mounted: Mounted, from: string, to: string, source: BigIntStats): Promise<void> {
  const own = posix.resolve('/', from);
  for (let above = posix.resolve('/', to); above !== '/'; above = posix.dirname(above)) {
    const stats = above === own ? source : await lookIfThere(mounted, above, true);
    if (stats !== undefined && stats.dev === source.dev && stats.ino === source.ino) {
      throw refused('EINVAL', from, to, `Cannot move '${from}' to a subdirectory of itself, '${to}'.`);
    }
  }
}
