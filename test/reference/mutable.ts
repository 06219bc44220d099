/** A mutable file of a volume out of given keys and nonces: docs/format/v1.md §4.4 and §6.2 without a line of src. */

import { concatBytes } from '@noble/ciphers/utils.js';
import { referenceEncrypt } from './floe.ts';
import { type ReferenceCopy, referenceContext } from './header.ts';
import { ascii, bigEndian, referenceExpand, referenceSlotAad, referenceWrap } from './keys.ts';
import { type ReferenceParts, referenceNewRegion } from './sealed.ts';

export interface ReferenceVolumeKey {
  /** 16 bytes: the first 8 of the volume id, then 8 random ones. */
  readonly keyId: Uint8Array;
  readonly version: number;
  readonly bytes: Uint8Array;
}

export interface ReferenceMutableFile {
  readonly volumeKey: ReferenceVolumeKey;
  readonly dataKey: Uint8Array;
  readonly fileId: Uint8Array;
  readonly iv: Uint8Array;
  readonly slotNonce: Uint8Array;
  readonly segmentNonce: (position: bigint) => Uint8Array;
  /** 0xF2 or 0xF1. */
  readonly aeadId: number;
  readonly segmentBytes: number;
  readonly syncSeq: bigint;
  readonly context: readonly (readonly [string, string])[];
  readonly plain: Uint8Array;
}

/** A slot of type 1. */
export function referenceVolumeSlot(
  { keyId, version, bytes }: ReferenceVolumeKey,
  dataKey: Uint8Array,
  nonce: Uint8Array,
  fileId: Uint8Array,
  floeHeader: Uint8Array,
): Uint8Array {
  const aad = referenceSlotAad({ slotType: 1, keyId, keyVersion: version, fileId, floeHeader });
  const wrapped = referenceWrap(bytes, dataKey, nonce, aad);
  return concatBytes(Uint8Array.of(1, 0), keyId, bigEndian(BigInt(version), 4), wrapped);
}

/** The 48 bytes of a state. */
function referenceState(syncSeq: bigint, bodyBytes: bigint): Uint8Array {
  return concatBytes(bigEndian(syncSeq, 8), bigEndian(bodyBytes, 8), new Uint8Array(32));
}

export function referenceMutableParts(file: ReferenceMutableFile): ReferenceParts {
  const { aeadId, dataKey, fileId, iv, segmentBytes } = file;
  const context = referenceContext(file.context);
  const message = referenceEncrypt(referenceExpand(dataKey, 'volseal/v1/floe'), file.plain, {
    aeadId,
    segmentBytes,
    iv,
    nonce: file.segmentNonce,
    associatedData: concatBytes(ascii('volseal/v1/body'), Uint8Array.of(0, 2), fileId, context),
  });
  const floeHeader = message.subarray(0, 74);
  const body = message.subarray(74);
  const slot = referenceVolumeSlot(file.volumeKey, dataKey, file.slotNonce, fileId, floeHeader);
  const copy: ReferenceCopy = {
    regionBytes: 4_096,
    halfIndex: 0,
    generation: 1n,
    bodyKind: 2,
    fileId,
    floeHeader,
    state: referenceState(file.syncSeq, BigInt(body.length)),
    context,
    slots: [slot],
  };
  return { floeHeader, slot, copy, body };
}

/** Region and body, as a writer leaves a new file behind. */
export function referenceMutableSeal(file: ReferenceMutableFile): Uint8Array {
  const { body, copy } = referenceMutableParts(file);
  return concatBytes(referenceNewRegion(copy, file.dataKey), body);
}
