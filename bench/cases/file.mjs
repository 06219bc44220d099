import { gib, mib, once, throughput } from '../lib/measure.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'file';
export const title = 'File to file';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'Files in memory (page cache or tmpfs), so that no disk is measured. `ideal` is the hand-written loop for two known files; `naive` is `createReadStream | createCipheriv | createWriteStream`.';

const own = ['volseal', 'volseal-xchacha', 'ideal', 'naive', 'copy-file'];
const rivals = ['esdk-64k', 'esdk-4k', 'age-encryption', 'age-program', 'sodium-native', 'libsodium-wrappers'];

export function cases({ quick }) {
  const sizes = quick
    ? [{ id: '64-mib', title: '64 MiB', bytes: 64 * mib, contenders: [...own, ...rivals] }]
    : [
        { id: '1-kib', title: '1 KiB', bytes: 1024, contenders: [...own, ...rivals] },
        { id: '64-kib', title: '64 KiB', bytes: 65_536, contenders: own },
        { id: '1-mib', title: '1 MiB', bytes: mib, contenders: [...own, ...rivals] },
        { id: '16-mib', title: '16 MiB', bytes: 16 * mib, contenders: own },
        { id: '256-mib', title: '256 MiB', bytes: 256 * mib, contenders: own },
        { id: '1-gib', title: '1 GiB', bytes: gib, contenders: [...own, ...rivals] },
        // The slow ones have said at 1 GiB what there is to say.
        { id: '4-gib', title: '4 GiB', bytes: 4 * gib, contenders: ['volseal', 'ideal', 'naive', 'copy-file'], rounds: 3 },
      ];
  return sizes.map((size) => ({ ...size, operations: ['encrypt', 'decrypt'], place: 'memory', needBytes: 3.1 * size.bytes }));
}

export const check = ({ bytes }, contender, context) => checkFiles(bytes, contender, context);

export async function measure({ bytes }, contender, operation, context) {
  const { call, before, finish } = await prepareOperation(bytes, contender, operation, context);
  const figures = bytes >= 64 * mib ? await once(call, bytes) : await throughput(call, bytes, { ...context.times, before });
  finish();
  if (contender.foreign) delete figures.cpuSecondsPerGib;
  return figures;
}
