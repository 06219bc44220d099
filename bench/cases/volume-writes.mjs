import { assertEqualHash, hashOf, plainBytes, seededRandom } from '../lib/data.mjs';
import { countIo } from '../lib/io-counts.mjs';
import { mib, once } from '../lib/measure.mjs';

export const id = 'volume-writes';
export const title = 'A volume: writes in place, synced';
export const unit = 'writes/s';
export const better = 'higher';
export const note =
  'Through an open handle on a disk, one write after the other. *Random*: 4 KiB at random places of a file, and a sync after every 100 writes. *Append*: 200 bytes at the end, and a sync after each. The sync is `FileHandle.sync` or `FileHandle.datasync` for both. Closing the handle is timed too, since a volume puts its journal away then.';
export const beside = {
  syncsPerCall: 'syncs for each write',
  bytesWrittenPerCall: 'bytes written for each write',
};

export function cases({ quick }) {
  const common = {
    operations: quick ? ['sync'] : ['sync', 'datasync'],
    contenders: quick ? ['volume', 'plain-files'] : ['volume', 'volume-xchacha', 'plain-files'],
    place: 'disk',
    rounds: quick ? 1 : 5,
  };
  return [
    {
      ...common,
      id: 'random-4-kib',
      title: 'random, 4 KiB, a sync for each 100',
      table: 'Random writes of 4 KiB, a sync after every 100',
      bytes: (quick ? 16 : 128) * mib,
      writeBytes: 4096,
      writes: quick ? 1000 : 10_000,
      writesPerSync: 100,
      needBytes: (quick ? 40 : 300) * mib,
    },
    {
      ...common,
      id: 'append-200',
      title: 'appends of 200 bytes, a sync for each',
      table: 'Appends of 200 bytes, a sync after each',
      bytes: 0,
      writeBytes: 200,
      writes: quick ? 500 : 5000,
      writesPerSync: 1,
      needBytes: 64 * mib,
    },
  ];
}

const name = 'written.bin';

/** The places of the writes, undefined for appends. */
function placesOf({ bytes, writeBytes, writes }) {
  if (bytes === 0) return undefined;
  const random = seededRandom(writes);
  return Array.from({ length: writes }, () => Math.floor(random() * (bytes - writeBytes)));
}

async function prepare(store, { bytes }) {
  await store.writeFile(name, plainBytes(bytes));
  return store.open(name, bytes === 0 ? 'a' : 'r+');
}

async function writeAll(handle, { writeBytes, writes, writesPerSync }, places, sync) {
  const data = plainBytes(writeBytes + writes);
  for (let i = 0; i < writes; i++) {
    // Other bytes each time.
    await handle.write(data, i, writeBytes, places === undefined ? null : places[i]);
    if ((i + 1) % writesPerSync === 0) await handle[sync]();
  }
}

/** What the file must hold afterwards. */
function expectedContent({ bytes, writeBytes, writes }, places) {
  const data = plainBytes(writeBytes + writes);
  if (places === undefined) {
    return Buffer.concat(Array.from({ length: writes }, (_, i) => data.subarray(i, i + writeBytes)));
  }
  const content = plainBytes(bytes);
  for (const [i, place] of places.entries()) content.set(data.subarray(i, i + writeBytes), place);
  return content;
}

export async function check(params, contender, context) {
  const small = { ...params, writes: 500 };
  const places = placesOf(small);
  const store = await contender.store({ durable: true }, context);
  const handle = await prepare(store, small);
  await writeAll(handle, small, places, 'sync');
  await handle.close();
  const content = await store.readFile(name);
  await store.close();
  assertEqualHash('writes', hashOf(content), hashOf(expectedContent(small, places)));
}

export async function measure(params, contender, operation, context) {
  const places = placesOf(params);
  const store = await contender.store({ durable: true }, context);
  const handle = await prepare(store, params);
  const counts = await countIo();
  const { seconds } = await once(async () => {
    await writeAll(handle, params, places, operation);
    await handle.close();
  }, params.writes * params.writeBytes);
  const figures = {
    value: params.writes / seconds,
    syncsPerCall: counts.syncs / params.writes,
    bytesWrittenPerCall: counts.bytesWritten / params.writes,
  };
  await store.close();
  return figures;
}
