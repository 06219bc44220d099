import { existsSync } from 'node:fs';
import { open } from 'node:fs/promises';

import { assertEqualHash, hashOf, seededRandom } from '../lib/data.mjs';
import { mib, repeat } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { plainFile, sealedPath } from './files.mjs';

export const id = 'range';
export const title = 'Random reads';
export const unit = 'reads/s';
export const better = 'higher';
export const together = true;
export const note =
  'One read after the other at random places. 4 KiB reads lie within one segment. `bare` is `FileHandle.read` of the segments that cover the range, `createDecipheriv` for each, and a copy into the caller’s buffer.';

export function cases({ quick }) {
  const bytes = quick ? 32 * mib : 512 * mib;
  const make = (readBytes, segmentBytes) => ({
    id: `${sizeId(readBytes)}-of-${sizeId(segmentBytes)}-segments`,
    title: `${sizeTitle(sizeId(readBytes))} of ${sizeTitle(sizeId(segmentBytes))} segments`,
    bytes,
    readBytes,
    segmentBytes,
    rounds: quick ? 2 : undefined,
    operations: ['read'],
    contenders: ['volseal', 'bare'],
    place: 'memory',
    needBytes: 3.1 * bytes,
  });
  const main = make(4096, 16_384);
  if (quick) return [main];
  return [main, make(4096, 65_536), make(mib, 16_384), make(mib, 65_536)];
}

/** Small reads are placed inside one segment, so that everyone opens exactly one. */
function places(count, { bytes, readBytes }, plainSegmentBytes) {
  const random = seededRandom(readBytes);
  return Array.from({ length: count }, () => {
    if (readBytes > plainSegmentBytes) return Math.floor(random() * (bytes - readBytes));
    const segment = Math.floor(random() * (Math.floor(bytes / plainSegmentBytes) - 1));
    return segment * plainSegmentBytes + Math.floor(random() * (plainSegmentBytes - readBytes));
  });
}

export async function check(params, contender, { directory, contenderId }) {
  const { path } = await plainFile(directory, params.bytes);
  const sealed = `${sealedPath(directory, contenderId)}-ranges-${params.segmentBytes}`;
  const ranges = await contender.ranges(params);
  if (!existsSync(sealed)) await ranges.seal(path, sealed);
  const file = await ranges.open(sealed);
  const plain = await open(path);
  const expected = Buffer.alloc(params.readBytes);
  const actual = Buffer.alloc(params.readBytes);
  for (const position of places(100, params, file.plainSegmentBytes)) {
    await plain.read(expected, 0, expected.length, position);
    const { bytesRead } = await file.read(actual, actual.length, position);
    assertEqualHash('range', hashOf(actual.subarray(0, bytesRead)), hashOf(expected));
  }
  await plain.close();
  await file.close();
}

export async function measure(params, contender, _operation, { directory, contenderId, times }) {
  const ranges = await contender.ranges(params);
  const file = await ranges.open(`${sealedPath(directory, contenderId)}-ranges-${params.segmentBytes}`);
  const at = places(4096, params, file.plainSegmentBytes);
  const target = Buffer.alloc(params.readBytes);
  const { callsPerSecond } = await repeat(
    (call) => file.read(target, target.length, at[call % at.length]),
    times,
  );
  await file.close();
  return { value: callsPerSecond };
}
