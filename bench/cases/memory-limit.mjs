import { gib, mib, once, peakMemoryMib } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'memory-limit';
export const title = 'In a small Machine';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'The process runs under a memory limit of 256 MiB that the kernel enforces (a control group; page cache counts), without swap where the kernel lets it be forbidden. Files are on a disk. What matters is that it completes.';

const limitBytes = 256 * mib;

export function cases({ quick }) {
  const bytes = quick ? 320 * mib : 4 * gib;
  return [
    {
      id: `${sizeId(bytes)}-in-${sizeId(limitBytes)}`,
      title: sizeTitle(`${sizeId(bytes)}-in-${sizeId(limitBytes)}`),
      bytes,
      limitBytes,
      rounds: 1,
      operations: quick ? ['encrypt'] : ['encrypt', 'decrypt'],
      contenders: quick ? ['volseal'] : ['volseal', 'naive'],
      place: 'disk',
      needBytes: 3.1 * bytes,
    },
  ];
}

export const check = ({ bytes }, contender, context) => checkFiles(bytes, contender, context);

export async function measure({ bytes }, contender, operation, context) {
  const { call, finish } = await prepareOperation(bytes, contender, operation, context);
  const { value, seconds } = await once(call, bytes);
  finish();
  return { value, seconds, peakMib: peakMemoryMib() };
}
