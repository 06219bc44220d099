/** Whole FLOE messages in memory. */

import { releaseParts, uninitialised } from '../memory.ts';
import { checkBytes, checkOptions } from '../options.ts';
import { FloeDecryptor, type FloeDecryptOptions } from './decryptor.ts';
import { openChecked, truncatedBody } from './diagnosis.ts';
import { FloeEncryptor, type FloeEncryptOptions } from './encryptor.ts';
import { bodyBytes, bodyShape, floeHeaderBytes } from './layout.ts';
import { floeParameters } from './parameters.ts';

/** Seals all of `plain` as the body of a message into `target`, from `targetOffset` on. */
export function sealBody(
  encryptor: FloeEncryptor,
  plain: Uint8Array,
  target: Uint8Array,
  targetOffset: number,
): void {
  const step = encryptor.plainSegmentBytes;
  let at = targetOffset;
  for (let position = 0, from = 0; ; position++, from += step) {
    const final = from + step >= plain.length;
    const parts = encryptor.sealSegmentParts([plain.subarray(from, from + step)], position, final);
    for (const part of parts) {
      target.set(part, at);
      at += part.length;
    }
    releaseParts(parts);
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
  // No body has an impossible size: opening its segments in order says what is wrong with it.
  const plain = uninitialised(shape?.plainBytes ?? 0);
  const segments = shape?.segments ?? Math.max(1, Math.ceil(body.length / layout.segmentBytes));
  let at = 0;
  for (let position = 0; position < segments; position++) {
    const offset = position * layout.segmentBytes;
    const sealed = body.subarray(offset, offset + layout.segmentBytes);
    const pieces = openChecked(decryptor, [sealed], position, position === segments - 1, baseOffset + offset);
    for (const piece of shape === undefined ? [] : pieces) {
      plain.set(piece, at);
      at += piece.length;
    }
    releaseParts(pieces);
  }
  return plain;
}

/**
 * Encrypts a whole message: FLOE header (74 bytes) ‖ segments. Not an envelope: there are no key slots and no file
 * header; any FLOE implementation decrypts it with the key and the associated data.
 * @param key 32 bytes
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_UNKNOWN_OPTION`
 */
export function floeEncrypt(
  key: Uint8Array,
  plaintext: Uint8Array,
  options: FloeEncryptOptions = {},
): Uint8Array {
  checkOptions('floeEncrypt', options, ['associatedData', 'segmentBytes', 'suite']);
  const plain = checkBytes('plaintext', plaintext);
  const encryptor = FloeEncryptor.start(key, options);
  const message = uninitialised(sealedBytes(plain.length, options));
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
export function floeDecrypt(
  key: Uint8Array,
  message: Uint8Array,
  options: FloeDecryptOptions = {},
): Uint8Array {
  checkOptions('floeDecrypt', options, ['associatedData', 'rotationMaskBits']);
  if (checkBytes('message', message).length < floeHeaderBytes) throw truncatedBody(message.length);
  const decryptor = FloeDecryptor.start(key, message.subarray(0, floeHeaderBytes), options);
  try {
    return openBody(decryptor, message.subarray(floeHeaderBytes), floeHeaderBytes);
  } finally {
    decryptor.wipe();
  }
}

/** Bytes of the message that `floeEncrypt` makes of `plainBytes`. */
export function sealedBytes(
  plainBytes: number,
  options: Pick<FloeEncryptOptions, 'segmentBytes' | 'suite'> = {},
): number {
  return floeHeaderBytes + bodyBytes(floeParameters(options.suite, options.segmentBytes).layout, plainBytes);
}

/**
 * Plaintext bytes in a message of `sealedBytes`.
 * @throws VolsealError `ERR_VOLSEAL_TRUNCATED` when no message has that size
 */
export function plainBytes(
  sealedBytes: number,
  options: Pick<FloeEncryptOptions, 'segmentBytes' | 'suite'> = {},
): number {
  const shape = bodyShape(
    floeParameters(options.suite, options.segmentBytes).layout,
    sealedBytes - floeHeaderBytes,
  );
  if (shape === undefined) throw truncatedBody(sealedBytes);
  return shape.plainBytes;
}
