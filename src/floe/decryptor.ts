/** Opening the segments of one FLOE message, in any order (c2sp.org/FLOE, startDecryption and decryptSegment). */

import type { Suite } from '../aead/suite.ts';
import { concatBytes, readU32 } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { dataKeyBytes } from '../limits.ts';
import { checkBytes, checkKey, checkOptions, invalidArgument } from '../options.ts';
import { Secret } from '../secret.ts';
import { checkPosition } from './encryptor.ts';
import { floeHeaderBytes, nonFinalPrefix, prefixBytes, type SegmentLayout, tagBytes } from './layout.ts';
import { type MessageKeys, openMessage, writeSegmentAad } from './message.ts';
import { type FloeParameters, parseFloeParameters } from './parameters.ts';

export interface FloeDecryptOptions {
  /** What the message was sealed with. Default: empty. */
  associatedData?: Uint8Array;
  /** For the known-answer tests alone: the published rotation vectors use 2. Real messages use the suite's own 20. */
  rotationMaskBits?: number;
}

const empty = new Uint8Array(0);

/**
 * One message being opened. Which segment is the last must come from the size of the message or the end of the input;
 * asking for the wrong finality fails.
 */
export class FloeDecryptor {
  readonly suite: Suite;
  /** Sealed bytes of every segment but the last. */
  readonly segmentBytes: number;
  /** Plaintext bytes of every segment but the last. */
  readonly plainSegmentBytes: number;
  /** For {@link bodyShape} and {@link locate}. */
  readonly layout: SegmentLayout;
  readonly #parameters: FloeParameters;
  readonly #keys: MessageKeys;
  readonly #aad: Uint8Array = new Uint8Array(9);

  private constructor(parameters: FloeParameters, keys: MessageKeys) {
    this.suite = parameters.aead.suite;
    this.layout = parameters.layout;
    this.segmentBytes = parameters.layout.segmentBytes;
    this.plainSegmentBytes = parameters.layout.plainSegmentBytes;
    this.#parameters = parameters;
    this.#keys = keys;
  }

  /**
   * Checks a header and derives the keys.
   * @param key 32 bytes. Copied where it is needed; the caller may wipe it afterwards.
   * @param header the 74-byte FLOE header
   * @throws VolsealError `ERR_VOLSEAL_WRONG_KEY` when key, associated data or header do not belong together;
   *   `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`
   */
  static start(key: Uint8Array, header: Uint8Array, options: FloeDecryptOptions = {}): FloeDecryptor {
    checkOptions('FloeDecryptor.start', options, ['associatedData', 'rotationMaskBits']);
    const ownKey = new Secret(checkKey('a FLOE key', key, dataKeyBytes));
    if (checkBytes('header', header).length !== floeHeaderBytes) {
      throw invalidArgument(`a FLOE header has ${floeHeaderBytes} bytes, got ${header.length}`);
    }
    const parameters = parseFloeParameters(header);
    const associatedData = new Uint8Array(checkBytes('associatedData', options.associatedData ?? empty));
    const maskBits = options.rotationMaskBits ?? parameters.aead.rotationMaskBits;
    if (!Number.isInteger(maskBits) || maskBits < 0 || maskBits > 40) {
      throw invalidArgument('rotationMaskBits is a whole number from 0 to 40');
    }
    const keys = openMessage(parameters, ownKey, header, associatedData, maskBits);
    ownKey.wipe();
    if (keys === undefined) {
      throw new VolsealError(
        'ERR_VOLSEAL_WRONG_KEY',
        'the key or the associated data is not the one of this message',
        {
          hint: 'check both; if they are right, the FLOE header was changed',
        },
      );
    }
    return new FloeDecryptor(parameters, keys);
  }

  /**
   * Opens one segment.
   * @param sealed exactly `segmentBytes` bytes, or, when `final`, from the overhead (32 or 44 bytes) to `segmentBytes`
   * @returns the authenticated plaintext
   * @throws VolsealError `ERR_VOLSEAL_TAMPERED`
   */
  openSegment(sealed: Uint8Array, position: number, final: boolean): Uint8Array {
    const plain = this.openSegmentParts([checkBytes('a segment', sealed)], position, final);
    // Not the Buffer that node:crypto gives: its `slice` shares memory.
    const [only] = plain;
    return plain.length === 1 && only !== undefined
      ? new Uint8Array(only.buffer, only.byteOffset, only.length)
      : concatBytes(...plain);
  }

  /**
   * Opens one segment that comes in pieces, without joining them.
   * @returns the authenticated plaintext in pieces that count as joined
   */
  openSegmentParts(sealed: readonly Uint8Array[], position: number, final: boolean): Uint8Array[] {
    const { aead, layout } = this.#parameters;
    checkPosition(position);
    let sealedBytes = 0;
    for (const piece of sealed) sealedBytes += piece.length;
    if (
      final
        ? sealedBytes < layout.overheadBytes || sealedBytes > layout.segmentBytes
        : sealedBytes !== layout.segmentBytes
    ) {
      throw tampered(position);
    }
    const [head, ciphertext, tag] = split(sealed, prefixBytes + aead.nonceBytes, sealedBytes - tagBytes);
    if (readU32(head, 0) !== (final ? sealedBytes : nonFinalPrefix)) throw tampered(position);
    writeSegmentAad(this.#aad, position, final);
    const plain = aead.open(
      this.#keys.segmentKey(position),
      head.subarray(prefixBytes),
      this.#aad,
      ciphertext,
      tag,
    );
    if (plain === undefined) throw tampered(position);
    return plain;
  }

  /** Overwrites the keys. The decryptor cannot be used afterwards. */
  wipe(): void {
    this.#keys.wipe();
  }
}

/** The length field of a segment: its own length if it says it is the last, else undefined. Not authenticated. */
export function claimedFinalBytes(prefix: Uint8Array): number | undefined {
  const length = readU32(prefix, 0);
  return length === nonFinalPrefix ? undefined : length;
}

function tampered(position: number): VolsealError {
  return new VolsealError(
    'ERR_VOLSEAL_TAMPERED',
    `segment ${position} is not authentic: it was changed or moved`,
    {
      hint: 'restore the data from a backup',
    },
  );
}

/** Cuts pieces that count as joined into head, middle pieces and tail. Head and tail are copied when a border runs through them. */
function split(
  pieces: readonly Uint8Array[],
  headBytes: number,
  tailAt: number,
): [Uint8Array, Uint8Array[], Uint8Array] {
  if (pieces.length === 1) {
    const only = pieces[0] as Uint8Array;
    return [only.subarray(0, headBytes), [only.subarray(headBytes, tailAt)], only.subarray(tailAt)];
  }
  const head: Uint8Array[] = [];
  const middle: Uint8Array[] = [];
  const tail: Uint8Array[] = [];
  let at = 0;
  for (const piece of pieces) {
    const end = at + piece.length;
    if (at < headBytes) head.push(piece.subarray(0, Math.min(piece.length, headBytes - at)));
    if (end > headBytes && at < tailAt) {
      middle.push(piece.subarray(Math.max(0, headBytes - at), Math.min(piece.length, tailAt - at)));
    }
    if (end > tailAt) tail.push(piece.subarray(Math.max(0, tailAt - at)));
    at = end;
  }
  return [concatBytes(...head), middle, concatBytes(...tail)];
}
