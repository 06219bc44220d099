import { hashOf, plainBytes, assertEqualHash } from '../lib/data.mjs';
import { mib, throughput } from '../lib/measure.mjs';

export const id = 'segments';
export const title = 'Segments in memory';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'One segment after the other of 8 MiB of data; the ciphertext stays in the pieces that the cipher returned, as `writev` takes it.';

const passBytes = 8 * mib;
const label = (bytes) => (bytes >= mib ? `${bytes / mib}-mib` : `${bytes / 1024}-kib`);

export function cases({ quick }) {
  const sizes = quick ? [65_536] : [4_096, 16_384, 65_536, mib];
  return sizes.flatMap((segmentBytes) => [
    {
      id: `aes-256-gcm-${label(segmentBytes)}`,
      title: `aes-256-gcm, segments of ${label(segmentBytes).replace('-kib', ' KiB').replace('-mib', ' MiB')}`,
      segmentBytes,
      operations: ['seal', 'open'],
      contenders: ['volseal', 'bare'],
    },
    {
      id: `xchacha20-poly1305-${label(segmentBytes)}`,
      title: `xchacha20-poly1305, segments of ${label(segmentBytes).replace('-kib', ' KiB').replace('-mib', ' MiB')}`,
      segmentBytes,
      operations: ['seal', 'open'],
      contenders: ['volseal-xchacha', 'bare-chacha', ...(segmentBytes === 65_536 ? ['sodium-native', 'libsodium-wrappers'] : [])],
    },
  ]);
}

export async function measure({ segmentBytes }, contender, operation, { times }) {
  const { plainSegmentBytes, seal, open } = await contender.segments({ segmentBytes });
  const count = Math.ceil(passBytes / segmentBytes);
  const plain = plainBytes(count * plainSegmentBytes);
  const segments = Array.from({ length: count }, (_, i) =>
    plain.subarray(i * plainSegmentBytes, (i + 1) * plainSegmentBytes),
  );
  // Sealed data lies in one buffer, as it does after a read.
  const sealedParts = segments.map((segment, position) => Buffer.concat(seal(segment, position, false)));
  const sealedBuffer = Buffer.concat(sealedParts);
  let at = 0;
  const sealed = sealedParts.map(({ length }) => sealedBuffer.subarray(at, (at += length)));
  const opened = sealed.map((segment, position) => Uint8Array.from(open(segment, position, false)));
  assertEqualHash('segments', hashOf(...opened), hashOf(plain));

  const [work, input] = operation === 'seal' ? [seal, segments] : [open, sealed];
  return await throughput(
    () => {
      for (let position = 0; position < count; position++) work(input[position], position, false);
    },
    plain.length,
    times,
  );
}
