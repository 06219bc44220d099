/** A whole sealed file out of given keys and nonces: docs/format/v1.md from end to end, without a line of src. */

import { concatBytes } from '@noble/ciphers/utils.js';
import { referenceEncrypt } from './floe.ts';
import { type ReferenceCopy, referenceContext, referenceCopy, referenceRegion } from './header.ts';
import {
  ascii,
  bigEndian,
  referenceExpand,
  referenceKek,
  referenceKeyId,
  referenceSlotAad,
  referenceWrap,
} from './keys.ts';

export interface ReferenceFile {
  /** The secret behind the one slot. */
  readonly ikm: Uint8Array;
  readonly label: string;
  readonly dataKey: Uint8Array;
  readonly fileId: Uint8Array;
  readonly iv: Uint8Array;
  readonly slotNonce: Uint8Array;
  readonly segmentNonce: (position: bigint) => Uint8Array;
  readonly aeadId: number;
  readonly segmentBytes: number;
  readonly regionBytes: number;
  readonly context: readonly (readonly [string, string])[];
  readonly plain: Uint8Array;
  readonly emptyLast?: boolean;
}

export interface ReferenceParts {
  readonly floeHeader: Uint8Array;
  readonly slot: Uint8Array;
  /** The content of a copy, to be changed at will before it is encoded. */
  readonly copy: ReferenceCopy;
  readonly body: Uint8Array;
}

/** FLOE header, slot, header content and body of a file. */
export function referenceParts(file: ReferenceFile): ReferenceParts {
  const { ikm, label, dataKey, fileId, iv, aeadId, segmentBytes, regionBytes } = file;
  const context = referenceContext(file.context);
  const message = referenceEncrypt(referenceExpand(dataKey, 'volseal/v1/floe'), file.plain, {
    aeadId,
    segmentBytes,
    iv,
    nonce: file.segmentNonce,
    associatedData: concatBytes(ascii('volseal/v1/body'), Uint8Array.of(0, 1), fileId, context),
    emptyLast: file.emptyLast ?? false,
  });
  const floeHeader = message.subarray(0, 74);
  const slot = referenceFlySlot(ikm, label, dataKey, file.slotNonce, fileId, floeHeader);
  const copy: ReferenceCopy = {
    regionBytes,
    halfIndex: 0,
    generation: 1n,
    fileId,
    floeHeader,
    context,
    slots: [slot],
  };
  return { floeHeader, slot, copy, body: message.subarray(74) };
}

/** A slot of type 2, a Fly secret's. */
export function referenceFlySlot(
  ikm: Uint8Array,
  label: string,
  dataKey: Uint8Array,
  nonce: Uint8Array,
  fileId: Uint8Array,
  floeHeader: Uint8Array,
): Uint8Array {
  const keyId = referenceKeyId(ikm);
  const aad = referenceSlotAad({ slotType: 2, keyId, keyVersion: 0, fileId, floeHeader });
  const wrapped = referenceWrap(referenceKek(ikm, 0, new Uint8Array(16)), dataKey, nonce, aad);
  return concatBytes(Uint8Array.of(2, label.length), keyId, bigEndian(0n, 4), wrapped, ascii(label));
}

/** The region of two equal copies, as a new file has it. */
export function referenceNewRegion(copy: ReferenceCopy, dataKey: Uint8Array): Uint8Array {
  const half = (halfIndex: number): Uint8Array => referenceCopy({ ...copy, halfIndex }, dataKey);
  return referenceRegion(half(0), half(1), copy.regionBytes);
}

export function referenceSeal(file: ReferenceFile): Uint8Array {
  const { copy, body } = referenceParts(file);
  return concatBytes(referenceNewRegion(copy, file.dataKey), body);
}
