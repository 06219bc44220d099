/** Taking a file over from a writer that is gone (docs/format/journal-v1.md §7). The caller holds the write lock. */

import type { BigIntStats } from 'node:fs';

import { bytesEqual } from '../../bytes.ts';
import { emptyState } from '../../envelope/v1/copy.ts';
import { uninitialised } from '../../memory.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import { type FileHeader, openHeader } from '../header/file-header.ts';
import { removeJournal } from '../journal/journal-writer.ts';
import { syncEntries } from '../journal/sync-failure.ts';
import { type FileEnvironment, lockHeader } from './environment.ts';
import { journalOf, type Located, weigh } from './locate.ts';
import { openPlaced, segmentOpener, truncatedFile } from './open-segment.ts';
import { Placed } from './placed.ts';

/** The header may have changed before the lock was taken. */
export interface KnownHeader {
  readonly header: FileHeader;
  readonly region: Uint8Array;
}

export interface Recovered {
  readonly located: Located;
  readonly stats: BigIntStats;
  /** The first bytes of the file. */
  readonly start: Uint8Array | undefined;
}

/**
 * Makes the file on the disk what its journal says, so that it needs none.
 * @param startBytes how much of the file is to be read along with the header
 */
export async function recover(
  env: FileEnvironment,
  fd: number,
  path: string,
  known: KnownHeader,
  startBytes: number,
): Promise<Recovered> {
  const { system } = env;
  const start = await readUpTo(system, fd, uninitialised(startBytes), 0);
  const region = start.subarray(0, known.region.length);
  let { header } = known;
  if (!bytesEqual(region, known.region)) header = await openHeader(system, env.keyring, fd, start, path);
  try {
    const stats = await system.fstat(fd);
    const located = weigh(header, region, await journalOf(env, header), path);
    const changed = await settle(env, fd, path, located, Number(stats.size));
    return { located, stats, start: changed ? undefined : start };
  } catch (error) {
    if (header !== known.header) header.wipe();
    throw error;
  }
}

/** @returns whether the file was changed */
async function settle(
  env: FileEnvironment,
  fd: number,
  path: string,
  located: Located,
  fileBytes: number,
): Promise<boolean> {
  const { header, journal, overlay, state } = located;
  const { system } = env;
  const bodyEnd = header.regionBytes + state.bodyBytes;
  const placedEnd = endOfPlaced(located);
  if (fileBytes < placedEnd) throw truncatedFile(fileBytes);
  const placed = new Placed(system, fd, header.regionBytes, header.layout);
  // Bytes behind the body are cut off only when the body is seen to end there: an old header copy must not cost data.
  if (fileBytes > bodyEnd) await verifyLast(located, placed);
  if (journal === 'pending') {
    const indexes = [...overlay.keys()].sort((a, b) => a - b);
    await placed.write(indexes.map((index) => ({ index, parts: [overlay.get(index) as Uint8Array] })));
    if (fileBytes > bodyEnd) await placed.cutTo(state.bodyBytes);
    await saveState(env, path, located, placed);
  } else if (fileBytes > bodyEnd) {
    await placed.cutTo(state.bodyBytes);
  }
  if (journal !== 'absent') {
    await removeJournal(system, env.journalDirectory, header.fileId);
    // What comes next is not journalled, so the old journal must not be there again after a crash.
    if (env.durability === 'none') await syncEntries(system, env.journalDirectory);
  }
  return journal === 'pending' || fileBytes > bodyEnd;
}

/** Up to where the file must reach: the end of the last segment that is not in the overlay. */
function endOfPlaced({ header, overlay, state }: Located): number {
  const { layout, regionBytes } = header;
  let end = state.bodyBytes;
  for (let index = Math.ceil(end / layout.segmentBytes) - 1; index >= 0 && overlay.has(index); index--)
    end = index * layout.segmentBytes;
  return end === 0 ? 0 : regionBytes + end;
}

async function verifyLast({ header, overlay, shape }: Located, placed: Placed): Promise<void> {
  const index = shape.segments - 1;
  const open = segmentOpener(header);
  const inJournal = overlay.get(index);
  const plain =
    inJournal === undefined
      ? await openPlaced(placed, open, index, shape.lastSegmentBytes, true)
      : open(inJournal, index, true, placed.fileOffsetOf(index));
  plain.fill(0);
}

async function saveState(
  env: FileEnvironment,
  path: string,
  { header, state }: Located,
  placed: Placed,
): Promise<void> {
  // Also when it says so already: after a sync that failed, what is read back may be in memory alone, and the kernel takes
  // it for written.
  const lock = await lockHeader(env, header.fileId, path);
  try {
    const before = header.state.bodyBytes;
    const write = async (): Promise<void> =>
      header.writeState(env.system, placed.fd, { ...state, acc: emptyState.acc });
    await write();
    await placed.sync();
    // As at the last checkpoint: whichever half is damaged later, the other one says the same length.
    if (before !== state.bodyBytes) await write().catch(() => {});
  } finally {
    await lock.release();
  }
}
