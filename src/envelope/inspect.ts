/** A header described for people and programs, without keys. */

import type { Suite } from '../aead/suite.ts';
import { hex } from '../bytes.ts';
import { bodyShape } from '../floe/layout.ts';
import { parseFloeParameters } from '../floe/parameters.ts';
import type { Context } from '../kms/provider.ts';
import { parseContext } from './context.ts';
import type { CopyState, HeaderRegion } from './region.ts';
import { bodyKinds, version } from './v1/constants.ts';

export interface Inspection {
  format: 'volseal';
  version: number;
  body: 'write-once' | 'mutable';
  suite: Suite;
  segmentBytes: number;
  /** 32 hexadecimal digits. */
  fileId: string;
  generation: number;
  regionBytes: number;
  context: Context;
  slots: InspectedSlot[];
  copies: InspectedCopy[];
  sealedBytes: number;
  /** What the size says the plaintext has; missing when no body can have that size. */
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
  const { aead, layout } = parseFloeParameters(header.floeHeader);
  const shape =
    header.bodyKind === bodyKinds.writeOnce ? bodyShape(layout, sealedBytes - regionBytes) : undefined;
  const inspection: Inspection = {
    format: 'volseal',
    version,
    body: header.bodyKind === bodyKinds.writeOnce ? 'write-once' : 'mutable',
    suite: aead.suite,
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
