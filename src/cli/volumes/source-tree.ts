/** Where `put` and `get` read from: the file system, or a volume. */

import { createReadStream, type Stats } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';

import { fromSystemError } from '../../system-error.ts';
import { fileSystem, type Tree } from '../walk.ts';

export interface SourceTree extends Tree {
  /** Follows symbolic links; the size is that of the plaintext. */
  stat(path: string): Promise<Stats>;
  /** The plaintext. */
  read(path: string): Readable;
  /** The plaintext of a small file, as a whole. */
  readWhole(path: string): Promise<Uint8Array>;
}

/** Up to here a file is read as a whole: streams cost more than such files do. */
export const smallBytes = 1_048_576;

const chunkBytes = 1_048_576;

export const localTree: SourceTree = {
  ...fileSystem,
  async stat(path) {
    try {
      return await stat(path);
    } catch (error) {
      throw fromSystemError(error, path);
    }
  },
  read: (path) => createReadStream(path, { highWaterMark: chunkBytes }),
  readWhole: (path) => readFile(path),
};
