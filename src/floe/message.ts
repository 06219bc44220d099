/** The keys of one FLOE message: header tag, message key, segment keys (c2sp.org/FLOE; docs/format/v1.md §6). */

import { expandSha384 } from '../aead/kdf.ts';
import { ascii, u64, writeU64 } from '../bytes.ts';
import { Secret } from '../secret.ts';
import { headerTagBytes } from './layout.ts';
import type { FloeParameters } from './parameters.ts';

const headerTagPurpose = ascii('HEADER_TAG:');
const messageKeyPurpose = ascii('MESSAGE_KEY:');
const segmentKeyPurpose = ascii('DEK:');
const messageKeyBytes = 48;

/** The header tag, 32 bytes: commits to key, parameters, IV and associated data. */
export function floeHeaderTag(
  parameters: FloeParameters,
  key: Secret,
  iv: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array {
  return expandSha384(key, [parameters.encoded, iv, headerTagPurpose, associatedData], headerTagBytes);
}

/** Derives segment keys and keeps the last one: neighbours share it. */
export class MessageKeys {
  readonly #parameters: FloeParameters;
  readonly #iv: Uint8Array;
  readonly #associatedData: Uint8Array;
  readonly #messageKey: Secret;
  readonly #segmentsPerKey: number;
  #epoch = -1;
  #segmentKey: Secret | undefined;

  constructor(
    parameters: FloeParameters,
    key: Secret,
    iv: Uint8Array,
    associatedData: Uint8Array,
    rotationMaskBits: number,
  ) {
    this.#parameters = parameters;
    this.#iv = iv;
    this.#associatedData = associatedData;
    this.#messageKey = new Secret(
      expandSha384(key, [parameters.encoded, iv, messageKeyPurpose, associatedData], messageKeyBytes),
    );
    this.#segmentsPerKey = 2 ** rotationMaskBits;
  }

  /** DERIVE_KEY of a position. */
  segmentKey(position: number): Secret {
    // `position & mask` would be wrong from 2^31 on
    const epoch = position - (position % this.#segmentsPerKey);
    if (epoch !== this.#epoch || this.#segmentKey === undefined) {
      this.#segmentKey?.wipe();
      this.#segmentKey = new Secret(
        expandSha384(
          this.#messageKey,
          [this.#parameters.encoded, this.#iv, segmentKeyPurpose, u64(epoch), this.#associatedData],
          this.#parameters.aead.keyBytes,
        ),
      );
      this.#epoch = epoch;
    }
    return this.#segmentKey;
  }

  wipe(): void {
    this.#messageKey.wipe();
    this.#segmentKey?.wipe();
    this.#segmentKey = undefined;
  }
}

/** Segment AAD: position and finality, 9 bytes, written into `target`. */
export function writeSegmentAad(target: Uint8Array, position: number, final: boolean): void {
  writeU64(target, position, 0);
  target[8] = final ? 1 : 0;
}
