/** The state of a mutable body in its header (docs/format/v1.md §6.2). */

import { bytesEqual } from '../../bytes.ts';
import { type BodyState, emptyState } from '../../envelope/v1/copy.ts';
import { internalError } from '../../errors.ts';
import { bodyShape, type SegmentLayout } from '../../floe/layout.ts';

/** Of a body without plaintext: one segment that is nothing but overhead. */
export function emptyBodyState(layout: SegmentLayout): BodyState {
  return { ...emptyState, bodyBytes: layout.overheadBytes };
}

/** A state that a reader would refuse must not reach the disk. */
export function checkBodyState(state: BodyState, layout: SegmentLayout): BodyState {
  const { acc, bodyBytes, syncSeq } = state;
  const valid = Number.isSafeInteger(syncSeq) && syncSeq >= 0 && bytesEqual(acc, emptyState.acc);
  if (!valid || bodyShape(layout, bodyBytes) === undefined)
    throw internalError(`a body state of ${bodyBytes} bytes after sync ${syncSeq}`);
  return state;
}
