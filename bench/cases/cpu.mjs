import { gib, mib, once } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { plainBytes } from '../lib/data.mjs';
import { checkFiles, prepareOperation } from './files.mjs';

export const id = 'cpu';
export const title = 'CPU time';
export const unit = 'CPU s/GiB';
export const better = 'lower';
export const note =
  'User and system time of all threads of the process, file to file. `bare` works in memory; `bare` and the plain copy through user space together are the floor.';

export function cases({ quick }) {
  const bytes = quick ? 64 * mib : gib;
  return [
    {
      id: sizeId(bytes),
      title: sizeTitle(sizeId(bytes)),
      bytes,
      rounds: quick ? undefined : 3,
      operations: ['encrypt', 'decrypt'],
      contenders: ['volseal', 'bare', 'copy-loop', ...(quick ? [] : ['ideal', 'naive'])],
      place: 'memory',
      needBytes: 3.1 * bytes,
    },
  ];
}

export async function check({ bytes }, contender, context) {
  if (contender.files !== undefined) await checkFiles(bytes, contender, context);
}

const segmentBytes = 65_536;

/** As many bytes through the bare cipher, in memory. */
async function bareLoop(bytes, contender, operation) {
  const { plainSegmentBytes, seal, open } = await contender.segments({ segmentBytes });
  const segment = plainBytes(plainSegmentBytes);
  const sealed = Buffer.concat(seal(segment, 0, false));
  const count = Math.ceil(bytes / plainSegmentBytes);
  return await once(() => {
    for (let i = 0; i < count; i++) {
      if (operation === 'encrypt') seal(segment, i, false);
      else open(sealed, 0, false);
    }
  }, bytes);
}

export async function measure({ bytes }, contender, operation, context) {
  if (contender.files === undefined) {
    const { cpuSecondsPerGib } = await bareLoop(bytes, contender, operation);
    return { value: cpuSecondsPerGib };
  }
  const { call, finish } = await prepareOperation(bytes, contender, operation, context);
  const { cpuSecondsPerGib } = await once(call, bytes);
  finish();
  return { value: cpuSecondsPerGib };
}
