import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { mib, throughput } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';

export const id = 'buffer';
export const title = 'In memory, whole buffers';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  '`bare` is the loop that copies what the cipher returns into one output. A sealed file has a header of 4 KiB, two key wraps and two MACs, which is what small inputs pay for.';

const rivals = ['esdk-64k', 'esdk-4k', 'age-encryption', 'sodium-native', 'libsodium-wrappers'];

export function cases({ quick }) {
  const sizes = quick ? [16 * mib] : [1024, 65_536, mib, 16 * mib];
  return sizes.flatMap((bytes) => [
    {
      id: sizeId(bytes),
      table: 'aes-256-gcm, and the rivals with what they have',
      title: sizeTitle(sizeId(bytes)),
      bytes,
      rounds: quick || bytes === 16 * mib ? undefined : 3,
      operations: ['encrypt', 'decrypt'],
      contenders: ['volseal', 'volseal-floe', 'bare', ...(quick ? [] : rivals)],
    },
    ...(bytes === 16 * mib
      ? [
          {
            id: `${sizeId(bytes)}-xchacha`,
            table: 'xchacha20-poly1305',
            title: sizeTitle(sizeId(bytes)),
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
