/** What every new header begins with, whoever wraps its data key: the key, the ids, the choice of the region. */

import { VolsealError } from '../errors.ts';
import type { Context } from '../kms/provider.ts';
import {
  dataKeyBytes,
  fileIdBytes,
  maxRegionBytes,
  minProviderRegionBytes,
  minRegionBytes,
  spareLocationBytes,
  spareSlotBytes,
} from '../limits.ts';
import { fillRandom, randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import { bodyAssociatedData, floeKey, headerMacKey } from './body.ts';
import { encodeContext } from './context.ts';
import { type BodyKind, bodyKinds } from './v1/constants.ts';
import { type BodyState, copyBytesFor, encodeHalf, type HeaderContent } from './v1/copy.ts';
import { encodeSlot, type Slot } from './v1/slot.ts';

/** A data key drawn for one new file, and what its body hangs on. Its owner wipes both keys. */
export interface NewFile {
  readonly bodyKind: BodyKind;
  readonly dataKey: Secret;
  readonly floeKey: Secret;
  readonly fileId: Uint8Array;
  /** Canonical context bytes. */
  readonly context: Uint8Array;
  /** For the FLOE header and the segments. */
  readonly associatedData: Uint8Array;
}

/** @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for a context that cannot be stored */
export function drawFile(bodyKind: BodyKind, context: Context | undefined): NewFile {
  const encoded = encodeContext(context);
  const dataKey = new Secret(randomSecret(dataKeyBytes));
  const fileId = new Uint8Array(fileIdBytes);
  fillRandom(fileId);
  return {
    bodyKind,
    dataKey,
    floeKey: floeKey(dataKey),
    fileId,
    context: encoded,
    associatedData: bodyAssociatedData(bodyKind, fileId, encoded),
  };
}

/**
 * Both halves of a new header, of generation 1.
 * @throws VolsealError `ERR_VOLSEAL_HEADER_FULL`
 */
export function newRegion(
  file: NewFile,
  floeHeader: Uint8Array,
  slots: readonly Slot[],
  state: BodyState,
): Uint8Array {
  const { bodyKind, fileId, context } = file;
  const encodedSlots = slots.map(encodeSlot);
  const small =
    bodyKind === bodyKinds.writeOnce && slots.every(({ wrapped }) => wrapped.type === 'volume-key');
  const regionBytes = chooseRegionBytes(
    context,
    encodedSlots,
    small ? minRegionBytes : minProviderRegionBytes,
  );
  const content = { regionBytes, bodyKind, generation: 1, fileId, floeHeader, state, context };
  return encodeRegion(content, encodedSlots, file.dataKey);
}

function encodeRegion(content: HeaderContent, slots: readonly Uint8Array[], dataKey: Secret): Uint8Array {
  const macKey = headerMacKey(dataKey);
  const region = new Uint8Array(content.regionBytes);
  const halfBytes = content.regionBytes / 2;
  encodeHalf(content, slots, 0, macKey, region.subarray(0, halfBytes));
  encodeHalf(content, slots, 1, macKey, region.subarray(halfBytes));
  macKey.wipe();
  return region;
}

/** The smallest region that leaves room for one more slot and a location (docs/format/v1.md §3, Room). */
function chooseRegionBytes(
  context: Uint8Array,
  slots: readonly Uint8Array[],
  smallestRegionBytes: number,
): number {
  const longestSlot = Math.max(spareSlotBytes, ...slots.map((slot) => slot.length + 2));
  const needed = copyBytesFor(context, slots) + longestSlot + spareLocationBytes;
  let regionBytes = smallestRegionBytes;
  while (regionBytes / 2 < needed) regionBytes *= 2;
  if (regionBytes <= maxRegionBytes) return regionBytes;
  throw new VolsealError(
    'ERR_VOLSEAL_HEADER_FULL',
    `the context and ${slots.length} key slots do not fit into a header`,
    {
      hint: 'use a shorter context or fewer key providers',
    },
  );
}
