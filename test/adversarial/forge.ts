/** What someone without a key can do to a sealed file: change, cut, join, and make checksums match again. On copies. */

import { referenceCrc32c } from '../reference/crc32c.ts';
import { viewOf } from './sealed-map.ts';

const trailerBytes = 36;

/** Flips bits of one byte. */
export function flip(bytes: Uint8Array, offset: number, mask = 0xff): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed[offset] = (changed[offset] as number) ^ mask;
  return changed;
}

/** Puts other bytes at an offset. */
export function put(bytes: Uint8Array, offset: number, replacement: Uint8Array): Uint8Array {
  const changed = Uint8Array.from(bytes);
  changed.set(replacement, offset);
  return changed;
}

export function join(...parts: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

const halfStart = (sealed: Uint8Array, half: 0 | 1, regionBytes: number): number => (half * regionBytes) / 2;

/** Copy length as the copy itself states it, cut to what is there. */
function copyAt(sealed: Uint8Array, start: number): Uint8Array {
  return sealed.subarray(start, start + viewOf(sealed).getUint32(start + 12));
}

/** Makes the checksum of the copy at `start` match what the copy says now. */
function fixChecksumAt(sealed: Uint8Array, start: number): void {
  const copy = copyAt(sealed, start);
  const crcAt = copy.length - trailerBytes;
  const covered = join(copy.subarray(0, crcAt), copy.subarray(crcAt + 4));
  viewOf(copy).setUint32(crcAt, referenceCrc32c(covered));
}

export type Halves = readonly (0 | 1)[];

/** Makes the checksums of these halves match again, as anyone can. */
export function rechecksum(sealed: Uint8Array, regionBytes: number, halves: Halves): Uint8Array {
  const changed = Uint8Array.from(sealed);
  for (const half of halves) fixChecksumAt(changed, halfStart(changed, half, regionBytes));
  return changed;
}

/**
 * Replaces `remove` bytes of the copy at `start` by `insert`; what follows in the copy moves, the copy length follows,
 * and so does the checksum. The half keeps its place.
 */
export function resizeCopy(
  sealed: Uint8Array,
  start: number,
  offset: number,
  remove: number,
  insert: Uint8Array,
): Uint8Array {
  const changed = Uint8Array.from(sealed);
  const copy = Uint8Array.from(copyAt(changed, start));
  const resized = join(copy.subarray(0, offset - start), insert, copy.subarray(offset - start + remove));
  changed.fill(0, start, start + copy.length);
  changed.set(resized, start);
  viewOf(changed).setUint32(start + 12, resized.length);
  fixChecksumAt(changed, start);
  return changed;
}
