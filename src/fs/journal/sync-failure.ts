/** Failures after which nobody knows what is on the disk. */

import type { System } from '../../os/system.ts';
import { syncDirectory } from '../../os/replacing-file.ts';
import { hasErrno } from '../../errno.ts';

/**
 * A sync failed. The kernel may have dropped what it could not write and will not say so again, so the file must not be used
 * further before it has been read anew.
 */
export class SyncFailure extends Error {
  constructor(cause: unknown) {
    super('a sync failed', { cause });
    this.name = 'SyncFailure';
  }
}

export async function syncData(system: System, fd: number): Promise<void> {
  try {
    await system.fdatasync(fd);
  } catch (cause) {
    throw new SyncFailure(cause);
  }
}

/** Not having been able to open the directory is no failed sync. */
export async function syncEntries(system: System, directory: string): Promise<void> {
  try {
    await syncDirectory(system, directory);
  } catch (cause) {
    throw hasErrno(cause, 'EMFILE', 'ENFILE', 'ENOENT', 'EACCES', 'ENOMEM') ? cause : new SyncFailure(cause);
  }
}
