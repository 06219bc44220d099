/** Opening segments whose finality comes from the end of the input, and saying what is wrong when they do not open (docs/format/v1.md §7, step 9). */

import { VolsealError } from '../errors.ts';
import { claimedFinalBytes, type FloeDecryptor } from './decryptor.ts';

/**
 * Opens a segment.
 * @param final whether the input ends with it
 * @param offset where it begins, for errors
 * @throws VolsealError `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_TRAILING_DATA`
 */
export function openChecked(
  decryptor: FloeDecryptor,
  sealed: readonly Uint8Array[],
  position: number,
  final: boolean,
  offset: number,
): Uint8Array[] {
  try {
    return decryptor.openSegmentParts(sealed, position, final);
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_TAMPERED') throw error;
    throw diagnose(error, decryptor, sealed, position, final, offset);
  }
}

/**
 * Truncated and followed by more are only said of a segment that is authentic in the other role, or that is cut off so
 * that nothing can be said about it. Nothing that opens here is released.
 */
function diagnose(
  error: VolsealError,
  decryptor: FloeDecryptor,
  sealed: readonly Uint8Array[],
  position: number,
  final: boolean,
  offset: number,
): VolsealError {
  const { overheadBytes, segmentBytes } = decryptor.layout;
  const bytes = Buffer.concat(sealed);
  const cutShort = truncatedBody(offset + bytes.length);
  if (bytes.length < overheadBytes) return cutShort;
  const claimedBytes = claimedFinalBytes(bytes);
  if (claimedBytes === undefined) {
    if (final && (bytes.length < segmentBytes || opens(decryptor, sealed, position, false))) return cutShort;
  } else if (final && claimedBytes > bytes.length && claimedBytes <= segmentBytes) {
    return cutShort;
  } else if (claimedBytes >= overheadBytes && claimedBytes <= bytes.length) {
    if (opens(decryptor, [bytes.subarray(0, claimedBytes)], position, true))
      return trailingData(offset + claimedBytes);
  }
  return new VolsealError(error.code, error.message, { hint: error.hint, offset });
}

/** Whether a segment is authentic in this place and role. */
function opens(
  decryptor: FloeDecryptor,
  sealed: readonly Uint8Array[],
  position: number,
  final: boolean,
): boolean {
  try {
    for (const piece of decryptor.openSegmentParts(sealed, position, final)) piece.fill(0);
    return true;
  } catch {
    return false;
  }
}

export function truncatedBody(offset: number): VolsealError {
  return new VolsealError('ERR_VOLSEAL_TRUNCATED', 'the sealed data ends before its last segment does', {
    hint: 'the copy or upload was cut short; fetch it again or restore it from a backup',
    offset,
  });
}

function trailingData(offset: number): VolsealError {
  return new VolsealError('ERR_VOLSEAL_TRAILING_DATA', 'there is more data after the last segment', {
    hint: 'something was appended to the sealed data; restore it from a backup',
    offset,
  });
}
