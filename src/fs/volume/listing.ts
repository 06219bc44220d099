/** The entries of directories. What volseal and the file system keep for themselves is not among them. */

import type { BigIntStats, Dirent } from 'node:fs';
import { posix } from 'node:path';

import type { EntryKind } from '../../os/system.ts';
import { withPlace } from './attributes.ts';
import { direntOf } from './dirent.ts';
import type { Mounted } from './mounted.ts';
import { isHiddenEntry } from './path-rules.ts';
import type { Place } from './paths.ts';

export interface ListedEntry {
  readonly name: string;
  readonly kind: EntryKind;
  /** Of the directory it is in, below the one that is listed; empty for that itself. */
  readonly below: string;
  /** Of an entry that is neither file nor directory nor link. */
  readonly stats?: BigIntStats;
}

/** The entries of the directory that a path leads to. Links below it are not followed. */
export async function listDirectory(
  mounted: Mounted,
  path: string,
  recursive: boolean,
): Promise<ListedEntry[]> {
  const listed: ListedEntry[] = [];
  await withPlace(mounted.paths.follow(path), (place) => listInto(listed, mounted, place, '', recursive));
  return listed;
}

async function listInto(
  listed: ListedEntry[],
  mounted: Mounted,
  directory: Place,
  below: string,
  recursive: boolean,
): Promise<void> {
  const entries = await visibleEntries(mounted, directory);
  for (const { kind, name } of entries) {
    const stats = kind === 'other' ? await statsOf(mounted, directory, name) : undefined;
    listed.push({ name, kind, below, ...(stats === undefined ? {} : { stats }) });
  }
  if (!recursive) return;
  for (const { kind, name } of entries) {
    if (kind !== 'directory') continue;
    const entry = mounted.paths.child(directory, name);
    await withPlace(mounted.paths.directoryAt(entry), (place) =>
      listInto(listed, mounted, place, below === '' ? name : `${below}/${name}`, true),
    );
  }
}

/** The entries of a directory that exist for the API. */
export async function visibleEntries(
  { system }: Mounted,
  { relativePath, systemPath }: Place,
): Promise<{ readonly name: string; readonly kind: EntryKind }[]> {
  const entries = await system.readdir(systemPath);
  return entries.filter(({ name }) => !isHiddenEntry(relativePath, name));
}

async function statsOf(
  { system }: Mounted,
  { systemPath }: Place,
  name: string,
): Promise<BigIntStats | undefined> {
  return system.lstat(`${systemPath}/${name}`).catch(() => undefined); // it is gone
}

/** @param path of the directory that was listed, as the caller gave it */
export function toDirent(path: string, { below, kind, name, stats }: ListedEntry): Dirent {
  return direntOf(name, kind, below === '' ? path : posix.join(path, below), stats);
}
