import { hashOf, plainBytes, assertEqualHash } from '../lib/data.mjs';
import { mib, throughput } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';

export const id = 'segments';
export const title = 'Segments in memory';
export const unit = 'MiB/s';
export const better = 'higher';
export const together = true;
export const note =
  'One segment after the other of 8 MiB of data; the ciphertext stays in the pieces that the cipher returned, as `writev` takes it.';

const passBytes = 8 * mib;

export function cases({ quick }) {
  // The other sizes show the trend.
  const rounds = (segmentBytes) => (segmentBytes === 65_536 ? 5 : 3);
  const sizes = quick ? [65_536] : [4_096, 16_384, 65_536, mib];
  return sizes.flatMap((segmentBytes) => [
    {
      id: `aes-256-gcm-${sizeId(segmentBytes)}`,
      table: 'aes-256-gcm, by segment size',
      title: sizeTitle(sizeId(segmentBytes)),
      segmentBytes,
      rounds: quick ? 2 : rounds(segmentBytes),
      operations: ['seal', 'open'],
      contenders: ['volseal', 'bare'],
    },
    {
      id: `xchacha20-poly1305-${sizeId(segmentBytes)}`,
      table: 'xchacha20-poly1305, by segment size',
      title: sizeTitle(sizeId(segmentBytes)),
      segmentBytes,
      rounds: quick ? 2 : rounds(segmentBytes),
      operations: ['seal', 'open'],
      contenders: [
        'volseal-xchacha',
        'bare-chacha',
        ...(segmentBytes === 65_536 ? ['sodium-native', 'libsodium-wrappers'] : []),
      ],
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
