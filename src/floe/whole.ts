/** Whole FLOE messages in memory. */

import { VolsealError } from '../errors.ts';
import { checkBytes, checkOptions } from '../options.ts';
import { claimedFinalBytes, FloeDecryptor, type FloeDecryptOptions } from './decryptor.ts';
import { FloeEncryptor, type FloeEncryptOptions } from './encryptor.ts';
import { bodyBytes, bodyShape, floeHeaderBytes, type SegmentLayout } from './layout.ts';
import { floeParameters } from './parameters.ts';

/** Seals all of `plain` as the body of a message into `target`, from `targetOffset` on. */
export function sealBody(encryptor: FloeEncryptor, plain: Uint8Array, target: Uint8Array, targetOffset: number): void {
  const step = encryptor.plainSegmentBytes;
  let at = targetOffset;
  for (let position = 0, from = 0; ; position++, from += step) {
    const final = from + step >= plain.length;
    for (const part of encryptor.sealSegmentParts([plain.subarray(from, from + step)], position, final)) {
      target.set(part, at);
      at += part.length;
    }
    if (final) return;
  }
}

/**
 * Opens a whole body. Offsets in errors count from the start of the body plus `baseOffset`.
 * @throws VolsealError `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_TRAILING_DATA`
 */
export function openBody(decryptor: FloeDecryptor, body: Uint8Array, baseOffset: number): Uint8Array {
  const { layout } = decryptor;
  const shape = bodyShape(layout, body.length);
  if (shape === undefined) throw truncatedBody(baseOffset + body.length);
  const plain = new Uint8Array(shape.plainBytes);
  let at = 0;
  for (let position = 0; position < shape.segments; position++) {
    const offset = position * layout.segmentBytes;
    const sealed = body.subarray(offset, offset + layout.segmentBytes);
    const final = position === shape.segments - 1;
    for (const piece of openChecked(decryptor, [sealed], position, final, baseOffset + offset)) {
      plain.set(piece, at);
      at += piece.length;
    }
  }
  return plain;
}

/**
 * Opens a segment whose finality comes from the end of the input, and says which of truncated, followed by more, or
 * changed it is when it does not open.
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
    throw diagnose(error, sealed, final, decryptor.layout, offset);
  }
}

/** The prefix is not authenticated: it chooses the words of an error, never what is released. */
function diagnose(
  error: unknown,
  sealed: readonly Uint8Array[],
  final: boolean,
  layout: SegmentLayout,
  offset: number,
): unknown {
  if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_TAMPERED') return error;
  const prefix: number[] = [];
  let sealedBytes = 0;
  for (const piece of sealed) {
    sealedBytes += piece.length;
    for (let i = 0; i < piece.length && prefix.length < 4; i++) prefix.push(piece[i] as number);
  }
  if (sealedBytes < layout.overheadBytes) return truncatedBody(offset + sealedBytes);
  const claimed = claimedFinalBytes(Uint8Array.from(prefix));
  if (final && (claimed === undefined || (claimed > sealedBytes && claimed <= layout.segmentBytes))) {
    return truncatedBody(offset + sealedBytes);
  }
  if (claimed !== undefined && claimed >= layout.overheadBytes && claimed < sealedBytes + (final ? 0 : 1)) {
    return new VolsealError('ERR_VOLSEAL_TRAILING_DATA', 'there is more data after the segment that says it is the last', {
      hint: 'something was appended to the sealed data; restore it from a backup',
      offset: offset + claimed,
    });
  }
  return new VolsealError(error.code, error.message, { hint: error.hint, offset });
}

export function truncatedBody(offset: number): VolsealError {
  return new VolsealError('ERR_VOLSEAL_TRUNCATED', 'the sealed data ends before its last segment does', {
    hint: 'the copy or upload was cut short; fetch it again or restore it from a backup',
    offset,
  });
}

/**
 * Encrypts a whole message: FLOE header (74 bytes) ‖ segments. Not an envelope: there are no key slots and no file
 * header; any FLOE implementation decrypts it with the key and the associated data.
 * @param key 32 bytes
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_UNKNOWN_OPTION`
 */
export function floeEncrypt(key: Uint8Array, plaintext: Uint8Array, options: FloeEncryptOptions = {}): Uint8Array {
  checkOptions('floeEncrypt', options, ['associatedData', 'segmentBytes', 'suite']);
  const plain = checkBytes('plaintext', plaintext);
  const encryptor = FloeEncryptor.start(key, options);
  const message = new Uint8Array(sealedBytes(plain.length, options));
  message.set(encryptor.header);
  sealBody(encryptor, plain, message, floeHeaderBytes);
  encryptor.wipe();
  return message;
}

/**
 * Decrypts a whole message.
 * @param key 32 bytes
 * @param message FLOE header (74 bytes) ‖ segments
 * @throws VolsealError `ERR_VOLSEAL_WRONG_KEY`, `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_TRAILING_DATA`,
 *   `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`
 */
export function floeDecrypt(key: Uint8Array, message: Uint8Array, options: FloeDecryptOptions = {}): Uint8Array {
  checkOptions('floeDecrypt', options, ['associatedData', 'rotationMaskBits']);
  if (checkBytes('message', message).length < floeHeaderBytes) throw truncatedBody(message.length);
  const decryptor = FloeDecryptor.start(key, message.subarray(0, floeHeaderBytes), options);
  const plain = openBody(decryptor, message.subarray(floeHeaderBytes), floeHeaderBytes);
  decryptor.wipe();
  return plain;
}

/** Bytes of the message that `floeEncrypt` makes of `plainBytes`. */
export function sealedBytes(plainBytes: number, options: Pick<FloeEncryptOptions, 'segmentBytes' | 'suite'> = {}): number {
  return floeHeaderBytes + bodyBytes(floeParameters(options.suite, options.segmentBytes).layout, plainBytes);
}

/**
 * Plaintext bytes in a message of `sealedBytes`.
 * @throws VolsealError `ERR_VOLSEAL_TRUNCATED` when no message has that size
 */
export function plainBytes(sealedBytes: number, options: Pick<FloeEncryptOptions, 'segmentBytes' | 'suite'> = {}): number {
  const shape = bodyShape(floeParameters(options.suite, options.segmentBytes).layout, sealedBytes - floeHeaderBytes);
  if (shape === undefined) throw truncatedBody(sealedBytes);
  return shape.plainBytes;
}
