import { createHash } from 'node:crypto';
import { pipeline } from 'node:stream/promises';

import { assertEqualHash, hashOf, NotEqualError, plainBytes } from '../lib/data.mjs';
import { mib, throughput } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { chunksOf, nodeSink, nodeSource, webSink, webSource } from '../lib/streams.mjs';

export const id = 'stream';
export const title = 'Stream to stream';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'From chunks of 64 KiB in memory to a sink that counts. `naive` is one createCipheriv for the whole stream: not seekable, and its decryption lets bytes out before they are authenticated.';

export function cases({ quick }) {
  const bytes = quick ? 8 * mib : 128 * mib;
  return [
    {
      id: sizeId(bytes),
      title: sizeTitle(sizeId(bytes)),
      bytes,
      operations: ['encrypt', 'decrypt'],
      contenders: [
        'volseal',
        'volseal-xchacha',
        'volseal-web',
        'naive',
        'esdk-64k',
        'esdk-4k',
        'age-encryption',
        'sodium-native',
        'libsodium-wrappers',
      ],
    },
  ];
}

async function run(streams, operation, chunks, onChunk) {
  if (streams.kind === 'web') {
    const converted = await streams[operation](webSource(chunks));
    await converted.pipeTo(webSink(onChunk));
  } else {
    await pipeline(nodeSource(chunks), ...[streams[operation]()].flat(), nodeSink(onChunk));
  }
}

async function collect(streams, operation, chunks) {
  const out = [];
  await run(streams, operation, chunks, (chunk) => out.push(Buffer.from(chunk)));
  return Buffer.concat(out);
}

export async function measure({ bytes }, contender, operation, { times, directory }) {
  const streams = await contender.streams({}, { directory });
  // An odd size first, with chunks of another size: the ends of the stream are where mistakes are.
  const odd = plainBytes(3 * mib + 12_345);
  const oddSealed = await collect(streams, 'encrypt', chunksOf(odd, 50_021));
  assertEqualHash(
    'stream',
    hashOf(await collect(streams, 'decrypt', chunksOf(oddSealed, 70_001))),
    hashOf(odd),
  );

  const plain = plainBytes(bytes);
  const sealed = await collect(streams, 'encrypt', chunksOf(plain));
  const hash = createHash('sha256');
  await run(streams, 'decrypt', chunksOf(sealed), (chunk) => hash.update(chunk));
  assertEqualHash('stream', hash.digest('hex'), hashOf(plain));

  const chunks = chunksOf(operation === 'encrypt' ? plain : sealed);
  const expected = operation === 'encrypt' ? sealed.length : plain.length;
  return await throughput(
    async () => {
      let seen = 0;
      await run(streams, operation, chunks, (chunk) => {
        seen += chunk.length;
      });
      if (seen !== expected) throw new NotEqualError(`stream: ${seen} bytes came out, not ${expected}`);
    },
    bytes,
    { ...times, warmMs: 0 },
  );
}
