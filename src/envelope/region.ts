/** Finding the header in the first bytes of an input: which copies are there, and which one holds (docs/format/v1.md §7, steps 1 to 4). */

import { bytesEqual } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { maxRegionBytes, minRegionBytes } from '../limits.ts';
import {
  type CopyFinding,
  copyPrefixBytes,
  findCopy,
  type HeaderCopy,
  readPrefix,
  sameContent,
  sameIdentity,
} from './v1/copy.ts';
import { magic, version } from './v1/constants.ts';

const secondHalfOffsets = [1_024, 2_048, 4_096, 8_192, 16_384, 32_768] as const;

export type CopyState = 'good' | 'damaged' | 'absent';

export interface HeaderRegion {
  readonly regionBytes: number;
  /** The copy with the higher generation. Not authenticated yet. */
  readonly header: HeaderCopy;
  /** Every copy whose checksum matches, this one among them. */
  readonly goodCopies: readonly HeaderCopy[];
  /** For both halves, in order. */
  readonly states: readonly [CopyState, CopyState];
}

/**
 * How many bytes from the start of the input are needed before {@link findHeader} can decide. Grows while the input
 * does not explain itself, never past 65,536.
 */
export function headerBytesNeeded(bytes: Uint8Array): number {
  if (bytes.length < copyPrefixBytes) return copyPrefixBytes;
  const prefix = readPrefix(bytes);
  if (prefix?.version !== version || prefix.halfIndex !== 0 || prefix.regionBytes === undefined)
    return maxRegionBytes;
  if (bytes.length < prefix.regionBytes) return prefix.regionBytes;
  // A damaged first half can name the wrong region size.
  return checkedState(bytes) === 'good' ? prefix.regionBytes : maxRegionBytes;
}

function checkedState(bytes: Uint8Array): CopyFinding['state'] {
  try {
    return findCopy(bytes, 0).state;
  } catch {
    return 'good'; // its checksum matches; findHeader will say what is wrong with it
  }
}

/**
 * @param bytes the start of the input: at least {@link headerBytesNeeded} bytes, or all there is
 * @throws VolsealError `ERR_VOLSEAL_NOT_SEALED`, `ERR_VOLSEAL_UNSUPPORTED_VERSION`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE`,
 *   `ERR_VOLSEAL_HEADER_DAMAGED`, `ERR_VOLSEAL_HEADER_INVALID`, `ERR_VOLSEAL_HEADER_CONFLICT`, `ERR_VOLSEAL_TRUNCATED`
 */
export function findHeader(bytes: Uint8Array): HeaderRegion {
  const first = findCopy(bytes, 0);
  const second =
    first.state === 'good' ? secondAt(bytes, first.copy.regionBytes / 2, first.copy) : probeSecond(bytes);
  const goodCopies = [first, second].flatMap((finding) => (finding.state === 'good' ? [finding.copy] : []));
  const [a, b] = goodCopies;
  if (a === undefined) throw noGoodCopy(bytes);
  if (b !== undefined) {
    if (!sameIdentity(a, b) || (a.generation === b.generation && !sameContent(a, b))) {
      throw new VolsealError(
        'ERR_VOLSEAL_HEADER_CONFLICT',
        'the two copies of the header contradict each other',
        {
          hint: 'one of them was put in from elsewhere; restore the file from a backup',
        },
      );
    }
  }
  const header = b !== undefined && b.generation > a.generation ? b : a;
  if (bytes.length < header.regionBytes) throw truncatedHeader(bytes.length);
  return { regionBytes: header.regionBytes, header, goodCopies, states: [stateOf(first), stateOf(second)] };
}

function stateOf(finding: CopyFinding): CopyState {
  return finding.state === 'unknown-version' ? 'damaged' : finding.state;
}

function secondAt(bytes: Uint8Array, offset: number, first?: HeaderCopy): CopyFinding {
  // The half ends where the region does: what follows is body.
  return findCopy(bytes.subarray(offset, 2 * offset), 1, first);
}

/**
 * With the first half damaged, the second one says itself where it belongs. Of several the one furthest back counts: what
 * looks like a copy before it can be text of a context, while nothing of the true half reaches the next place.
 */
function probeSecond(bytes: Uint8Array): CopyFinding {
  let other: CopyFinding = { state: 'absent' };
  for (const offset of secondHalfOffsets.toReversed()) {
    const prefix = readPrefix(bytes.subarray(offset));
    if (prefix === undefined) continue;
    const misplaced = prefix.version === version && prefix.regionBytes !== offset * 2;
    const finding: CopyFinding = misplaced ? { state: 'damaged' } : secondAt(bytes, offset);
    if (finding.state === 'good') return finding;
    if (other.state === 'absent') other = finding;
  }
  return other;
}

function noGoodCopy(bytes: Uint8Array): VolsealError {
  const places = [0, ...secondHalfOffsets].filter((offset) => startsWithMagic(bytes.subarray(offset)));
  if (places.length === 0) {
    return new VolsealError('ERR_VOLSEAL_NOT_SEALED', 'this is not data that volseal sealed', {
      hint: 'it may be plaintext, or the start of it may be missing',
    });
  }
  for (const offset of places) {
    const prefix = readPrefix(bytes.subarray(offset));
    if (prefix === undefined || prefix.version === version) continue;
    return new VolsealError('ERR_VOLSEAL_UNSUPPORTED_VERSION', `it is in format version ${prefix.version}`, {
      hint: 'this volseal reads version 1; upgrade and try again',
    });
  }
  if (places.some((offset) => endsInsideRegion(bytes, offset))) return truncatedHeader(bytes.length);
  return new VolsealError('ERR_VOLSEAL_HEADER_DAMAGED', 'both copies of the header are damaged', {
    hint: 'restore the file from a backup; without a header the data cannot be opened',
  });
}

function startsWithMagic(half: Uint8Array): boolean {
  return bytesEqual(half.subarray(0, magic.length), magic);
}

/** Whether the input is shorter than the region of the half with the magic at `offset`; than any if that cannot be read. */
function endsInsideRegion(bytes: Uint8Array, offset: number): boolean {
  const prefix = readPrefix(bytes.subarray(offset));
  if (prefix === undefined) return true;
  const inPlace = offset === 0 || (prefix.halfIndex === 1 && prefix.regionBytes === 2 * offset);
  return bytes.length < ((inPlace ? prefix.regionBytes : undefined) ?? minRegionBytes);
}

function truncatedHeader(offset: number): VolsealError {
  return new VolsealError('ERR_VOLSEAL_TRUNCATED', 'the sealed data ends inside its header', {
    hint: 'the copy or upload was cut short; fetch it again or restore it from a backup',
    offset,
  });
}
