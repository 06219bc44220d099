/**
 * Where a FLOE body's bytes are: pure arithmetic, no cryptography, no I/O.
 *
 *     body = segment 0 ‖ segment 1 ‖ … ‖ last segment
 *     segment = u32 ‖ nonce ‖ ciphertext ‖ tag,  segmentBytes long; the last one overhead … segmentBytes
 *
 * All arithmetic is on safe integers by division: bit operations would be wrong from 2^31 on.
 */

import { VolsealError } from '../errors.ts';
import { maxSealedBytes, maxSegmentBytes, maxSegments, minFloeSegmentBytes } from '../limits.ts';
import { invalidArgument } from '../options.ts';

/** FLOE header: parameters (10) ‖ IV (32) ‖ header tag (32). */
export const floeHeaderBytes = 74;
export const parameterBytes = 10;
export const messageIvBytes = 32;
export const headerTagBytes = 32;
/** The length field in front of every segment. */
export const prefixBytes = 4;
/** What it says in every segment but the last, which says its own length. */
export const nonFinalPrefix = 0xffffffff;
export const tagBytes = 16;

export interface SegmentLayout {
  /** Sealed bytes of a whole segment (ENC_SEG_LEN). */
  readonly segmentBytes: number;
  /** Sealed bytes that are not ciphertext: prefix, nonce, tag. */
  readonly overheadBytes: number;
  /** Plaintext bytes of a whole segment. */
  readonly plainSegmentBytes: number;
}

export function segmentLayout(segmentBytes: number, nonceBytes: number): SegmentLayout {
  const overheadBytes = prefixBytes + nonceBytes + tagBytes;
  const lowest = Math.max(minFloeSegmentBytes, overheadBytes + 1);
  if (!Number.isInteger(segmentBytes) || segmentBytes < lowest || segmentBytes > maxSegmentBytes) {
    throw invalidArgument(`segmentBytes must be a whole number from ${lowest} to ${maxSegmentBytes}`);
  }
  return { segmentBytes, overheadBytes, plainSegmentBytes: segmentBytes - overheadBytes };
}

/** How many segments a body of so much plaintext has: at least one, and no empty last one after full ones. */
export function segmentCount(layout: SegmentLayout, plainBytes: number): number {
  return Math.max(1, Math.ceil(plainBytes / layout.plainSegmentBytes));
}

/** Sealed bytes of a body of `plainBytes`. */
export function bodyBytes(layout: SegmentLayout, plainBytes: number): number {
  if (!Number.isSafeInteger(plainBytes) || plainBytes < 0) {
    throw invalidArgument('plainBytes must be a whole number from 0');
  }
  const segments = segmentCount(layout, plainBytes);
  const total = plainBytes + segments * layout.overheadBytes;
  if (segments > maxSegments || total > maxSealedBytes) {
    throw new VolsealError('ERR_VOLSEAL_TOO_LARGE', `${plainBytes} bytes do not fit into one message`, {
      hint: 'choose larger segments or split the data',
    });
  }
  return total;
}

/** What a body of a given sealed size must look like. */
export interface BodyShape {
  readonly segments: number;
  /** Sealed bytes of the last segment. */
  readonly lastSegmentBytes: number;
  readonly plainBytes: number;
}

/** The only shape that a body of `sealedBytes` can have, or undefined when no body has that size. */
export function bodyShape(layout: SegmentLayout, sealedBytes: number): BodyShape | undefined {
  if (
    !Number.isSafeInteger(sealedBytes) ||
    sealedBytes < layout.overheadBytes ||
    sealedBytes > maxSealedBytes
  ) {
    return undefined;
  }
  const segments = Math.ceil(sealedBytes / layout.segmentBytes);
  const lastSegmentBytes = sealedBytes - (segments - 1) * layout.segmentBytes;
  if (lastSegmentBytes < layout.overheadBytes || segments > maxSegments) return undefined;
  return { segments, lastSegmentBytes, plainBytes: sealedBytes - segments * layout.overheadBytes };
}

/** Which segment holds a plaintext offset, and where in it. */
export function locate(
  layout: SegmentLayout,
  plainOffset: number,
): { position: number; offsetInSegment: number } {
  const offsetInSegment = plainOffset % layout.plainSegmentBytes;
  return { position: (plainOffset - offsetInSegment) / layout.plainSegmentBytes, offsetInSegment };
}
