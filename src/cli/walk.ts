/** What is in a folder and below it, in the order of names. Symbolic links are never followed. */

import { isUtf8 } from 'node:buffer';
import type { Stats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { VolsealError } from '../errors.ts';
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

/** What a volume holds beside the data: ext4's folder, and the folder with the keyring of a volume. */
const notData: ReadonlySet<string> = new Set(['lost+found', '.volseal']);
const temporaryName = /^\.volseal-.*\.tmp$/;

/** Asked about every folder below the root before anything in it: whether to go in. It may throw instead. */
export type Enter = (relative: string, folder: Stats) => Promise<boolean>;

/** @param root a folder; the path itself may be a symbolic link, for the user named it */
export async function* walkTree(root: string, enter: Enter): AsyncGenerator<TreeEntry, void, void> {
  yield* walkFolder(root, '', enter);
}

async function* walkFolder(
  path: string,
  relative: string,
  enter: Enter,
): AsyncGenerator<TreeEntry, void, void> {
  let names: Buffer[];
  try {
    names = await readdir(path, { encoding: 'buffer' });
  } catch (error) {
    yield { kind: 'failed', path, error: fromSystemError(error, path) };
    return;
  }
  for (const rawName of names.sort(Buffer.compare)) {
    if (!isUtf8(rawName)) {
      yield { kind: 'failed', path, error: notUtf8(path, rawName) };
      continue;
    }
    const name = rawName.toString();
    yield* walkEntry(join(path, name), join(relative, name), name, enter);
  }
}

async function* walkEntry(
  path: string,
  relative: string,
  name: string,
  enter: Enter,
): AsyncGenerator<TreeEntry, void, void> {
  let stats: Stats;
  try {
    stats = await lstat(path);
  } catch (error) {
    // Gone since its folder was read: other programs go on working meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      yield { kind: 'failed', path, error: fromSystemError(error, path) };
    return;
  }
  if (stats.isSymbolicLink()) yield { kind: 'skipped', path, reason: 'symbolic link' };
  else if (notData.has(name)) yield { kind: 'skipped', path, reason: 'not data of the application' };
  else if (temporaryName.test(name)) yield { kind: 'skipped', path, reason: 'temporary file of volseal' };
  else if (stats.isFile()) yield { kind: 'file', path, relative, stats };
  else if (!stats.isDirectory()) yield { kind: 'skipped', path, reason: 'not a regular file' };
  else yield* enterFolder(path, relative, stats, enter);
}

async function* enterFolder(
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
  yield* walkFolder(path, relative, enter);
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
