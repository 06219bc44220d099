/** What is in a folder and below it, in the order of names. Symbolic links are never followed. */

import { isUtf8 } from 'node:buffer';
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { VolsealError } from '../errors.ts';
import { isTemporaryName } from '../os/temporary-name.ts';
import { fromSystemError } from '../system-error.ts';

export type SkipReason =
  | 'symbolic link'
  | 'not a regular file'
  | 'temporary file of volseal'
  | 'not data of the application';

export type TreeEntry =
  | { readonly kind: 'file'; readonly path: string; readonly relative: string; readonly stats: Stats }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: SkipReason }
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown };

/** Where a walk goes: the file system, or a volume. It fails with errors in our terms. */
export interface Tree {
  /** What a folder holds. As bytes where they may be no text. */
  names(folder: string): Promise<readonly (Buffer | string)[]>;
  lstat(path: string): Promise<Stats>;
  /** Why something is passed over for its name; `relative` counts from the start of the walk. */
  skips(name: string, relative: string): SkipReason | undefined;
}

/** What a volume holds beside the data: ext4's folder, and the folder with the keyring of a volume. */
const notData: ReadonlySet<string> = new Set(['lost+found', '.volseal']);
const temporaryName = /^\.volseal-.*\.tmp$/;

export function isTemporary(name: string): boolean {
  return temporaryName.test(name) || isTemporaryName(name);
}

export const fileSystem: Tree = {
  names: (folder) => inOurTerms(folder, readdir(folder, { encoding: 'buffer' })),
  lstat: (path) => inOurTerms(path, lstat(path)),
  skips(name) {
    if (notData.has(name)) return 'not data of the application';
    return isTemporary(name) ? 'temporary file of volseal' : undefined;
  },
};

async function inOurTerms<T>(path: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw fromSystemError(error, path);
  }
}

/** Asked about every folder below the root before anything in it: whether to go in. It may throw instead. */
export type Enter = (relative: string, folder: Stats) => Promise<boolean>;

/** @param root a folder; the path itself may be a symbolic link, for the user named it */
export async function* walkTree(
  root: string,
  enter: Enter,
  tree: Tree = fileSystem,
): AsyncGenerator<TreeEntry, void, void> {
  yield* walkFolder(tree, root, '', enter);
}

async function* walkFolder(
  tree: Tree,
  path: string,
  relative: string,
  enter: Enter,
): AsyncGenerator<TreeEntry, void, void> {
  let names: readonly Buffer[];
  try {
    names = (await tree.names(path)).map((name) => (typeof name === 'string' ? Buffer.from(name) : name));
  } catch (error) {
    yield { kind: 'failed', path, error };
    return;
  }
  for (const rawName of names.toSorted(Buffer.compare)) {
    if (!isUtf8(rawName)) {
      yield { kind: 'failed', path, error: notUtf8(path, rawName) };
      continue;
    }
    const name = rawName.toString();
    yield* walkEntry(tree, join(path, name), join(relative, name), name, enter);
  }
}

async function* walkEntry(
  tree: Tree,
  path: string,
  relative: string,
  name: string,
  enter: Enter,
): AsyncGenerator<TreeEntry, void, void> {
  let stats: Stats;
  try {
    stats = await tree.lstat(path);
  } catch (error) {
    // Gone since its folder was read: other programs go on working meanwhile.
    if (!(error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_FOUND'))
      yield { kind: 'failed', path, error };
    return;
  }
  const reason = tree.skips(name, relative);
  if (stats.isSymbolicLink()) yield { kind: 'skipped', path, reason: 'symbolic link' };
  else if (reason !== undefined) yield { kind: 'skipped', path, reason };
  else if (stats.isFile()) yield { kind: 'file', path, relative, stats };
  else if (!stats.isDirectory()) yield { kind: 'skipped', path, reason: 'not a regular file' };
  else yield* enterFolder(tree, path, relative, stats, enter);
}

async function* enterFolder(
  tree: Tree,
  path: string,
  relative: string,
  stats: Stats,
  enter: Enter,
): AsyncGenerator<TreeEntry, void, void> {
  try {
    if (!(await enter(relative, stats))) return;
  } catch (error) {
    yield { kind: 'failed', path, error };
    return;
  }
  yield* walkFolder(tree, path, relative, enter);
}

/** Node gives such names back altered, so the file could not be opened. */
function notUtf8(folder: string, rawName: Buffer): VolsealError {
  return new VolsealError(
    'ERR_VOLSEAL_IO',
    `${folder}: the name of a file in it is not UTF-8: ${JSON.stringify(rawName.toString('latin1'))}`,
    {
      hint: 'rename it',
      path: folder,
    },
  );
}
