/** The real system: `node:fs` by its callbacks, which cost half of what its promises do. */

import fs from 'node:fs';

import type { Entry, EntryKind, System } from './system.ts';

type Done<T> = (error: NodeJS.ErrnoException | null, result: T) => void;

function promised<T>(start: (done: Done<T>) => void): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    start((error, result) => {
      if (error === null || error === undefined) resolve(result);
      else reject(error);
    });
  });
}

function kindOf(entry: fs.Dirent): EntryKind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'directory';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

/** The kernel takes at most so many parts in one call. */
const maxParts = 1_024;

export const nodeSystem: System = {
  open: (path, flags, mode) => promised((done) => fs.open(path, flags, mode ?? 0o666, done)),
  close: (descriptor) => promised((done) => fs.close(descriptor, done)),
  read: (descriptor, target, targetOffset, length, fileOffset) =>
    promised((done) => fs.read(descriptor, target, targetOffset, length, fileOffset, done)),
  writev: (descriptor, parts, fileOffset) =>
    parts.length === 1
      ? promised((done) =>
          fs.write(descriptor, parts[0] as Uint8Array, 0, (parts[0] as Uint8Array).length, fileOffset, done),
        )
      : promised((done) => fs.writev(descriptor, parts.slice(0, maxParts), fileOffset, done)),
  fdatasync: (descriptor) => promised((done) => fs.fdatasync(descriptor, done)),
  fsync: (descriptor) => promised((done) => fs.fsync(descriptor, done)),
  ftruncate: (descriptor, length) => promised((done) => fs.ftruncate(descriptor, length, done)),
  fstat: (descriptor) => promised((done) => fs.fstat(descriptor, { bigint: true }, done)),
  fchmod: (descriptor, mode) => promised((done) => fs.fchmod(descriptor, mode, done)),
  fchown: (descriptor, uid, gid) => promised((done) => fs.fchown(descriptor, uid, gid, done)),
  futimes: (descriptor, atimeSeconds, mtimeSeconds) =>
    promised((done) => fs.futimes(descriptor, atimeSeconds, mtimeSeconds, done)),
  async pathOf(descriptor) {
    if (process.platform !== 'linux') return undefined;
    try {
      // The kernel answers from memory, in a tenth of the time that a thread of the pool takes to be asked.
      return fs.readlinkSync(`/proc/self/fd/${descriptor}`);
    } catch {
      return undefined; // no /proc here
    }
  },
  stat: (path) => promised((done) => fs.stat(path, { bigint: true }, done)),
  lstat: (path) => promised((done) => fs.lstat(path, { bigint: true }, done)),
  // Handing it to a thread takes ten times as long as the answer.
  lookAgain: async (path) => fs.lstatSync(path, { bigint: true, throwIfNoEntry: false }),
  access: (path, mode) => promised((done) => fs.access(path, mode, done)),
  async readdir(path) {
    const entries = await promised<fs.Dirent[]>((done) => fs.readdir(path, { withFileTypes: true }, done));
    return entries.map((entry): Entry => ({ name: entry.name, kind: kindOf(entry) }));
  },
  mkdir: (path, mode) => promised((done) => fs.mkdir(path, mode ?? 0o777, done)),
  rmdir: (path) => promised((done) => fs.rmdir(path, done)),
  unlink: (path) => promised((done) => fs.unlink(path, done)),
  rename: (from, to) => promised((done) => fs.rename(from, to, done)),
  link: (from, to) => promised((done) => fs.link(from, to, done)),
  symlink: (target, path) => promised((done) => fs.symlink(target, path, done)),
  readlink: (path) => promised((done) => fs.readlink(path, done)),
  realpath: (path) => promised((done) => fs.realpath.native(path, done)),
  chmod: (path, mode) => promised((done) => fs.chmod(path, mode, done)),
  chown: (path, uid, gid) => promised((done) => fs.chown(path, uid, gid, done)),
  lchown: (path, uid, gid) => promised((done) => fs.lchown(path, uid, gid, done)),
  utimes: (path, atimeSeconds, mtimeSeconds) =>
    promised((done) => fs.utimes(path, atimeSeconds, mtimeSeconds, done)),
  lutimes: (path, atimeSeconds, mtimeSeconds) =>
    promised((done) => fs.lutimes(path, atimeSeconds, mtimeSeconds, done)),
};
