/** A header copy and a whole sealed file, field after field as in the table of docs/format/v1.md §3; no code of src. */

import { concatBytes } from '@noble/ciphers/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { referenceCrc32c } from './crc32c.ts';
import { bigEndian, referenceExpand } from './keys.ts';

const u = (value: number | bigint, bytes: number): Uint8Array => bigEndian(BigInt(value), bytes);
const withLength = (bytes: Uint8Array): Uint8Array => concatBytes(u(bytes.length, 2), bytes);

/** The context bytes of string pairs: sorted by the bytes of the key. */
export function referenceContext(pairs: readonly (readonly [string, string])[]): Uint8Array {
  const encoded = pairs.map(
    ([key, value]) => [Buffer.from(key, 'utf8'), Buffer.from(value, 'utf8')] as const,
  );
  encoded.sort(([a], [b]) => Buffer.compare(a, b));
  return concatBytes(
    u(pairs.length, 2),
    ...encoded.flatMap(([key, value]) => [withLength(key), withLength(value)]),
  );
}

export interface ReferenceCopy {
  readonly regionBytes: number;
  readonly halfIndex: number;
  readonly generation: bigint;
  readonly fileId: Uint8Array;
  readonly floeHeader: Uint8Array;
  readonly context: Uint8Array;
  readonly slots: readonly Uint8Array[];
  readonly version?: number;
  readonly bodyKind?: number;
  readonly reserved?: number;
  readonly flags?: number;
  readonly state?: Uint8Array;
  readonly location?: Uint8Array;
  readonly slotCount?: number;
  /** Bytes between the last slot and the checksum, where there may be none. */
  readonly extra?: Uint8Array;
}

/** One copy with matching checksum and MAC, without the zeros that fill its half. */
export function referenceCopy(copy: ReferenceCopy, dataKey: Uint8Array): Uint8Array {
  const rest = concatBytes(
    u(copy.bodyKind ?? 1, 1),
    u(copy.reserved ?? 0, 1),
    u(copy.flags ?? 0, 2),
    u(copy.generation, 8),
    copy.fileId,
    copy.floeHeader,
    copy.state ?? new Uint8Array(48),
    withLength(copy.context),
    withLength(copy.location ?? new Uint8Array(0)),
    u(copy.slotCount ?? copy.slots.length, 1),
    ...copy.slots.map(withLength),
    copy.extra ?? new Uint8Array(0),
  );
  const macInput = concatBytes(
    Uint8Array.of(0x89, 0x56, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a),
    u(copy.version ?? 1, 2),
    u(copy.halfIndex, 1),
    u(Math.log2(copy.regionBytes), 1),
    u(16 + rest.length + 36, 4),
    rest,
  );
  const mac = hmac(sha256, referenceExpand(dataKey, 'volseal/v1/header-mac'), macInput);
  return concatBytes(macInput, u(referenceCrc32c(concatBytes(macInput, mac)), 4), mac);
}

/** Both halves, each filled up with zeros. */
export function referenceRegion(first: Uint8Array, second: Uint8Array, regionBytes: number): Uint8Array {
  const region = new Uint8Array(regionBytes);
  region.set(first, 0);
  region.set(second, regionBytes / 2);
  return region;
}
