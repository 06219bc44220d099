/** A new header for a new data key. */

import type { Suite } from '../aead/suite.ts';
import { VolsealError } from '../errors.ts';
import { FloeEncryptor } from '../floe/encryptor.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import {
  dataKeyBytes,
  defaultSegmentBytes,
  envelopeSegmentStepBytes,
  fileIdBytes,
  isEnvelopeSegmentBytes,
  maxRegionBytes,
  maxSegmentBytes,
  minEnvelopeSegmentBytes,
  minProviderRegionBytes,
  minRegionBytes,
  spareLocationBytes,
  spareSlotBytes,
} from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { fillRandom, randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import { bodyAssociatedData, floeKey, headerMacKey } from './body.ts';
import { encodeContext } from './context.ts';
import { fillSlots } from './slots.ts';
import { bodyKinds } from './v1/constants.ts';
import { copyBytesFor, emptyState, encodeHalf, type HeaderContent } from './v1/copy.ts';
import { encodeSlot } from './v1/slot.ts';

export interface NewEnvelope {
  readonly fileId: Uint8Array;
  /** Both halves, to be written in front of the body. */
  readonly region: Uint8Array;
  /** Seals the body; its FLOE header is in the region already. */
  readonly encryptor: FloeEncryptor;
}

export interface NewEnvelopeOptions {
  readonly suite?: Suite | undefined;
  readonly segmentBytes?: number | undefined;
  readonly context?: Context | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The envelope's segment sizes are fewer than FLOE's: whole sectors, and no more header than data. */
export function checkEnvelopeSegmentBytes(segmentBytes: number): number {
  if (isEnvelopeSegmentBytes(segmentBytes)) return segmentBytes;
  throw invalidArgument(
    `segmentBytes must be a multiple of ${envelopeSegmentStepBytes} from ${minEnvelopeSegmentBytes} to ${maxSegmentBytes}`,
  );
}

/**
 * Draws a data key, wraps it under every provider and writes the header of a write-once body.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_HEADER_FULL`, `ERR_VOLSEAL_ABORTED` and what providers throw
 */
export async function createEnvelope(
  providers: readonly KeyProvider[],
  options: NewEnvelopeOptions,
): Promise<NewEnvelope> {
  const segmentBytes = checkEnvelopeSegmentBytes(options.segmentBytes ?? defaultSegmentBytes);
  const context = encodeContext(options.context);
  const dataKey = new Secret(randomSecret(dataKeyBytes));
  const fileId = new Uint8Array(fileIdBytes);
  fillRandom(fileId);
  const key = floeKey(dataKey);
  const encryptor = FloeEncryptor.start(key.bytes(), {
    associatedData: bodyAssociatedData(bodyKinds.writeOnce, fileId, context),
    segmentBytes,
    suite: options.suite ?? 'aes-256-gcm',
  });
  key.wipe();
  try {
    const binding = {
      fileId,
      floeHeader: encryptor.header,
      context: options.context ?? {},
      signal: options.signal,
    };
    const filled = await fillSlots(providers, dataKey, binding);
    const onlyVolumeKeys = filled.every(({ wrapped }) => wrapped.type === 'volume-key');
    const slots = filled.map(encodeSlot);
    const region = encodeRegion(
      {
        regionBytes: chooseRegionBytes(context, slots, onlyVolumeKeys),
        bodyKind: bodyKinds.writeOnce,
        generation: 1,
        fileId,
        floeHeader: encryptor.header,
        state: emptyState,
        context,
      },
      slots,
      dataKey,
    );
    return { fileId, region, encryptor };
  } catch (error) {
    encryptor.wipe();
    throw error;
  } finally {
    dataKey.wipe();
  }
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
  onlyVolumeKeys: boolean,
): number {
  const longestSlot = Math.max(spareSlotBytes, ...slots.map((slot) => slot.length + 2));
  const needed = copyBytesFor(context, slots) + longestSlot + spareLocationBytes;
  let regionBytes = onlyVolumeKeys ? minRegionBytes : minProviderRegionBytes;
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
