/** Sealing the segments of one FLOE message, in any order (c2sp.org/FLOE, startEncryption and encryptSegment). */

import type { Suite } from '../aead/suite.ts';
import { concatBytes, writeU32 } from '../bytes.ts';
import { dataKeyBytes, maxSegments } from '../limits.ts';
import { checkBytes, checkKey, checkOptions, invalidArgument } from '../options.ts';
import { fillRandom } from '../random.ts';
import { Secret } from '../secret.ts';
import { nonFinalPrefix, prefixBytes, type SegmentLayout } from './layout.ts';
import { type MessageKeys, startMessage, writeSegmentAad } from './message.ts';
import { type FloeParameters, floeParameters } from './parameters.ts';

export interface FloeEncryptOptions {
  /** Bound to the message, not stored in it. Default: empty. */
  associatedData?: Uint8Array;
  /** Sealed bytes of a whole segment, 40 to 4,194,304. Default 65,536. */
  segmentBytes?: number;
  /** Default `aes-256-gcm`, FLOE's own; `xchacha20-poly1305` is a private extension (docs/format/v1.md §6). */
  suite?: Suite;
}

const empty = new Uint8Array(0);

/**
 * One message being sealed. Segments may be sealed in any order and on request only: nothing here checks that
 * every position is sealed, and that none is sealed twice, is the caller's duty. `floeEncrypt` and the streams of
 * `volseal` do it for you.
 */
export class FloeEncryptor {
  /** The 74-byte FLOE header, first in the message. */
  readonly header: Uint8Array;
  /** Sealed bytes of every segment but the last. */
  readonly segmentBytes: number;
  /** Plaintext bytes of every segment but the last. */
  readonly plainSegmentBytes: number;
  /** @internal */
  readonly layout: SegmentLayout;
  readonly #parameters: FloeParameters;
  readonly #keys: MessageKeys;
  // Made once: each new array that goes into a cipher costs memory outside the heap of its own.
  readonly #aad: Uint8Array = new Uint8Array(9);
  readonly #nonce: Uint8Array;

  private constructor(parameters: FloeParameters, header: Uint8Array, keys: MessageKeys) {
    this.header = header;
    this.segmentBytes = parameters.layout.segmentBytes;
    this.plainSegmentBytes = parameters.layout.plainSegmentBytes;
    this.layout = parameters.layout;
    this.#parameters = parameters;
    this.#keys = keys;
    this.#nonce = new Uint8Array(parameters.aead.nonceBytes);
  }

  /**
   * Starts a message under a fresh random 32-byte IV.
   * @param key 32 bytes. Copied where it is needed; the caller may wipe it afterwards.
   * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_UNKNOWN_OPTION`
   */
  static start(key: Uint8Array, options: FloeEncryptOptions = {}): FloeEncryptor {
    checkOptions('FloeEncryptor.start', options, ['associatedData', 'segmentBytes', 'suite']);
    const ownKey = new Secret(checkKey('a FLOE key', key, dataKeyBytes));
    const parameters = floeParameters(options.suite, options.segmentBytes);
    const associatedData = new Uint8Array(checkBytes('associatedData', options.associatedData ?? empty));
    const { header, keys } = startMessage(parameters, ownKey, associatedData);
    ownKey.wipe();
    return new FloeEncryptor(parameters, header, keys);
  }

  /**
   * Seals one segment into one new array.
   * @param plain exactly `plainSegmentBytes` bytes, or 0 to `plainSegmentBytes` when `final`
   * @param position counted from 0, below 2^40
   */
  sealSegment(plain: Uint8Array, position: number, final: boolean): Uint8Array {
    return concatBytes(...this.sealSegmentParts([plain], position, final));
  }

  /**
   * Seals one segment without joining its parts, for `writev`: prefix and nonce, ciphertext as the cipher returned
   * it (one part for each piece of plaintext), tag.
   * @param plain the plaintext in pieces that count as joined; lengths as for {@link sealSegment}
   */
  sealSegmentParts(plain: readonly Uint8Array[], position: number, final: boolean): Uint8Array[] {
    const { aead, layout } = this.#parameters;
    let plainBytes = 0;
    for (const piece of plain) plainBytes += piece.length;
    if (final ? plainBytes > layout.plainSegmentBytes : plainBytes !== layout.plainSegmentBytes) {
      throw invalidArgument(
        `a ${final ? 'last' : 'whole'} segment holds ${final ? 'at most' : 'exactly'} ${layout.plainSegmentBytes} bytes, got ${plainBytes}`,
      );
    }
    checkPosition(position);
    const nonce = this.#nonce;
    fillRandom(nonce);
    writeSegmentAad(this.#aad, position, final);
    const { ciphertext, tag } = aead.seal(this.#keys.segmentKey(position), nonce, this.#aad, plain);
    const prefix = Buffer.allocUnsafe(prefixBytes + nonce.length);
    writeU32(prefix, final ? plainBytes + layout.overheadBytes : nonFinalPrefix, 0);
    for (let i = 0; i < nonce.length; i++) prefix[prefixBytes + i] = nonce[i] as number;
    return [prefix, ...ciphertext, tag];
  }

  /** Overwrites the keys. The encryptor cannot be used afterwards. */
  wipe(): void {
    this.#keys.wipe();
  }
}

export function checkPosition(position: number): void {
  if (!Number.isSafeInteger(position) || position < 0 || position >= maxSegments) {
    throw invalidArgument('a segment position is a whole number from 0 to 2^40 - 1');
  }
}
