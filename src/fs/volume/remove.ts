/** Removing files, links, directories and whole trees. Links are removed, never followed. */

import { errnoError, fsSystemError, hasErrno } from '../../errno.ts';
import { isStaleTemporary, isTemporaryName } from '../../os/temporary-name.ts';
import { withPlace } from './attributes.ts';
import { asStated, stating } from './errors.ts';
import { visibleEntries } from './listing.ts';
import { makeDirectories } from './make-directories.ts';
import type { Mounted } from './mounted.ts';
import { splitPath } from './path-rules.ts';
import type { Place } from './paths.ts';

export function removeFile(mounted: Mounted, path: string): Promise<void> {
  return withPlace(mounted.paths.entry(path, 'absent'), ({ systemPath }) => unlink(mounted, systemPath));
}

function unlink({ leftJournals, system }: Mounted, systemPath: string): Promise<void> {
  return leftJournals.removing(systemPath, () => system.unlink(systemPath));
}

/** A directory that holds nothing but what dead processes left of files they were writing counts as empty. */
export function removeDirectory(mounted: Mounted, path: string): Promise<void> {
  checkNotRoot(path, 'rmdir');
  const { paths } = mounted;
  return withPlace(paths.entry(path, 'absent'), ({ systemPath }) => removeEmpty(mounted, systemPath));
}

async function removeEmpty(mounted: Mounted, systemPath: string): Promise<void> {
  const { system } = mounted;
  try {
    await system.rmdir(systemPath);
  } catch (error) {
    if (!hasErrno(error, 'ENOTEMPTY', 'EEXIST')) throw error;
    const entries = await system.readdir(systemPath);
    if (entries.length === 0 || !entries.every(({ name }) => isStaleTemporary(name))) throw error;
    for (const { name } of entries) await unlinkIfThere(mounted, `${systemPath}/${name}`);
    await system.rmdir(systemPath);
  }
}

async function unlinkIfThere(mounted: Mounted, systemPath: string): Promise<void> {
  await unlink(mounted, systemPath).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
  });
}

/** The root of the volume is where it is mounted: it stays. */
export function checkNotRoot(path: string, syscall: string): void {
  if (splitPath(path).isRoot) {
    throw errnoError('EBUSY', syscall, path, undefined, { detail: 'it is the root of the volume' });
  }
}

export interface RemoveRequest {
  readonly recursive: boolean;
  /** Nothing there is no error. */
  readonly force: boolean;
}

/** `fs.rm`. */
export async function remove(mounted: Mounted, path: string, request: RemoveRequest): Promise<void> {
  const { paths, system } = mounted;
  const { force, recursive } = request;
  try {
    const { name, slash } = splitPath(path);
    const bare = path.replace(/\/+$/, '') || path;
    const entry = await stating({ syscall: 'lstat', path }, () => paths.entry(bare, 'absent'));
    await withPlace(Promise.resolve(entry), async ({ systemPath }) => {
      const stats = await stating({ syscall: 'lstat', path }, () => system.lstat(systemPath));
      if (!stats.isDirectory()) {
        if (slash) throw await behindSlash(mounted, path, stats.isSymbolicLink() && !recursive);
        await stating({ syscall: 'unlink', path }, () => unlink(mounted, systemPath));
        return;
      }
      if (!recursive) throw isDirectoryError('rm', path, 'is a directory');
      checkNotRoot(path, 'rm');
      // What they lead to is not an entry of the directory that is held.
      if (name === '.' || name === '..') throw errnoError('EINVAL', 'rm');
      await withPlace(paths.directoryAt(entry), (directory) => clear(mounted, directory.systemPath));
      await system.rmdir(systemPath);
    });
  } catch (error) {
    if (!force || !hasErrno(error, 'ENOENT')) throw error;
  }
}

/** A slash behind a link means what it leads to, which is not removed through it. */
async function behindSlash({ paths }: Mounted, path: string, isLink: boolean): Promise<Error> {
  if (isLink) {
    await stating({ syscall: 'lstat', path }, () => withPlace(paths.follow(path), async () => {}));
    return isDirectoryError('rm', path, 'is a directory');
  }
  return asStated(errnoError('ENOTDIR', 'lstat', path));
}

/** `ERR_FS_EISDIR`, as `fs.rm` and `fs.cp` throw it. */
export function isDirectoryError(syscall: string, path: string, message: string): Error {
  return asStated(
    fsSystemError('ERR_FS_EISDIR', 'Path is a directory', { syscall, errno: 'EISDIR', path, message }),
  );
}

/** Removes everything in a directory that is held, hidden entries among it. */
async function clear(mounted: Mounted, systemDirectory: string): Promise<void> {
  const { system } = mounted;
  for (const { kind, name } of await system.readdir(systemDirectory)) {
    const systemPath = `${systemDirectory}/${name}`;
    if (kind === 'directory') await removeTree(mounted, systemPath);
    else await unlinkIfThere(mounted, systemPath);
  }
}

async function removeTree(mounted: Mounted, systemPath: string): Promise<void> {
  const { paths, system } = mounted;
  await withPlace(paths.directoryAt({ systemPath, relativePath: '' }), (directory) =>
    clear(mounted, directory.systemPath),
  );
  await system.rmdir(systemPath);
}

/** Removes all there is in a directory, or makes it. */
export async function emptyDirectory(mounted: Mounted, path: string): Promise<void> {
  let directory: Place;
  try {
    directory = await mounted.paths.follow(path);
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
    await makeDirectories(mounted, path, 0o777);
    return;
  }
  await withPlace(Promise.resolve(directory), async (place) => {
    const { system } = mounted;
    for (const { kind, name } of await visibleEntries(mounted, place)) {
      const systemPath = `${place.systemPath}/${name}`;
      if (kind === 'directory') await removeTree(mounted, systemPath);
      else await unlinkIfThere(mounted, systemPath);
    }
    for (const { name } of await system.readdir(place.systemPath)) {
      if (isTemporaryName(name) && isStaleTemporary(name))
        await unlinkIfThere(mounted, `${place.systemPath}/${name}`);
    }
  });
}
