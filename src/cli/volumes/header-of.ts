/** The header of a file on the disk, without keys, by one read of as much as it needs. */

import { constants } from 'node:fs';
import { open } from 'node:fs/promises';

import { describeHeader, type Inspection } from '../../envelope/inspect.ts';
import { findHeader, headerBytesNeeded } from '../../envelope/region.ts';
import { maxRegionBytes } from '../../limits.ts';
import { readFully } from '../../stream/file-bytes.ts';
import { inTermsOf } from './failures.ts';

/** What most headers have, and a sector of the disk. */
const firstReadBytes = 4_096;

/** @throws VolsealError as the library's `inspect` */
export async function headerOf(path: string): Promise<Inspection> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW);
    try {
      const { size } = await handle.stat();
      let start = await readFully(handle, new Uint8Array(firstReadBytes), 0);
      const needed = Math.min(headerBytesNeeded(start), maxRegionBytes);
      if (needed > start.length) start = await readFully(handle, new Uint8Array(needed), 0);
      return describeHeader(findHeader(start), size);
    } finally {
      await handle.close();
    }
  } catch (error) {
    throw inTermsOf(path, error);
  }
}
