import { gib, mib, once, throughput } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'file';
export const title = 'File to file';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'Files in memory (page cache or tmpfs), so that no disk is measured. `ideal` is the hand-written loop for two known files; `naive` is `createReadStream | createCipheriv | createWriteStream`.';

const own = ['volseal', 'volseal-xchacha', 'ideal', 'naive', 'copy-file'];
/** The slowest are seen in the quick run's streams. */
const quickRivals = ['esdk-64k', 'age-program', 'sodium-native'];
const rivals = [
  'esdk-64k',
  'esdk-4k',
  'age-encryption',
  'age-program',
  'sodium-native',
  'libsodium-wrappers',
];

export function cases({ quick }) {
  const everyone = [...own, ...rivals];
  const sizes = quick
    ? [{ bytes: 64 * mib, contenders: [...own, ...quickRivals] }]
    : [
        { bytes: 1024, contenders: everyone, rounds: 3 },
        { bytes: 65_536, contenders: own, rounds: 3 },
        { bytes: mib, contenders: everyone, rounds: 3 },
        { bytes: 16 * mib, contenders: own, rounds: 3 },
        { bytes: 256 * mib, contenders: own, rounds: 3 },
        { bytes: gib, contenders: everyone, rivalRounds: 2 },
        // The slow ones have said at 1 GiB what there is to say.
        { bytes: 4 * gib, contenders: ['volseal', 'ideal', 'naive', 'copy-file'], rounds: 1 },
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

export const check = ({ bytes }, contender, context) => checkFiles(bytes, contender, context);

export async function measure({ bytes }, contender, operation, context) {
  const { call, before, finish } = await prepareOperation(bytes, contender, operation, context);
  const figures =
    bytes >= 64 * mib ? await once(call, bytes) : await throughput(call, bytes, { ...context.times, before });
  finish();
  if (contender.foreign) delete figures.cpuSecondsPerGib;
  return figures;
}
