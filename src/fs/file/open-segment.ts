/** From a sealed segment in its place to its plaintext, or to the error that says what is wrong with it. */

import { VolsealError } from '../../errors.ts';
import { openChecked } from '../../floe/diagnosis.ts';
import type { FileHeader } from '../header/file-header.ts';
import type { Placed } from './placed.ts';

/**
 * Opens one segment of a file. The plaintext belongs to the caller.
 * @param fileOffset where it begins, for errors
 * @throws VolsealError `ERR_VOLSEAL_TAMPERED`; of a write-once body also `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_TRAILING_DATA`
 */
export type OpenSegment = (
  sealed: Uint8Array,
  index: number,
  final: boolean,
  fileOffset: number,
) => Uint8Array;

export function segmentOpener(header: FileHeader): OpenSegment {
  if (header.kind === 'write-once') {
    const { decryptor } = header;
    return (sealed, index, final, fileOffset) => {
      const pieces = openChecked(decryptor, [sealed], index, final, fileOffset);
      return asBytes(pieces.length === 1 ? (pieces[0] as Uint8Array) : Buffer.concat(pieces));
    };
  }
  const { segments } = header;
  return (sealed, index, final, fileOffset) => {
    const plain = segments.open(sealed, index, final);
    if (plain === undefined) throw tamperedSegment(index, fileOffset);
    return asBytes(plain);
  };
}

/** Not the Buffer that node:crypto gives: parts of a Buffer cost three times as much to make. */
function asBytes(plain: Uint8Array): Uint8Array {
  return new Uint8Array(plain.buffer, plain.byteOffset, plain.byteLength);
}

/** Reads one segment from its place in the file and opens it. The plaintext belongs to the caller. */
export async function openPlaced(
  placed: Placed,
  open: OpenSegment,
  index: number,
  sealedBytes: number,
  final: boolean,
): Promise<Uint8Array> {
  const fileOffset = placed.fileOffsetOf(index);
  return placed.read(index, sealedBytes, (sealed) => {
    if (sealed.length < sealedBytes) throw truncatedFile(fileOffset + sealed.length);
    return open(sealed, index, final, fileOffset);
  });
}

function tamperedSegment(index: number, offset: number): VolsealError {
  return new VolsealError(
    'ERR_VOLSEAL_TAMPERED',
    `segment ${index} is not authentic: it was changed or moved`,
    {
      hint: 'restore the file from a backup',
      offset,
    },
  );
}

/** The file ends before its header says. */
export function truncatedFile(offset: number): VolsealError {
  return new VolsealError('ERR_VOLSEAL_TRUNCATED', 'the file ends before its last segment does', {
    hint: 'it was cut short outside of volseal; restore it from a backup',
    offset,
  });
}
