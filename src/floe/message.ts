/** The keys of one FLOE message: header tag, message key, segment keys (c2sp.org/FLOE; docs/format/v1.md §6). */

import { expandSha384 } from '../aead/kdf.ts';
import { ascii, concatBytes, constantTimeEqual, u64, writeU64 } from '../bytes.ts';
import { randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import { headerTagBytes, messageIvBytes, parameterBytes } from './layout.ts';
import type { FloeParameters } from './parameters.ts';

const headerTagPurpose = ascii('HEADER_TAG:');
const messageKeyPurpose = ascii('MESSAGE_KEY:');
const segmentKeyPurpose = ascii('DEK:');
const messageKeyBytes = 48;

/** Epochs whose segment keys are kept: enough for random access to eight million segments. */
const keptEpochs = 8;

/** The header tag, 32 bytes: commits to key, parameters, IV and associated data. */
function floeHeaderTag(
  parameters: FloeParameters,
  key: Secret,
  iv: Uint8Array,
  associatedData: Uint8Array,
): Uint8Array {
  return expandSha384(key, [parameters.encoded, iv, headerTagPurpose, associatedData], headerTagBytes);
}

/** A new message under a fresh random IV: its 74-byte header and its keys. */
export function startMessage(
  parameters: FloeParameters,
  key: Secret,
  associatedData: Uint8Array,
): { header: Uint8Array; keys: MessageKeys } {
  const iv = randomSecret(messageIvBytes);
  const header = concatBytes(parameters.encoded, iv, floeHeaderTag(parameters, key, iv, associatedData));
  return { header, keys: new MessageKeys(parameters, key, iv, associatedData) };
}

/** The keys of the message with this 74-byte header, or undefined when key, associated data and header do not belong together. */
export function openMessage(
  parameters: FloeParameters,
  key: Secret,
  header: Uint8Array,
  associatedData: Uint8Array,
  rotationMaskBits?: number,
): MessageKeys | undefined {
  const iv = header.slice(parameterBytes, parameterBytes + messageIvBytes);
  const headerTag = header.subarray(parameterBytes + messageIvBytes);
  if (!constantTimeEqual(floeHeaderTag(parameters, key, iv, associatedData), headerTag)) return undefined;
  return new MessageKeys(parameters, key, iv, associatedData, rotationMaskBits);
}

/** Derives segment keys and keeps the last few: neighbours share one. */
export class MessageKeys {
  readonly #parameters: FloeParameters;
  readonly #iv: Uint8Array;
  readonly #associatedData: Uint8Array;
  readonly #messageKey: Secret;
  readonly #segmentsPerKey: number;
  #epoch = -1;
  #segmentKey: Secret | undefined;
  /** Last used last. */
  readonly #segmentKeys = new Map<number, Secret>();

  constructor(
    parameters: FloeParameters,
    key: Secret,
    iv: Uint8Array,
    associatedData: Uint8Array,
    rotationMaskBits: number = parameters.aead.rotationMaskBits,
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
      this.#segmentKey = this.#segmentKeyOf(epoch);
      this.#epoch = epoch;
    }
    return this.#segmentKey;
  }

  #segmentKeyOf(epoch: number): Secret {
    const kept = this.#segmentKeys;
    let key = kept.get(epoch);
    if (key === undefined) {
      const info = [this.#parameters.encoded, this.#iv, segmentKeyPurpose, u64(epoch), this.#associatedData];
      key = new Secret(expandSha384(this.#messageKey, info, this.#parameters.aead.keyBytes));
    }
    kept.delete(epoch);
    kept.set(epoch, key);
    if (kept.size > keptEpochs) {
      const oldest = kept.keys().next().value as number;
      kept.get(oldest)?.wipe();
      kept.delete(oldest);
    }
    return key;
  }

  wipe(): void {
    this.#messageKey.wipe();
    for (const key of this.#segmentKeys.values()) key.wipe();
    this.#segmentKeys.clear();
    this.#segmentKey = undefined;
  }
}

/** Segment AAD: position and finality, 9 bytes, written into `target`. */
export function writeSegmentAad(target: Uint8Array, position: number, final: boolean): void {
  writeU64(target, position, 0);
  target[8] = final ? 1 : 0;
}
