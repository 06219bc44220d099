import { open } from 'node:fs/promises';

import { gib, mib, once } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';
import { checkFiles, prepareOperation, sealedPath } from './files.mjs';

export const id = 'durable';
export const title = 'File to file, on the disk';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  'The same on a disk, until the data is on it: `encryptFile` writes to a temporary name, syncs and renames, and here the others are made to sync as well. This is a figure of the disk more than of the code.';

export function cases({ quick }) {
  const bytes = quick ? 64 * mib : gib;
  return [
    {
      id: sizeId(bytes),
      title: sizeTitle(sizeId(bytes)),
      bytes,
      operations: ['encrypt'],
      contenders: quick ? ['volseal', 'ideal'] : ['volseal', 'ideal', 'naive', 'copy-file'],
      place: 'disk',
      needBytes: 3.1 * bytes,
    },
  ];
}

export const check = ({ bytes }, contender, context) => checkFiles(bytes, contender, context);

export async function measure({ bytes }, contender, operation, context) {
  const { call, finish } = await prepareOperation(bytes, contender, operation, context);
  const sealed = sealedPath(context.directory, context.contenderId);
  const syncsItself = context.contenderId.startsWith('volseal');
  const figures = await once(async () => {
    await call();
    if (syncsItself) return;
    const file = await open(sealed, 'r+');
    await file.sync();
    await file.close();
  }, bytes);
  finish();
  return figures;
}
