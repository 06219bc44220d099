/** A header described for people and programs, without keys. */

import type { CipherName } from '../aead/suite.ts';
import { hex } from '../bytes.ts';
import { bodyShape } from '../floe/layout.ts';
import { parseFloeParameters } from '../floe/parameters.ts';
import type { Context } from '../kms/provider.ts';
import { parseContext } from './context.ts';
import type { CopyState, HeaderRegion } from './region.ts';
import { bodyUse, version } from './v1/constants.ts';

export interface Inspection {
  format: 'volseal';
  version: number;
  body: 'write-once' | 'mutable';
  /** What the body is sealed with; a mutable file of the suite `aes-256-gcm` is sealed with XAES-256-GCM. */
  suite: CipherName;
  segmentBytes: number;
  /** 32 hexadecimal digits. */
  fileId: string;
  generation: number;
  regionBytes: number;
  context: Context;
  slots: InspectedSlot[];
  copies: InspectedCopy[];
  sealedBytes: number;
  /**
   * Plaintext bytes. Of a write-once file what its size says; of a mutable one what its header says, while a journal that is still
   * pending may say otherwise. Missing when the sealed bytes cannot be such a file.
   */
  plainBytes?: number;
}

export interface InspectedSlot {
  /** The provider type: `fly-secrets`, `volume-key`, … */
  type: string;
  keyId: string;
  keyVersion?: number;
  /** The label of the secret when the slot was written. */
  label?: string;
}

export interface InspectedCopy {
  offset: number;
  state: CopyState;
  generation?: number;
}

export function describeHeader(region: HeaderRegion, sealedBytes: number): Inspection {
  const { header, regionBytes, goodCopies, states } = region;
  const use = bodyUse(header.bodyKind);
  const { aead, layout } = parseFloeParameters(header.floeHeader, use);
  const presentBytes = sealedBytes - regionBytes;
  const claimedBytes = use === 'mutable' ? header.state.bodyBytes : presentBytes;
  // What follows the body of a mutable file is the residue of a crash; a body that is not all there has no size.
  const shape = claimedBytes > presentBytes ? undefined : bodyShape(layout, claimedBytes);
  const inspection: Inspection = {
    format: 'volseal',
    version,
    body: use,
    suite: aead.cipher,
    segmentBytes: layout.segmentBytes,
    fileId: hex(header.fileId),
    generation: header.generation,
    regionBytes,
    context: { ...parseContext(header.context) },
    slots: header.slots.map(({ wrapped, keyVersion, label }) => {
      const slot: InspectedSlot = { type: wrapped.type, keyId: wrapped.keyId };
      if (wrapped.type === 'volume-key') slot.keyVersion = keyVersion;
      if (label !== undefined) slot.label = label;
      return slot;
    }),
    copies: states.map((state, half) => {
      const copy: InspectedCopy = { offset: (half * regionBytes) / 2, state };
      const generation = goodCopies.find(({ halfIndex }) => halfIndex === half)?.generation;
      if (generation !== undefined) copy.generation = generation;
      return copy;
    }),
    sealedBytes,
  };
  if (shape !== undefined) inspection.plainBytes = shape.plainBytes;
  return inspection;
}
