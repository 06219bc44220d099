/** FLOE's parameters and their ten-byte encoding (c2sp.org/FLOE, PARAM_ENCODE). */

import { aeadById, aeadBySuite } from '../aead/registry.ts';
import type { BodyUse, SegmentAead, Suite } from '../aead/suite.ts';
import { concatBytes, readU32, u32 } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { defaultSegmentBytes } from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { messageIvBytes, parameterBytes, type SegmentLayout, segmentLayout } from './layout.ts';

const hkdfExpandSha384 = 0;

export interface FloeParameters {
  readonly aead: SegmentAead;
  readonly layout: SegmentLayout;
  /** PARAM_ENCODE, 10 bytes. */
  readonly encoded: Uint8Array;
}

export function floeParameters(
  suite: Suite = 'aes-256-gcm',
  segmentBytes: number = defaultSegmentBytes,
  use: BodyUse = 'write-once',
): FloeParameters {
  const aead = aeadBySuite(suite, use);
  const layout = segmentLayout(segmentBytes, aead.nonceBytes);
  const encoded = concatBytes(
    Uint8Array.of(aead.id, hkdfExpandSha384),
    u32(segmentBytes),
    u32(messageIvBytes),
  );
  return { aead, layout, encoded };
}

/**
 * Decodes the first ten bytes of a FLOE header.
 * @throws VolsealError `ERR_VOLSEAL_UNSUPPORTED_SUITE`, also for a suite of the other use
 */
export function parseFloeParameters(header: Uint8Array, use: BodyUse = 'write-once'): FloeParameters {
  if (header.length < parameterBytes) throw invalidArgument('a FLOE header has 74 bytes');
  if (header[1] !== hkdfExpandSha384) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      `sealed with an unknown key derivation (KDF id ${header[1]})`,
      {
        hint: 'a newer volseal may know it; upgrade and try again',
      },
    );
  }
  const aead = aeadById(header[0] as number, use);
  if (readU32(header, 6) !== messageIvBytes) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      `sealed with a ${readU32(header, 6)}-byte message IV`,
      {
        hint: 'FLOE messages have 32-byte IVs; is this one?',
      },
    );
  }
  const segmentBytes = readU32(header, 2);
  try {
    return {
      aead,
      layout: segmentLayout(segmentBytes, aead.nonceBytes),
      encoded: header.slice(0, parameterBytes),
    };
  } catch (cause) {
    throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_SUITE', `sealed with segments of ${segmentBytes} bytes`, {
      hint: 'segments of up to 4 MiB are supported',
      cause,
    });
  }
}
