/** The header region of an open descriptor. */

import { findHeader, type HeaderRegion, headerBytesNeeded } from '../../envelope/region.ts';
import { VolsealError } from '../../errors.ts';
import { maxRegionBytes, minProviderRegionBytes } from '../../limits.ts';
import type { System } from '../../os/system.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';

/**
 * Finds the header, of which nothing is authenticated yet. A writer may be in the middle of a half while it is read: what
 * looks damaged is read once more before it is believed.
 * @param start the first bytes of the file, when they have been read already
 * @throws VolsealError as `findHeader`; errors of the system
 */
export async function findRegion(
  system: System,
  fd: number,
  start: Uint8Array | undefined,
): Promise<HeaderRegion> {
  try {
    const region = findHeader(await readStart(system, fd, start));
    if (region.goodCopies.length === 2) return region;
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_HEADER_DAMAGED') throw error;
  }
  return findHeader(await readStart(system, fd, undefined));
}

/** As many bytes as the header needs, or all there is. */
async function readStart(system: System, fd: number, start: Uint8Array | undefined): Promise<Uint8Array> {
  let bytes = start ?? (await readUpTo(system, fd, new Uint8Array(minProviderRegionBytes), 0));
  for (;;) {
    const needed = headerBytesNeeded(bytes);
    if (bytes.length >= needed) return bytes.subarray(0, maxRegionBytes);
    const more = await readUpTo(system, fd, new Uint8Array(needed), 0);
    if (more.length <= bytes.length) return more;
    bytes = more;
  }
}
