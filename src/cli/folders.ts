/** The folders that results go into: made as they are needed, taken back where nothing came of them. */

import type { Stats } from 'node:fs';
import { chmod, chown, lstat, mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import { VolsealError } from '../errors.ts';
import { fromSystemError } from '../system-error.ts';
import type { FolderMaker } from './items.ts';

const permissionBits = 0o777;
/** Whatever the source's mode, the one who writes into the folder must be able to. */
const ownerAll = 0o700;

export class Folders implements FolderMaker {
  /** Absolute. */
  readonly #made = new Set<string>();

  /**
   * Makes the folder that -o names, and those above it; it may be there already, also as a symbolic link.
   * @param like the folder it becomes the mirror of
   */
  async makeTop(path: string, like: Stats | undefined): Promise<Stats> {
    try {
      const topmost = await mkdir(path, { recursive: true });
      if (topmost !== undefined) {
        for (let made = resolve(path); made.length >= topmost.length; made = dirname(made))
          this.#made.add(made);
        if (like !== undefined) await takeAfter(path, like);
      }
      return await stat(path);
    } catch (error) {
      throw fromSystemError(error, path);
    }
  }

  /** Makes a folder in a mirror. A symbolic link in its place is refused: it leads out of the mirror. */
  async make(path: string, like: Stats): Promise<void> {
    try {
      await mkdir(path);
      this.#made.add(resolve(path));
      await takeAfter(path, like);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw fromSystemError(error, path);
      if ((await lstat(path)).isDirectory()) return;
      throw new VolsealError('ERR_VOLSEAL_EXISTS', `${path}: it exists already and is not a folder`, {
        path,
        cause: error,
      });
    }
  }

  /** Takes back those that were made for this file and hold nothing. */
  async takeBack(file: string): Promise<void> {
    for (let path = dirname(resolve(file)); this.#made.has(path); path = dirname(path)) {
      try {
        await rmdir(path);
      } catch {
        return; // something is in it
      }
      this.#made.delete(path);
    }
  }
}

/** Mode of the source's folder and, for root, its owner: the app goes on working with what an operator made. */
async function takeAfter(path: string, like: Stats): Promise<void> {
  if (process.geteuid?.() === 0) await chown(path, like.uid, like.gid);
  await chmod(path, (like.mode & permissionBits) | ownerAll);
}
