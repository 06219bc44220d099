/**
 * A vector file: one sealed file, the secret that opens it or does not, and what has to come of it. JSON, so that an
 * implementation in any language can be run against it.
 */

import { createHash } from 'node:crypto';
import { deflateSync, inflateSync } from 'node:zlib';

export interface Vector {
  /** What is tried, in words. */
  readonly what: string;
  /** Environment variables with test secrets, as the command line and `flySecrets()` read them. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Options beside the keys. */
  readonly options?: { readonly context?: Readonly<Record<string, string>>; readonly exactContext?: boolean };
  /** `success`, or the code of the error. */
  readonly expect: string;
  /** The same for readers that look at the end of the file first, where it differs. */
  readonly expectFromTheEnd?: string;
  /** The same for readers without keys. */
  readonly expectInspect: string;
  /**
   * All that may have come out when opening ends: whole segments from the start, the shortest first. After a success
   * it is the last of these.
   */
  readonly releases: readonly { readonly bytes: number; readonly sha256: string }[];
  readonly sealedBytes: number;
  readonly sealedSha256: string;
  /** The sealed file, compressed with zlib because headers are mostly zeros, in base64. */
  readonly sealedZlib: string;
}

/** What a vector is made from. */
export interface Definition {
  readonly what: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly options?: Vector['options'];
  readonly sealed: Uint8Array;
  readonly expect: string;
  readonly expectFromTheEnd?: string;
  /** Default: success. */
  readonly expectInspect?: string;
  /** Plaintext of the whole file, and how many bytes of it each whole segment holds. */
  readonly plain?: Uint8Array;
  readonly plainSegmentBytes?: number;
  /** Segments that may come out before the error. */
  readonly authenticSegments?: number;
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

export function encodeVector(definition: Definition): Vector {
  const { what, secrets, options, sealed, expect, expectFromTheEnd, expectInspect = 'success' } = definition;
  const { plain = new Uint8Array(0), plainSegmentBytes = 1, authenticSegments = 0 } = definition;
  const ends = Array.from({ length: authenticSegments + 1 }, (_, segments) => segments * plainSegmentBytes);
  if (expect === 'success') ends.splice(0, ends.length, plain.length);
  return {
    what,
    secrets,
    ...(options && { options }),
    expect,
    ...(expectFromTheEnd !== undefined && { expectFromTheEnd }),
    expectInspect,
    releases: ends.map((bytes) => ({ bytes, sha256: sha256(plain.subarray(0, bytes)) })),
    sealedBytes: sealed.length,
    sealedSha256: sha256(sealed),
    sealedZlib: deflateSync(sealed, { level: 9 }).toString('base64'),
  };
}

export function sealedOf(vector: Vector): Uint8Array {
  return Uint8Array.from(inflateSync(Buffer.from(vector.sealedZlib, 'base64')));
}
