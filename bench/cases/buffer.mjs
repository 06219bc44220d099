import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { mib, throughput } from '../lib/measure.mjs';

export const id = 'buffer';
export const title = 'In memory, whole buffers';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  '`bare` is the loop that copies what the cipher returns into one output. A sealed file has a header of 4 KiB, two key wraps and two MACs, which is what small inputs pay for.';

const rivals = ['esdk-64k', 'esdk-4k', 'age-encryption', 'sodium-native', 'libsodium-wrappers'];

export function cases({ quick }) {
  const all = [
    { id: '1-kib', bytes: 1024 },
    { id: '64-kib', bytes: 65_536 },
    { id: '1-mib', bytes: mib },
    { id: '16-mib', bytes: 16 * mib },
  ];
  const sizes = quick ? all.slice(3) : all;
  return sizes.flatMap(({ id: size, bytes }) => [
    {
      id: size,
      title: `${size.replace('-kib', ' KiB').replace('-mib', ' MiB')}`,
      bytes,
      operations: ['encrypt', 'decrypt'],
      contenders: ['volseal', 'volseal-floe', 'bare', ...rivals],
    },
    ...(size === '16-mib'
      ? [
          {
            id: `${size}-xchacha`,
            title: '16 MiB, xchacha20-poly1305',
            bytes,
            operations: ['encrypt', 'decrypt'],
            contenders: ['volseal-xchacha', 'volseal-floe-xchacha', 'bare-chacha'],
          },
        ]
      : []),
  ]);
}

export async function measure({ bytes }, contender, operation, { times, directory }) {
  const { encrypt, decrypt } = await contender.buffer({}, { directory });
  const plain = plainBytes(bytes);
  const sealed = await encrypt(plain);
  assertEqualHash('buffer', hashOf(await decrypt(sealed)), hashOf(plain));
  const call = operation === 'encrypt' ? () => encrypt(plain) : () => decrypt(sealed);
  return await throughput(call, bytes, times);
}
