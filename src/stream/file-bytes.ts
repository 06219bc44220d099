/** Reading and writing all of what is asked of a file handle: one system call may do only a part of it. */

import type { FileHandle } from 'node:fs/promises';

import { dropBytes } from '../bytes.ts';

/** Fills `target` from `position`; gives the part that was filled, shorter only at the end of the file. */
export async function readFully(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
): Promise<Uint8Array> {
  let filled = 0;
  while (filled < target.length) {
    const { bytesRead } = await handle.read(target, filled, target.length - filled, position + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return target.subarray(0, filled);
}

/** Writes the parts one after the other, from `position` or, when it is null, where the file is. */
export async function writeFully(
  handle: FileHandle,
  parts: readonly Uint8Array[],
  position: number | null,
): Promise<void> {
  let rest = parts;
  let at = position;
  while (rest.length > 0) {
    const { bytesWritten } = await handle.writev(rest, at ?? undefined);
    if (at !== null) at += bytesWritten;
    rest = dropBytes(rest, bytesWritten);
  }
}
