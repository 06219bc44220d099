import { gib, mib, once, peakMemoryMib } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'memory';
export const title = 'Peak memory';
export const unit = 'MiB';
export const better = 'lower';
export const note =
  'Peak resident memory of the whole process, file to file, Node itself included (`node` is a process that does nothing).';

const rivals = ['esdk-64k', 'esdk-4k', 'age-encryption', 'sodium-native', 'libsodium-wrappers'];

export function cases({ quick }) {
  const sizes = quick
    ? [{ bytes: 128 * mib, contenders: ['volseal', 'node'] }]
    : [
        {
          bytes: gib,
          contenders: ['volseal', 'volseal-xchacha', 'ideal', 'naive', ...rivals, 'node'],
          rounds: 2,
          rivalRounds: 1,
        },
        { bytes: 4 * gib, contenders: ['volseal', 'node'], rounds: 2 },
      ];
  return sizes.map((size) => ({
    ...size,
    id: sizeId(size.bytes),
    title: sizeTitle(sizeId(size.bytes)),
    operations: ['encrypt', 'decrypt'],
    place: 'memory',
    needBytes: 3.1 * size.bytes,
  }));
}

export async function check({ bytes }, contender, context) {
  if (contender.files !== undefined) await checkFiles(bytes, contender, context);
}

export async function measure({ bytes }, contender, operation, context) {
  if (contender.files === undefined) return { value: peakMemoryMib() };
  const { call, finish } = await prepareOperation(bytes, contender, operation, context);
  await once(call, bytes);
  const value = peakMemoryMib();
  finish();
  return { value };
}
