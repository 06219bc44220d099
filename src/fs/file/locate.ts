/** What a mutable file holds, from its header and its journal (docs/format/journal-v1.md §6). */

import { bytesEqual, hex } from '../../bytes.ts';
import { VolsealError } from '../../errors.ts';
import { type BodyShape, bodyShape } from '../../floe/layout.ts';
import { publishWarning } from '../../trace.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import { type FileHeader, openHeader } from '../header/file-header.ts';
import type { JournalIdentity } from '../journal/format.ts';
import type { JournalFindings } from '../journal/parse.ts';
import { readJournal } from '../journal/read-journal.ts';
import type { CommittedState } from './body.ts';
import { type FileEnvironment, writeLockName } from './environment.ts';

/** A file as others left it. */
export interface Located {
  readonly header: FileHeader;
  /** The header region as it was read. */
  readonly region: Uint8Array;
  readonly state: CommittedState;
  readonly shape: BodyShape;
  /** Sealed segments that count instead of those in the file. */
  readonly overlay: ReadonlyMap<number, Uint8Array>;
  readonly journal: 'absent' | 'pending' | 'useless';
}

export function journalIdentity(header: FileHeader): JournalIdentity {
  const { fileId, journalKey, layout, segments } = header;
  return { fileId, floeHeader: segments.floeHeader, layout, key: journalKey };
}

export async function journalOf(
  env: FileEnvironment,
  header: FileHeader,
): Promise<JournalFindings | undefined> {
  return readJournal(env.system, env.journalDirectory, journalIdentity(header), header.state.syncSeq);
}

/**
 * Weighs the journal against the header.
 * @throws VolsealError `ERR_VOLSEAL_JOURNAL_TAMPERED`, `ERR_VOLSEAL_UNSUPPORTED_VERSION`, `ERR_VOLSEAL_HEADER_INVALID`
 */
export function weigh(
  header: FileHeader,
  region: Uint8Array,
  findings: JournalFindings | undefined,
  path: string,
): Located {
  const pending = pendingState(header, findings, path);
  const state = pending ?? { syncSeq: header.state.syncSeq, bodyBytes: header.state.bodyBytes };
  const shape = bodyShape(header.layout, state.bodyBytes);
  if (shape === undefined) {
    throw new VolsealError('ERR_VOLSEAL_HEADER_INVALID', `no body has ${state.bodyBytes} bytes`, {
      hint: 'it was not written by volseal; restore the file from a backup',
    });
  }
  return {
    header,
    region,
    state,
    shape,
    overlay: pending === undefined ? new Map() : (findings as JournalFindings).overlay,
    journal: findings === undefined ? 'absent' : pending === undefined ? 'useless' : 'pending',
  };
}

function pendingState(
  header: FileHeader,
  findings: JournalFindings | undefined,
  path: string,
): CommittedState | undefined {
  if (findings === undefined) return undefined;
  if (findings.tamperedAt !== undefined) {
    throw new VolsealError(
      'ERR_VOLSEAL_JOURNAL_TAMPERED',
      'the journal of this file was changed: a record that is not authentic is followed by one that is',
      {
        hint: `restore the file, or its journal ${hex(header.fileId)} in .volseal/journal, from a backup`,
        offset: findings.tamperedAt,
      },
    );
  }
  if (findings.start === 'newer') {
    throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_VERSION', 'its journal is in an unknown format version', {
      hint: 'this volseal reads version 1; upgrade and try again',
    });
  }
  if (findings.start === 'foreign') {
    ignored('the journal with the id of this file belongs to another one; it was ignored', path);
    return undefined;
  }
  const { firstSyncSeq, state } = findings;
  if (state === undefined || firstSyncSeq === undefined) return undefined;
  // With a damaged copy the newer header may be the one that is lost.
  if (header.bothCopies && firstSyncSeq > header.state.syncSeq + 1) {
    throw new VolsealError(
      'ERR_VOLSEAL_JOURNAL_TAMPERED',
      'the journal of this file goes on from a newer version of it than the one that is here',
      {
        hint: `the file was put back without its journal: put both back, or remove ${hex(header.fileId)} from .volseal/journal to go on with the file as it is`,
      },
    );
  }
  if (state.syncSeq >= header.state.syncSeq) return state;
  ignored('the journal of this file is older than the file; it was ignored', path);
  return undefined;
}

function ignored(message: string, path: string): void {
  publishWarning({ code: 'journal-ignored', message, ...(path !== '' && { path }) });
}

/** Looks again so often, with so much time in between, while another process is writing. */
export const attempts = 5;
const pauseMs = 20;

/** Whether another process has the file open for writing. */
export async function writerIsLive(env: FileEnvironment, fileId: Uint8Array): Promise<boolean> {
  return (await env.locks.holder(writeLockName(fileId))) !== undefined;
}

export async function pause(): Promise<void> {
  await new Promise((resolve) => {
    setTimeout(resolve, pauseMs);
  });
}

/**
 * For a reader. The journal is read before the header that counts: a checkpoint in between leaves the header newer than the
 * journal, and then everything is in place.
 * @param known of the file, read earlier
 */
export async function locateForReading(
  env: FileEnvironment,
  fd: number,
  path: string,
  known: { readonly header: FileHeader; readonly region: Uint8Array },
): Promise<Located> {
  let { header, region } = known;
  const replaceHeader = (next: FileHeader): void => {
    if (header !== known.header) header.wipe();
    header = next;
  };
  try {
    for (let attempt = 1; ; attempt++) {
      const findings = await journalOf(env, header);
      const again = await readUpTo(env.system, fd, new Uint8Array(region.length), 0);
      const headerChanged = !bytesEqual(again, region);
      if (headerChanged) {
        replaceHeader(await openHeader(env.system, env.keyring, fd, again, path));
        checkSameFile(header, known.header);
        region = again;
      }
      if (attempt < attempts) {
        // What was caught while a checkpoint went on is no sign of anything.
        if (headerChanged) continue;
        if (findings?.tamperedAt !== undefined && (await writerIsLive(env, header.fileId))) {
          await pause();
          continue;
        }
      }
      return weigh(header, region, findings, path);
    }
  } catch (error) {
    replaceHeader(known.header);
    throw error;
  }
}

function checkSameFile(header: FileHeader, before: FileHeader): void {
  if (header.kind === before.kind && bytesEqual(header.fileId, before.fileId)) return;
  throw new VolsealError(
    'ERR_VOLSEAL_HEADER_CONFLICT',
    'the file was overwritten by another one while it was open',
    {
      hint: 'something other than volseal writes to it; replace files by rename, or restore it from a backup',
    },
  );
}
