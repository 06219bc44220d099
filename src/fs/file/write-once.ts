/** Write-once files, as far as they differ: their size is proven by their last segment, and nobody writes to them. */

import { errnoError } from '../../errno.ts';
import { type BodyShape, bodyShape } from '../../floe/layout.ts';
import type { FileHeader } from '../header/file-header.ts';
import type { Body } from './body.ts';
import { openPlaced, segmentOpener, truncatedFile } from './open-segment.ts';
import type { Placed } from './placed.ts';

const refusals = new WeakSet<Error>();

/** Opening a write-once file for writing: `rewriteAsMutable` has to come first. */
export function writeOnceError(path: string): Error {
  const error = errnoError('EPERM', 'open', path, undefined, { detail: 'it was written once and for all' });
  refusals.add(error);
  return error;
}

/** Whether `OpenFile` refused to open a write-once file for writing. */
export function isWriteOnceError(error: unknown): boolean {
  return error instanceof Error && refusals.has(error);
}

/**
 * Opens the last segment, which proves the size: a file that was cut between two segments is an error and not a short file.
 * @throws VolsealError `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_TRAILING_DATA`
 */
export async function verifyWriteOnce(
  header: FileHeader,
  body: Body,
  placed: Placed,
  fileBytes: number,
): Promise<BodyShape> {
  const { layout } = body;
  const open = segmentOpener(header);
  const sealedBytes = fileBytes - placed.regionBytes;
  const shape = bodyShape(layout, sealedBytes);
  if (shape === undefined) {
    // Too little follows the last whole segment: it was cut there, or the body ended before and something was appended.
    const before = Math.ceil(sealedBytes / layout.segmentBytes) - 2;
    if (before >= 0) (await openPlaced(placed, open, before, layout.segmentBytes, false)).fill(0);
    throw truncatedFile(fileBytes);
  }
  const last = shape.segments - 1;
  body.cache.put(last, await openPlaced(placed, open, last, shape.lastSegmentBytes, true));
  return shape;
}
