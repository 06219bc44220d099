import { gib, mib, once, peakMemoryMib } from '../lib/measure.mjs';
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
    ? [{ id: '128-mib', title: '128 MiB', bytes: 128 * mib, contenders: ['volseal', 'naive', 'node'], rounds: 1 }]
    : [
        {
          id: '1-gib',
          title: '1 GiB',
          bytes: gib,
          contenders: ['volseal', 'volseal-xchacha', 'ideal', 'naive', ...rivals, 'node'],
          rounds: 3,
        },
        { id: '4-gib', title: '4 GiB', bytes: 4 * gib, contenders: ['volseal', 'node'], rounds: 2 },
      ];
  return sizes.map((size) => ({ ...size, operations: ['encrypt', 'decrypt'], place: 'memory', needBytes: 3.1 * size.bytes }));
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
