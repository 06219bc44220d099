/** The journal of one file that is open for writing: its records are the commit points (docs/format/journal-v1.md §5). */

import { constants } from 'node:fs';
import { dirname } from 'node:path';

import { hasErrno } from '../../errno.ts';
import type { System } from '../../os/system.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import { makePrivateDirectory } from '../../os/private-directory.ts';
import { encodeRecord, encodeStart, type JournalIdentity, type SyncRecord } from './format.ts';
import { journalPath } from './read-journal.ts';
import { syncData, syncEntries } from './sync-failure.ts';

export interface JournalAccess {
  /** Permission bits: who may read the file must be able to read its journal. */
  readonly mode: number;
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A journal that has grown further is cut when it begins anew. */
const mostKeptBytes = 8 * 2 ** 20;
/** It is not extended ahead of its records beyond this: a checkpoint comes before. */
const mostExtendedBytes = 4 * 2 ** 20 + 65_536;
/** Shorter records are joined: one part is written, and its MAC computed, faster than many. */
const joinedBytes = 65_536;
/** Memory for them, taken by one append at a time. What is in it is sealed. */
const scratches: Uint8Array[] = [];
const mostScratches = 4;

export class JournalWriter {
  readonly #system: System;
  readonly #directory: string;
  readonly #path: string;
  readonly #identity: JournalIdentity;
  readonly #start: Uint8Array;
  readonly #access: JournalAccess;
  #fd: number | undefined;
  #entryIsDurable = false;
  /** How long the records are that count, with the start record. */
  #bytes = 0;
  /** How long the file is; what lies behind the records that count is none that does. */
  #fileBytes = 0;
  #previous: Uint8Array;

  constructor(system: System, directory: string, identity: JournalIdentity, access: JournalAccess) {
    this.#system = system;
    this.#directory = directory;
    this.#path = journalPath(directory, identity.fileId);
    this.#identity = identity;
    this.#start = encodeStart(identity);
    this.#access = access;
    this.#previous = this.#start;
  }

  /** Bytes of durable records, with the start record; 0 when there is none. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Appends a record and makes it durable. When it fails with an error of the system the records before still stand, and it
   * may be tried again; after a {@link SyncFailure} nothing is known.
   */
  async append(record: SyncRecord): Promise<void> {
    const fd = this.#fd ?? (await this.#create());
    if (!this.#entryIsDurable) {
      await syncEntries(this.#system, this.#directory);
      this.#entryIsDurable = true;
    }
    const isFirst = this.#bytes === 0;
    const start = isFirst ? this.#start : undefined;
    const scratch = scratches.pop() ?? new Uint8Array(joinedBytes);
    const into = (bytes: number): Uint8Array | undefined =>
      bytes > joinedBytes ? undefined : scratch.subarray(0, bytes);
    const encoded = encodeRecord(this.#identity.key, this.#previous, record, { start, into });
    const end = this.#bytes + encoded.bytes;
    try {
      if (!isFirst && end > this.#fileBytes) await this.#extend(fd, end);
      await writeAll(this.#system, fd, encoded.parts, this.#bytes);
    } finally {
      if (scratches.length < mostScratches) scratches.push(scratch);
    }
    await syncData(this.#system, fd);
    this.#bytes = end;
    this.#fileBytes = Math.max(this.#fileBytes, end);
    this.#previous = encoded.mac;
  }

  /**
   * Zeros ahead of the records, twice as far each time: a sync that writes over blocks which are there has no metadata to
   * write.
   */
  async #extend(fd: number, end: number): Promise<void> {
    const target = Math.min(2 * end, mostExtendedBytes);
    if (target <= end) return;
    try {
      await writeAll(this.#system, fd, [new Uint8Array(target - this.#fileBytes)], this.#fileBytes);
      this.#fileBytes = target;
    } catch (error) {
      // For the record itself there may still be room.
      if (!hasErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    }
  }

  async #create(): Promise<number> {
    const flags = constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY | constants.O_NOFOLLOW;
    const { mode, owner } = this.#access;
    let fd: number;
    try {
      fd = await this.#system.open(this.#path, flags, mode);
    } catch (error) {
      if (!hasErrno(error, 'ENOENT')) throw error;
      await this.#makeDirectory();
      fd = await this.#system.open(this.#path, flags, mode);
    }
    this.#fd = fd;
    if (owner !== undefined) await this.#system.fchown(fd, owner.uid, owner.gid);
    return fd;
  }

  /** A volume that was copied without its empty directories lacks it. */
  async #makeDirectory(): Promise<void> {
    await makePrivateDirectory(this.#system, this.#directory, this.#access.owner);
    await syncEntries(this.#system, dirname(this.#directory));
  }

  /**
   * Everything in it stands in the file now, durably, and the header says so: the next record is the first one again, and
   * is written over the old ones. They do not count any more, since the header has overtaken them.
   */
  async clear(): Promise<void> {
    this.#bytes = 0;
    this.#previous = this.#start;
    if (this.#fd === undefined || this.#fileBytes <= mostKeptBytes) return;
    this.#fileBytes = 0;
    await this.#system.ftruncate(this.#fd, 0);
  }

  /** When everything in it stands in the file: removes it. */
  async remove(): Promise<void> {
    if (this.#fd === undefined) return;
    try {
      await this.#system.ftruncate(this.#fd, 0);
      await this.#system.unlink(this.#path);
    } finally {
      await this.close();
    }
  }

  /** Closes it as it is, for whoever opens the file next. */
  async close(): Promise<void> {
    const fd = this.#fd;
    this.#fd = undefined;
    this.#bytes = 0;
    if (fd !== undefined) await this.#system.close(fd);
  }
}

/** Removes the journal of a file that is gone for good, or one that says nothing. It is no error when there is none. */
export async function removeJournal(system: System, directory: string, fileId: Uint8Array): Promise<void> {
  try {
    await system.unlink(journalPath(directory, fileId));
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw error;
  }
}
