/** Reading the journal of a file from the disk. */

import { constants } from 'node:fs';
import { join } from 'node:path';

import { hex } from '../../bytes.ts';
import { hasErrno } from '../../errno.ts';
import type { System } from '../../os/system.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import type { JournalIdentity } from './format.ts';
import { type JournalFindings, maxRequestBytes, parseJournal } from './parse.ts';

export function journalPath(directory: string, fileId: Uint8Array): string {
  return join(directory, hex(fileId));
}

/**
 * What the journal of a file says; undefined when it has none. Without permission to read it the error is thrown: nobody can
 * know then what the file holds.
 */
export async function readJournal(
  system: System,
  directory: string,
  identity: JournalIdentity,
  headerSyncSeq: number,
): Promise<JournalFindings | undefined> {
  let fd: number;
  try {
    fd = await system.open(
      journalPath(directory, identity.fileId),
      // A FIFO that somebody put here must not be waited for.
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
  try {
    return await feed(system, fd, identity, headerSyncSeq);
  } finally {
    await system.close(fd);
  }
}

/** Answers the parser from a window over the file: most of what it asks for lies next to what it asked for before. */
async function feed(
  system: System,
  fd: number,
  identity: JournalIdentity,
  headerSyncSeq: number,
): Promise<JournalFindings> {
  let journalBytes = Number((await system.fstat(fd)).size);
  let buffer = Buffer.allocUnsafeSlow(Math.min(maxRequestBytes, journalBytes));
  for (;;) {
    let window: Uint8Array = buffer.subarray(0, 0);
    let windowAt = 0;
    let cutTo: number | undefined;
    const parsing = parseJournal(identity, journalBytes, headerSyncSeq);
    let step = parsing.next();
    while (step.done !== true) {
      const { length, offset } = step.value;
      if (offset < windowAt || offset + length > windowAt + window.length) {
        window = await readUpTo(
          system,
          fd,
          buffer.subarray(0, Math.min(buffer.length, journalBytes - offset)),
          offset,
        );
        windowAt = offset;
        if (window.length < length) {
          cutTo = offset + window.length;
          break;
        }
      }
      step = parsing.next(window.subarray(offset - windowAt, offset - windowAt + length));
    }
    if (step.done === true) return step.value;
    // Its writer has cut it since: what is left is looked at afresh.
    journalBytes = Math.min(journalBytes - 1, cutTo as number);
    buffer = buffer.subarray(0, Math.min(buffer.length, journalBytes));
  }
}
