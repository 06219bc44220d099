/**
 * Sealing and opening single segments of a mutable body, in any order and any number of times (docs/format/v1.md §6.2).
 * FLOE's layout and key derivation; what a segment promises is that a holder of the key sealed it for this file, this
 * position and this finality. It does not promise that it is the last one sealed there.
 */

import { segmentCipher } from '../../aead/registry.ts';
import type { SegmentCipher, Suite } from '../../aead/suite.ts';
import { readU32, writeU32 } from '../../bytes.ts';
import { checkPosition } from '../../floe/encryptor.ts';
import { nonFinalPrefix, prefixBytes, type SegmentLayout, tagBytes } from '../../floe/layout.ts';
import { type MessageKeys, openMessage, startMessage, writeSegmentAad } from '../../floe/message.ts';
import { type FloeParameters, floeParameters, parseFloeParameters } from '../../floe/parameters.ts';
import { internalError } from '../../errors.ts';
import type { Secret } from '../../secret.ts';

export class SegmentCodec {
  /** 74 bytes: parameters, IV and header tag. */
  readonly floeHeader: Uint8Array;
  readonly layout: SegmentLayout;
  /** The suite by its public name. */
  readonly suite: Suite;
  readonly #keys: MessageKeys;
  readonly #cipher: SegmentCipher;
  readonly #nonceBytes: number;
  // Written anew for each segment. Sealing and opening are synchronous, so nobody else gets to it in between.
  readonly #aad: Uint8Array = new Uint8Array(9);

  private constructor(parameters: FloeParameters, floeHeader: Uint8Array, keys: MessageKeys) {
    this.floeHeader = floeHeader;
    this.layout = parameters.layout;
    this.suite = parameters.aead.suite;
    this.#keys = keys;
    this.#cipher = segmentCipher(parameters.aead);
    this.#nonceBytes = parameters.aead.nonceBytes;
  }

  /**
   * A new body under a fresh IV.
   * @param floeKey 32 bytes; the caller may wipe it afterwards
   * @throws VolsealError `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_INVALID_ARGUMENT`
   */
  static create(
    floeKey: Secret,
    o: { suite: Suite; segmentBytes: number; associatedData: Uint8Array },
  ): SegmentCodec {
    const parameters = floeParameters(o.suite, o.segmentBytes, 'mutable');
    const { header, keys } = startMessage(parameters, floeKey, o.associatedData);
    return new SegmentCodec(parameters, header, keys);
  }

  /**
   * The body with this FLOE header; undefined when key, header and associated data do not belong together.
   * @throws VolsealError `ERR_VOLSEAL_UNSUPPORTED_SUITE`
   */
  static open(floeKey: Secret, floeHeader: Uint8Array, associatedData: Uint8Array): SegmentCodec | undefined {
    const parameters = parseFloeParameters(floeHeader, 'mutable');
    const keys = openMessage(parameters, floeKey, floeHeader, associatedData);
    return keys === undefined ? undefined : new SegmentCodec(parameters, floeHeader, keys);
  }

  /**
   * Seals one segment under a fresh nonce.
   * @param plain in pieces that count as joined: together `layout.plainSegmentBytes` bytes, or 0 to so many when `final`
   * @param position counted from 0, below 2^40
   * @returns parts that count as joined and belong to the caller: prefix and nonce, one part for each piece, tag
   */
  seal(plain: readonly Uint8Array[], position: number, final: boolean): Uint8Array[] {
    const { plainSegmentBytes, overheadBytes } = this.layout;
    let plainBytes = 0;
    for (const piece of plain) plainBytes += piece.length;
    if (final ? plainBytes > plainSegmentBytes : plainBytes !== plainSegmentBytes)
      throw internalError(`a segment of ${plainBytes} plaintext bytes`);
    checkPosition(position);
    const head = Buffer.allocUnsafe(prefixBytes + this.#nonceBytes);
    writeU32(head, final ? plainBytes + overheadBytes : nonFinalPrefix, 0);
    writeSegmentAad(this.#aad, position, final);
    const nonce = head.subarray(prefixBytes);
    const { ciphertext, tag } = this.#cipher.seal(this.#keys.segmentKey(position), nonce, this.#aad, plain);
    return [head, ...ciphertext, tag];
  }

  /**
   * Opens one segment.
   * @param sealed exactly `layout.segmentBytes` bytes, or when `final` from `layout.overheadBytes` to so many. Unchanged.
   * @returns the authenticated plaintext, which belongs to the caller; undefined when the segment is not authentic in
   *   this place and role, an all-zero segment and one of an impossible length among them
   */
  open(sealed: Uint8Array, position: number, final: boolean): Uint8Array | undefined {
    const { segmentBytes, overheadBytes } = this.layout;
    const sealedBytes = sealed.length;
    checkPosition(position);
    if (final ? sealedBytes < overheadBytes || sealedBytes > segmentBytes : sealedBytes !== segmentBytes)
      return undefined;
    if (readU32(sealed, 0) !== (final ? sealedBytes : nonFinalPrefix)) return undefined;
    writeSegmentAad(this.#aad, position, final);
    const ciphertextAt = prefixBytes + this.#nonceBytes;
    const plain = this.#cipher.open(
      this.#keys.segmentKey(position),
      sealed.subarray(prefixBytes, ciphertextAt),
      this.#aad,
      [sealed.subarray(ciphertextAt, sealedBytes - tagBytes)],
      sealed.subarray(sealedBytes - tagBytes),
    );
    return plain?.[0];
  }

  /** Overwrites the keys. The codec cannot be used afterwards. */
  wipe(): void {
    this.#keys.wipe();
    this.#cipher.wipe();
  }
}
