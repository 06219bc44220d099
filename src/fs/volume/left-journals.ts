/**
 * Journals that were there when the volume was opened: left by writers that died, most of them. Opening their files uses
 * them up; when such a file is removed instead, its journal has to go with it.
 */

import { hex } from '../../bytes.ts';
import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import type { System } from '../../os/system.ts';
import { type FileEnvironment, writeLockName } from '../file/environment.ts';
import { findRegion } from '../header/find-region.ts';
import { journalPath } from '../journal/read-journal.ts';
import { readNoFollow } from './paths.ts';

export class LeftJournals {
  readonly #environment: FileEnvironment;
  readonly #names: Set<string>;

  private constructor(environment: FileEnvironment, names: Set<string>) {
    this.#environment = environment;
    this.#names = names;
  }

  static async list(environment: FileEnvironment): Promise<LeftJournals> {
    const { journalDirectory, system } = environment;
    const entries = await system.readdir(journalDirectory).catch(() => []); // it only tidies up
    return new LeftJournals(environment, new Set(entries.map(({ name }) => name)));
  }

  /** Runs `remove`, which takes its name from what lies at `systemPath`, and removes the journal that nobody needs then. */
  async removing(systemPath: string, remove: () => Promise<void>): Promise<void> {
    const { system } = this.#environment;
    const fd = this.#names.size === 0 ? undefined : await openIfReadable(system, systemPath);
    if (fd === undefined) return remove();
    try {
      const fileId = await this.#fileIdOf(fd);
      await remove();
      if (fileId === undefined || (await system.fstat(fd)).nlink > 0n) return;
      await this.#removeJournal(fileId, systemPath).catch(() => {}); // the file is gone as it was asked for
    } finally {
      await system.close(fd).catch(() => {});
    }
  }

  /** Of a file whose journal was left. */
  async #fileIdOf(fd: number): Promise<Uint8Array | undefined> {
    try {
      if (!(await this.#environment.system.fstat(fd)).isFile()) return undefined;
      const { fileId } = (await findRegion(this.#environment.system, fd, undefined)).header;
      return this.#names.has(hex(fileId)) ? fileId : undefined;
    } catch (error) {
      if (error instanceof VolsealError) return undefined; // not a sealed one
      throw error;
    }
  }

  /** Unless somebody has the file open for writing: then it is needed, and goes when they close it. */
  async #removeJournal(fileId: Uint8Array, path: string): Promise<void> {
    const { journalDirectory, locks, system } = this.#environment;
    const lock = await locks.acquire(writeLockName(fileId), { path });
    try {
      await system.unlink(journalPath(journalDirectory, fileId));
      this.#names.delete(hex(fileId));
    } finally {
      await lock.release();
    }
  }
}

async function openIfReadable(system: System, systemPath: string): Promise<number | undefined> {
  try {
    return await system.open(systemPath, readNoFollow);
  } catch (error) {
    // Who may not read a file may remove it all the same, and what is no file has no journal.
    if (hasErrno(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES', 'EPERM', 'ELOOP', 'ENXIO', 'ENODEV'))
      return undefined;
    throw error;
  }
}
