/** Entries of directories as `node:fs` gives them. */

import { type BigIntStats, constants, Dirent } from 'node:fs';

import type { EntryKind } from '../../os/system.ts';

/** Its constructor is not documented; tests on every supported Node hold it to what `readdir` gives. */
const makeDirent = Dirent as unknown as new (name: string, type: number, parentPath: string) => Dirent;

const {
  UV_DIRENT_UNKNOWN,
  UV_DIRENT_FILE,
  UV_DIRENT_DIR,
  UV_DIRENT_LINK,
  UV_DIRENT_FIFO,
  UV_DIRENT_SOCKET,
  UV_DIRENT_CHAR,
  UV_DIRENT_BLOCK,
} = constants as unknown as Readonly<Record<string, number>>;

const types: Readonly<Record<EntryKind, number | undefined>> = {
  file: UV_DIRENT_FILE,
  directory: UV_DIRENT_DIR,
  symlink: UV_DIRENT_LINK,
  other: UV_DIRENT_UNKNOWN,
};

/** @param stats of something that is none of the usual, to tell what it is */
export function direntOf(name: string, kind: EntryKind, parentPath: string, stats?: BigIntStats): Dirent {
  const type = (stats === undefined ? undefined : typeOf(stats)) ?? types[kind] ?? 0;
  return new makeDirent(name, type, parentPath);
}

function typeOf(stats: BigIntStats): number | undefined {
  if (stats.isFIFO()) return UV_DIRENT_FIFO;
  if (stats.isSocket()) return UV_DIRENT_SOCKET;
  if (stats.isCharacterDevice()) return UV_DIRENT_CHAR;
  return stats.isBlockDevice() ? UV_DIRENT_BLOCK : undefined;
}
