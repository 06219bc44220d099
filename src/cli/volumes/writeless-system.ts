/** The file system for --dry-run: everything can be looked at, and the first attempt to change something ends the run. */

import { constants } from 'node:fs';
import { dirname } from 'node:path';

import { errnoError } from '../../errno.ts';
import { nodeSystem } from '../../os/node-system.ts';
import type { System } from '../../os/system.ts';

/** What was to be done has come to where it would change something: all checks before it have passed. */
class WouldWrite extends Error {}

const writing =
  constants.O_WRONLY | constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC | constants.O_APPEND;

function refuse(): Promise<never> {
  return Promise.reject(new WouldWrite());
}

/** What is there already would not be made. */
async function refuseUnlessThere(path: string, syscall: string): Promise<never> {
  const isThere = await nodeSystem.lstat(path).then(
    () => true,
    () => false,
  );
  throw isThere ? errnoError('EEXIST', syscall, path) : new WouldWrite();
}

export const writelessSystem: System = {
  ...nodeSystem,
  open: (path, flags, mode) => ((flags & writing) === 0 ? nodeSystem.open(path, flags, mode) : refuse()),
  writev: refuse,
  ftruncate: refuse,
  fchmod: refuse,
  fchown: refuse,
  futimes: refuse,
  mkdir: (path) => refuseUnlessThere(path, 'mkdir'),
  rmdir: refuse,
  unlink: refuse,
  rename: refuse,
  link: refuse,
  symlink: refuse,
  chmod: refuse,
  chown: refuse,
  lchown: refuse,
  utimes: refuse,
  lutimes: refuse,
};

/** The same as if there were an empty folder at a path where nothing is, in a folder that is there. */
export function withEmptyFolder(path: string): System {
  return {
    ...writelessSystem,
    realpath: (asked) => (asked === path ? Promise.resolve(path) : nodeSystem.realpath(asked)),
    stat: (asked) => nodeSystem.stat(asked === path ? dirname(path) : asked),
    readdir: (asked) => (asked === path ? Promise.resolve([]) : nodeSystem.readdir(asked)),
  };
}

/** Whether the work would have changed something. @throws what its checks throw */
export async function wouldWrite(work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return false;
  } catch (error) {
    if (error instanceof WouldWrite) return true;
    throw error;
  }
}
