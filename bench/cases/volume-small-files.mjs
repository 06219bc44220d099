import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { countIo } from '../lib/io-counts.mjs';
import { once } from '../lib/measure.mjs';
import { remove } from './files.mjs';

export const id = 'volume-small-files';
export const title = 'A volume: many small files';
export const unit = 'files/s';
export const better = 'higher';
export const note =
  'Files of 1 KiB, one after the other: `writeFile` under its own name (temporary name, write, sync, rename, sync of the directory), and `readFile`. Without sync a volume has `durability: ’none’`, and the plain recipe leaves out both syncs.';
export const beside = {
  syncsPerCall: 'syncs for each file',
  bytesWrittenPerCall: 'bytes written for each file',
};

const fileBytes = 1024;

export function cases({ quick }) {
  const count = quick ? 200 : 10_000;
  const make = (durable) => ({
    id: `${count}-of-1-kib${durable ? '' : '-no-sync'}`,
    title: `${count.toLocaleString('en')} files of 1 KiB${durable ? '' : ', without sync'}`,
    table: durable ? 'On a disk' : 'In memory, without sync',
    count,
    durable,
    rounds: quick ? undefined : 3,
    operations: ['write', 'read'],
    contenders: durable || quick ? ['volume', 'plain-files'] : ['volume', 'volume-xchacha', 'plain-files'],
    place: durable ? 'disk' : 'memory',
    needBytes: 2 * count * 8192,
  });
  return [make(true), make(false)];
}

const folderName = 'small-files';
const nameOf = (i) => `${folderName}/${i}`;

async function writeFiles(store, count, data) {
  for (let i = 0; i < count; i++) {
    await store.writeFile(nameOf(i), data.subarray(i * fileBytes, (i + 1) * fileBytes));
  }
}

/** A folder is a folder, in a volume as well. */
function emptyFolder(store) {
  const folder = join(store.root, folderName);
  remove(folder);
  mkdirSync(folder);
}

export async function check({ count, durable }, contender, context) {
  const store = await contender.store({ durable }, context);
  const checked = Math.min(count, 500);
  const data = plainBytes(checked * fileBytes);
  emptyFolder(store);
  await writeFiles(store, checked, data);
  const back = [];
  for (let i = 0; i < checked; i++) back.push(await store.readFile(nameOf(i)));
  await store.close();
  assertEqualHash('small files', hashOf(...back), hashOf(data));
}

export async function measure({ count, durable }, contender, operation, context) {
  const store = await contender.store({ durable }, context);
  const data = plainBytes(count * fileBytes);
  if (operation === 'write') emptyFolder(store);
  const counts = await countIo();
  let bytesRead = 0;
  const { seconds } = await once(async () => {
    if (operation === 'write') {
      await writeFiles(store, count, data);
      return;
    }
    for (let i = 0; i < count; i++) bytesRead += (await store.readFile(nameOf(i))).length;
  }, count * fileBytes);
  if (operation === 'read' && bytesRead !== count * fileBytes) throw new Error(`read ${bytesRead} bytes`);
  const figures = {
    value: count / seconds,
    syncsPerCall: counts.syncs / count,
    bytesWrittenPerCall: counts.bytesWritten / count,
  };
  await store.close();
  return figures;
}
