/** A new write-once file, its data key wrapped by key providers. */

import type { Suite } from '../aead/suite.ts';
import { FloeEncryptor } from '../floe/encryptor.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import {
  defaultSegmentBytes,
  envelopeSegmentStepBytes,
  isEnvelopeSegmentBytes,
  maxSegmentBytes,
  minEnvelopeSegmentBytes,
} from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { drawFile, newRegion } from './new-header.ts';
import { fillSlots } from './slots.ts';
import { bodyKinds } from './v1/constants.ts';
import { emptyState } from './v1/copy.ts';

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
  const file = drawFile(bodyKinds.writeOnce, options.context);
  const { associatedData, dataKey, fileId } = file;
  const encryptor = FloeEncryptor.start(file.floeKey.bytes(), {
    associatedData,
    segmentBytes,
    suite: options.suite ?? 'aes-256-gcm',
  });
  file.floeKey.wipe();
  try {
    const binding = {
      fileId,
      floeHeader: encryptor.header,
      context: options.context ?? {},
      signal: options.signal,
    };
    const slots = await fillSlots(providers, dataKey, binding);
    return { fileId, region: newRegion(file, encryptor.header, slots, emptyState), encryptor };
  } catch (error) {
    encryptor.wipe();
    throw error;
  } finally {
    dataKey.wipe();
  }
}
