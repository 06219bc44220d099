/**
 * Counts what this process asks the kernel to make durable: syncs, and bytes given to write. Both are counted where
 * `node:fs` is called, so that pipes and the runtime's own wake-ups are not among them.
 */

import fs from 'node:fs';
import { open } from 'node:fs/promises';

/** The methods of FileHandle that the plain contenders write with; a volume uses the functions with callbacks. */
async function fileHandlePrototype() {
  const handle = await open('/dev/null');
  await handle.close();
  return Object.getPrototypeOf(handle);
}

const lengthOf = (data) => data.byteLength ?? data.length;

/** `{ syncs, bytesWritten, reset() }`, counting from now on for as long as the process lives. */
export async function countIo() {
  const counts = {
    syncs: 0,
    bytesWritten: 0,
    reset() {
      counts.syncs = 0;
      counts.bytesWritten = 0;
    },
  };
  const before = (object, name, note) => {
    const original = object[name];
    object[name] = function counted(...args) {
      note(args);
      return original.apply(this, args);
    };
  };
  const sync = () => {
    counts.syncs += 1;
  };
  const parts = (list) => {
    for (const part of list) counts.bytesWritten += lengthOf(part);
  };
  // fs.write(fd, buffer, offset, length, …) and handle.write(buffer, offset, length, …)
  const piece = (data, length) => {
    counts.bytesWritten += typeof length === 'number' ? length : lengthOf(data);
  };
  for (const name of ['fsync', 'fdatasync', 'fsyncSync', 'fdatasyncSync']) before(fs, name, sync);
  for (const name of ['write', 'writeSync']) before(fs, name, ([, data, , length]) => piece(data, length));
  for (const name of ['writev', 'writevSync']) before(fs, name, ([, list]) => parts(list));
  const handle = await fileHandlePrototype();
  for (const name of ['sync', 'datasync']) before(handle, name, sync);
  before(handle, 'write', ([data, , length]) => piece(data, length));
  before(handle, 'writev', ([list]) => parts(list));
  return counts;
}
