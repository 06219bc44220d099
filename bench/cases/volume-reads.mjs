import { assertEqualHash, hashOf, seededRandom } from '../lib/data.mjs';
import { mib, repeat } from '../lib/measure.mjs';
import { plainFile, sealedPath } from './files.mjs';

export const id = 'volume-reads';
export const title = 'A volume: random reads through a handle';
export const unit = 'reads/s';
export const better = 'higher';
export const together = true;
export const note =
  'Reads of 4 KiB, one after the other, each within one segment of 16 KiB. *Cold*: every segment of the file once, in random order, so that none is in the cache of the volume; all are in the page cache. `bare` is `FileHandle.read` of the segment, `createDecipheriv` with the key at hand, and a copy. *Hot*: random places in 64 segments that were read before; plain files are read by `FileHandle.read`.';

const readBytes = 4096;

export function cases({ quick }) {
  const common = { operations: ['read'], place: 'memory', rounds: quick ? 2 : undefined };
  const coldBytes = (quick ? 64 : 512) * mib;
  return [
    {
      ...common,
      id: 'cold',
      title: 'cold',
      bytes: coldBytes,
      segments: 'each once',
      contenders: ['volume', 'volume-xchacha', 'bare', 'plain-files'],
      needBytes: 2.2 * coldBytes,
    },
    {
      ...common,
      id: 'hot',
      title: 'hot',
      bytes: 32 * mib,
      segments: 'few',
      contenders: ['volume', 'plain-files'],
      needBytes: 80 * mib,
    },
  ];
}

const hotSegments = 64;

/** Where to read: in every segment once and in random order, or often in the first few. */
function places({ bytes, segments }, plainSegmentBytes) {
  const random = seededRandom(readBytes);
  const within = (segment) =>
    segment * plainSegmentBytes + Math.floor(random() * (plainSegmentBytes - readBytes));
  if (segments === 'few') {
    return Array.from({ length: 4096 }, () => within(Math.floor(random() * hotSegments)));
  }
  // The last segment may be shorter than a read.
  const order = Array.from({ length: Math.floor(bytes / plainSegmentBytes) - 1 }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order.map(within);
}

const copyPath = ({ bytes }, { directory, contenderId }) =>
  `${sealedPath(directory, contenderId)}-reads-${bytes}`;

export async function check(params, contender, context) {
  const { path } = await plainFile(context.directory, params.bytes);
  const ranges = contender.ranges({ segmentBytes: 16_384 });
  await ranges.seal(path, copyPath(params, context));
  const [file, plain] = await Promise.all([
    ranges.open(copyPath(params, context)),
    (await import('node:fs/promises')).open(path),
  ]);
  const expected = Buffer.alloc(readBytes);
  const actual = Buffer.alloc(readBytes);
  for (const position of places(params, file.plainSegmentBytes).slice(0, 200)) {
    await plain.read(expected, 0, readBytes, position);
    const { bytesRead } = await file.read(actual, readBytes, position);
    assertEqualHash('read', hashOf(actual.subarray(0, bytesRead)), hashOf(expected));
  }
  await plain.close();
  await file.close();
}

export async function measure(params, contender, _operation, { times, ...context }) {
  const file = await contender.ranges({ segmentBytes: 16_384 }).open(copyPath(params, context));
  const at = places(params, file.plainSegmentBytes);
  const target = Buffer.alloc(readBytes);
  let next = 0;
  const { callsPerSecond } = await repeat(() => {
    const position = at[next];
    next = next + 1 === at.length ? 0 : next + 1;
    return file.read(target, readBytes, position);
  }, times);
  await file.close();
  return { value: callsPerSecond };
}
