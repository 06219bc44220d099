/** Every size and limit, with its unit in its name (docs/format/v1.md). */

export const dataKeyBytes = 32;
export const fileIdBytes = 16;
export const keyIdBytes = 16;

/** Sealed bytes of one whole segment (FLOE's ENC_SEG_LEN). */
export const defaultSegmentBytes = 65_536;
export const minEnvelopeSegmentBytes = 4_096;
export const maxSegmentBytes = 4_194_304;
export const envelopeSegmentStepBytes = 512;
/** Whether a sealed file may have segments of this size. */
export function isEnvelopeSegmentBytes(segmentBytes: number): boolean {
  const inRange = segmentBytes >= minEnvelopeSegmentBytes && segmentBytes <= maxSegmentBytes;
  return Number.isInteger(segmentBytes) && inRange && segmentBytes % envelopeSegmentStepBytes === 0;
}

/** FLOE itself goes lower than the envelope does: the published vectors use 40-byte segments. */
export const minFloeSegmentBytes = 40;

/** 2^40 segments a message, and never past what a JavaScript number counts exactly. */
export const maxSegments: number = 2 ** 40;
export const maxSealedBytes: number = Number.MAX_SAFE_INTEGER - 1;

export const minRegionBytes = 2_048;
export const minProviderRegionBytes = 4_096;
export const maxRegionBytes = 65_536;

export const maxSlots = 8;
export const maxExternalWrapBytes = 2_048;
export const maxHintBytes = 32;
/** Room a writer leaves for one more slot and for a location (docs/format/v1.md §3). */
export const spareSlotBytes = 128;
export const spareLocationBytes = 320;

export const maxContextPairs = 32;
export const maxContextKeyBytes = 128;
export const maxContextValueBytes = 1_024;
export const maxContextBytes = 8_192;

export const minSecretBytes = 32;
export const maxSecretBytes = 64;
/** A mounted secret file larger than this is not a secret; it is not read further. */
export const maxSecretFileBytes = 65_536;

export const volumeIdBytes = 16;
/** Of `keyring.json`, and of an export of it. */
export const maxKeyringBytes = 1_048_576;
export const maxKeyringSlots = 32;
/** Destroyed ones count: their records stay. */
export const maxVolumeKeys = 1_024;
