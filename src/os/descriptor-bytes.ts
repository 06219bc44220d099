/** Reading and writing all of what is asked of a descriptor: one system call may do only a part of it. */

import { dropBytes } from '../bytes.ts';
import { errnoError } from '../errno.ts';
import type { System } from './system.ts';

/** Fills `target` from `fileOffset`; gives the part that was filled, shorter only at the end of the file. */
export async function readUpTo(
  system: System,
  fd: number,
  target: Uint8Array,
  fileOffset: number,
): Promise<Uint8Array> {
  let filled = 0;
  while (filled < target.length) {
    const count = await system.read(fd, target, filled, target.length - filled, fileOffset + filled);
    if (count === 0) return target.subarray(0, filled);
    filled += count;
  }
  return target;
}

/** Writes the parts one after the other from `fileOffset`. */
export async function writeAll(
  system: System,
  fd: number,
  parts: readonly Uint8Array[],
  fileOffset: number,
): Promise<void> {
  let rest: readonly Uint8Array[] = parts.filter((part) => part.length > 0);
  let at = fileOffset;
  while (rest.length > 0) {
    const written = await system.writev(fd, rest, at);
    // Node reports no error for it, and trying again for ever would hide it.
    if (written === 0) throw errnoError('EIO', 'write');
    at += written;
    rest = dropBytes(rest, written);
  }
}
