import { once as happened } from 'node:events';
import { pipeline } from 'node:stream/promises';

import { assertEqualHash, hashOf, plainBytes, seededRandom } from '../lib/data.mjs';
import { gib, mib, peakMemoryMib } from '../lib/measure.mjs';
import { sizeId, sizeTitle } from '../lib/names.mjs';

export const id = 'volume-memory';
export const title = 'A volume: peak memory';
export const unit = 'MiB';
export const better = 'lower';
export const note =
  'Peak resident memory of the whole process, Node itself included (`node` is a process that does nothing): a stream into a file of the volume, a stream out of it, and 20,000 random writes of 4 KiB through a handle with a sync after every 1,000.';

export function cases({ quick }) {
  const sizes = quick ? [128 * mib] : [256 * mib, 2 * gib];
  return sizes.map((bytes) => ({
    id: sizeId(bytes),
    title: sizeTitle(sizeId(bytes)),
    bytes,
    rounds: quick ? 1 : 2,
    operations: ['write stream', 'read stream', 'random writes'],
    contenders: ['volume', 'plain-files', 'node'],
    place: 'disk',
    needBytes: 2.2 * bytes,
  }));
}

const name = 'large.bin';
const piece = plainBytes(mib);

async function writeLarge(store, bytes) {
  const stream = store.createWriteStream(name);
  for (let at = 0; at < bytes; at += mib) if (!stream.write(piece)) await happened(stream, 'drain');
  stream.end();
  await happened(stream, 'close');
}

async function readLarge(store) {
  let bytes = 0;
  await pipeline(store.createReadStream(name), async (chunks) => {
    for await (const chunk of chunks) bytes += chunk.length;
  });
  return bytes;
}

async function writeAtRandom(store, bytes, writes) {
  const random = seededRandom(writes);
  const handle = await store.open(name, 'r+');
  for (let i = 1; i <= writes; i++) {
    await handle.write(piece, i % 4096, 4096, Math.floor(random() * (bytes - 4096)));
    if (i % 1000 === 0) await handle.sync();
  }
  await handle.close();
}

export async function check(_params, contender, context) {
  if (contender.store === undefined) return;
  const store = await contender.store({ durable: true }, context);
  await writeLarge(store, 8 * mib);
  const back = await store.readFile(name);
  assertEqualHash('stream', hashOf(back), hashOf(...Array(8).fill(piece)));
  await store.close();
}

export async function measure({ bytes }, contender, operation, context) {
  if (contender.store === undefined) return { value: peakMemoryMib() };
  const store = await contender.store({ durable: true }, context);
  if (operation === 'write stream') await writeLarge(store, bytes);
  else if (operation === 'random writes') await writeAtRandom(store, bytes, 20_000);
  else if ((await readLarge(store)) !== bytes) throw new Error('a file of another size');
  const value = peakMemoryMib();
  await store.close();
  return { value };
}
