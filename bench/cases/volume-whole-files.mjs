import { assertEqualHash, hashOf, plainBytes } from '../lib/data.mjs';
import { countIo } from '../lib/io-counts.mjs';
import { mib, once } from '../lib/measure.mjs';

export const id = 'volume-whole-files';
export const title = 'A volume: a large file at once';
export const unit = 'MiB/s';
export const better = 'higher';
export const note =
  '`writeFile` and `readFile` of one buffer, on a disk, until it is durable: temporary name, write, sync, rename, sync of the directory.';
export const beside = {
  syncsPerCall: 'syncs for each call',
  bytesWrittenPerCall: 'bytes written for each call',
};

export function cases({ quick }) {
  const bytes = (quick ? 16 : 64) * mib;
  return [
    {
      id: `${bytes / mib}-mib`,
      title: `${bytes / mib} MiB`,
      bytes,
      calls: quick ? 1 : 4,
      operations: ['write', 'read'],
      contenders: quick ? ['volume', 'plain-files'] : ['volume', 'volume-xchacha', 'plain-files'],
      place: 'disk',
      needBytes: 4 * bytes,
    },
  ];
}

const name = 'whole.bin';

export async function check({ bytes }, contender, context) {
  const store = await contender.store({ durable: true }, context);
  const data = plainBytes(bytes);
  await store.writeFile(name, data);
  const back = await store.readFile(name);
  await store.close();
  assertEqualHash('whole file', hashOf(back), hashOf(data));
}

export async function measure({ bytes, calls }, contender, operation, context) {
  const store = await contender.store({ durable: true }, context);
  const data = operation === 'write' ? plainBytes(bytes) : undefined;
  const counts = await countIo();
  const { value, cpuSecondsPerGib } = await once(async () => {
    for (let call = 0; call < calls; call++) {
      if (data !== undefined) await store.writeFile(name, data);
      else if ((await store.readFile(name)).length !== bytes) throw new Error('a file of another size');
    }
  }, bytes * calls);
  const figures = {
    value,
    cpuSecondsPerGib,
    syncsPerCall: counts.syncs / calls,
    bytesWrittenPerCall: counts.bytesWritten / calls,
  };
  await store.close();
  return figures;
}
