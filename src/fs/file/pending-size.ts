/** The plaintext size of a file that need not be open: what `stat` reports of a path. */

import { type HeaderRegion, findHeader } from '../../envelope/region.ts';
import { bodyKinds, bodyUse } from '../../envelope/v1/constants.ts';
import { bodyShape } from '../../floe/layout.ts';
import { parseFloeParameters } from '../../floe/parameters.ts';
import { hasErrno } from '../../errno.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import { openHeader } from '../header/file-header.ts';
import { findRegion } from '../header/find-region.ts';
import { journalPath } from '../journal/read-journal.ts';
import type { FileEnvironment } from './environment.ts';
import { locateForReading } from './locate.ts';
import { truncatedFile } from './open-segment.ts';

/**
 * The size of a file in plaintext bytes, by its header and, when it has a journal, by the last valid record of that. A header
 * without a journal is not verified: no key is touched.
 * @throws VolsealError the codes of docs/format/v1.md §8 that concern a header; errors of the system
 */
export async function plainSizeOf(env: FileEnvironment, fd: number): Promise<number> {
  const { system } = env;
  let region = await findRegion(system, fd, undefined);
  const { header } = region;
  if (header.bodyKind !== bodyKinds.mutable) {
    const fileBytes = Number((await system.fstat(fd)).size);
    return sizeBy(region, fileBytes - region.regionBytes, fileBytes);
  }
  const path = journalPath(env.journalDirectory, header.fileId);
  const hasJournal = await system.lstat(path).then(
    () => true,
    (error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    },
  );
  const bytes = await readUpTo(system, fd, new Uint8Array(region.regionBytes), 0);
  if (hasJournal) return sizeByJournal(env, fd, bytes);
  // It may have been removed just now, because everything in it is in place: the header says so since then.
  region = findHeader(bytes);
  return sizeBy(region, region.header.state.bodyBytes, region.regionBytes);
}

function sizeBy({ header }: HeaderRegion, bodyBytes: number, fileBytes: number): number {
  const { layout } = parseFloeParameters(header.floeHeader, bodyUse(header.bodyKind));
  const shape = bodyShape(layout, bodyBytes);
  if (shape === undefined) throw truncatedFile(fileBytes);
  return shape.plainBytes;
}

async function sizeByJournal(env: FileEnvironment, fd: number, region: Uint8Array): Promise<number> {
  const header = await openHeader(env.system, env.keyring, fd, region);
  try {
    const located = await locateForReading(env, fd, '', { header, region });
    if (located.header !== header) located.header.wipe();
    return located.shape.plainBytes;
  } finally {
    header.wipe();
  }
}
