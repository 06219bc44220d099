/** Where a new content goes, and whether somebody is still writing to what is there. */

import type { BigIntStats } from 'node:fs';

import { errnoError, hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { makeTemporaryFile, type TemporaryFile } from '../../os/replacing-file.ts';
import type { System } from '../../os/system.ts';
import { writeLockName } from '../file/environment.ts';
import { findRegion } from '../header/find-region.ts';
import { describeHolder } from '../locks/file-locks.ts';
import type { Mounted } from './mounted.ts';
import { type Entry, readNoFollow } from './paths.ts';

/** The name that is made or replaced. To be released. */
export interface Destination extends Entry {
  /** What is there now. */
  readonly known: BigIntStats | 'absent';
  /** It must not be there, also when somebody else makes it meanwhile. */
  readonly exclusive: boolean;
  /** For the new content, when one was asked for and nothing speaks against it. */
  readonly temporary?: TemporaryFile | undefined;
}

/**
 * Finds out where the content of a path goes. Links are followed, unless it must be a new file.
 * @param temporaryMode makes a temporary file of this mode in the directory; the caller takes it over
 * @throws errno ENOENT, ENOTDIR, ELOOP; EISDIR for a directory; EEXIST; EINVAL for what is not a regular file or for a
 *   reserved name; VolsealError `ERR_VOLSEAL_OUTSIDE_VOLUME`
 */
export async function destinationOf(
  { paths, system }: Mounted,
  path: string,
  exclusive: boolean,
  temporaryMode?: number,
): Promise<Destination> {
  let entry = await paths.entry(path, 'refused');
  try {
    // What makes files does not look at what is there when the path asks for a directory.
    if (entry.slash) throw errnoError('EISDIR', 'open');
    for (let links = 0; ; links++) {
      const known = await system.lstat(entry.systemPath).catch((error: unknown): 'absent' => {
        if (hasErrno(error, 'ENOENT')) return 'absent';
        throw error;
      });
      if (known !== 'absent' && exclusive) throw errnoError('EEXIST', 'open');
      if (known === 'absent' || !known.isSymbolicLink()) {
        checkKind(known);
        // Not before: what is refused must not have touched the directory.
        const temporary =
          temporaryMode === undefined
            ? undefined
            : await makeTemporaryFile(system, entry.systemDirectory, temporaryMode);
        return { ...entry, known, exclusive, temporary };
      }
      if (links === mostLinks) throw errnoError('ELOOP', 'open');
      const next = await paths.linked(entry, await system.readlink(entry.systemPath), path, 'refused');
      await entry.release();
      entry = next;
    }
  } catch (error) {
    await entry.release();
    throw error;
  }
}

/** As many links in a row as Linux follows. */
const mostLinks = 40;

function checkKind(known: BigIntStats | 'absent'): void {
  if (known === 'absent') return;
  if (known.isDirectory()) throw errnoError('EISDIR', 'open');
  if (!known.isFile()) {
    throw errnoError('EINVAL', 'open', undefined, undefined, { detail: 'it is not a regular file' });
  }
}

/**
 * Looks at the file that a new content would replace. One that is open for writing in this process may be: its handles
 * keep what they have open, as on any POSIX system.
 * @throws errno EBUSY with `holderPid` while another process writes to it: what it writes later would be lost
 */
export async function checkReplaceable(
  { environment, files, system }: Mounted,
  { known, systemPath }: Destination,
): Promise<void> {
  if (known === 'absent' || files.find(known)?.writable === true) return;
  const fileId = await fileIdAt(system, systemPath);
  if (fileId === undefined) return;
  const holder = await environment.locks.holder(writeLockName(fileId));
  if (holder === undefined) return;
  const detail = `it is open for writing: held by ${describeHolder(holder)}`;
  throw errnoError('EBUSY', 'open', undefined, undefined, { detail, holderPid: holder.pid });
}

async function fileIdAt(system: System, systemPath: string): Promise<Uint8Array | undefined> {
  let descriptor: number;
  try {
    descriptor = await system.open(systemPath, readNoFollow);
  } catch (error) {
    // Whoever may not read it may replace it all the same.
    if (hasErrno(error, 'ENOENT', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
  try {
    return (await findRegion(system, descriptor, undefined)).header.fileId;
  } catch (error) {
    if (error instanceof VolsealError) return undefined; // a plaintext file, or one that nobody can open any more
    throw error;
  } finally {
    await system.close(descriptor);
  }
}
