/** Fixed numbers of format version 1 (docs/format/v1.md §2 to §4). Frozen once released. */

import type { BodyUse } from '../../aead/suite.ts';
import { floeHeaderBytes } from '../../floe/layout.ts';
import { fileIdBytes, keyIdBytes } from '../../limits.ts';

export const magic: Uint8Array = Uint8Array.of(0x89, 0x56, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a);
export const version = 1;

export const bodyKinds = { writeOnce: 1, mutable: 2 } as const;
export type BodyKind = (typeof bodyKinds)[keyof typeof bodyKinds];

export function bodyUse(kind: BodyKind): BodyUse {
  return kind === bodyKinds.mutable ? 'mutable' : 'write-once';
}

type FieldName =
  | 'version'
  | 'halfIndex'
  | 'regionSize'
  | 'copyLength'
  | 'bodyKind'
  | 'reserved'
  | 'flags'
  | 'generation'
  | 'fileId'
  | 'floeHeader'
  | 'state'
  | 'contextLength';

/** Offsets from the start of a half. */
export const offsets: Readonly<Record<FieldName, number>> = {
  version: 8,
  halfIndex: 10,
  regionSize: 11,
  copyLength: 12,
  bodyKind: 16,
  reserved: 17,
  flags: 18,
  generation: 20,
  fileId: 28,
  floeHeader: 28 + fileIdBytes,
  state: 28 + fileIdBytes + floeHeaderBytes,
  contextLength: 166,
};

export const stateBytes = 48;
export const crcBytes = 4;
export const macBytes = 32;
export const trailerBytes: number = crcBytes + macBytes;

/** Slot: type, hint length, key id, key version. */
export const slotHeadBytes: number = 1 + 1 + keyIdBytes + 4;
/** The smallest copy with one slot of a volume key. */
export const minCopyBytes: number = offsets.contextLength + 2 + 2 + 2 + 1 + 2 + slotHeadBytes + trailerBytes;
