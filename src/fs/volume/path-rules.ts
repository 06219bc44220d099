/**
 * What a path of a volume may look like: POSIX, relative to the root of the volume, a leading `/` being that root. Only
 * text is looked at here; where symbolic links lead is found out by `paths.ts`.
 */

import { fileURLToPath } from 'node:url';

import { VolsealError } from '../../errors.ts';
import { isTemporaryName } from '../../os/temporary-name.ts';
import { argumentType, argumentValue } from '../handle/argument-errors.ts';

/** The folder that makes a directory a volume. Its name is reserved at every depth: deeper, it would begin a volume of its own. */
export const metadataName = '.volseal';
/** What ext4 keeps in the root of every file system. */
export const recoveredName = 'lost+found';

/** A path as `node:fs` takes it: text, a `file:` URL, or UTF-8 bytes. */
export type VolumePath = string | URL | Uint8Array;

/**
 * The path as text, as the caller gave it.
 * @throws Node's `ERR_INVALID_ARG_TYPE`, `ERR_INVALID_ARG_VALUE` (null bytes), `ERR_INVALID_URL_SCHEME`
 */
export function pathText(path: unknown, name = 'path'): string {
  const text = textOf(path, name);
  if (text.includes('\0')) {
    const reason = 'must be a string, Uint8Array, or URL without null bytes';
    throw argumentValue(name, `'${text.replaceAll('\0', '\\x00')}'`, reason);
  }
  return text;
}

function textOf(path: unknown, name: string): string {
  if (typeof path === 'string') return path;
  if (path instanceof URL) return fileURLToPath(path, { windows: false });
  if (!(path instanceof Uint8Array)) {
    throw argumentType(name, 'of type string or an instance of Buffer or URL', path);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(path);
  } catch {
    throw argumentValue(name, `${path.length} bytes`, 'must be UTF-8');
  }
}

/** A path taken apart at its last `/`. */
export interface SplitPath {
  /** Where the entry is, without a leading `/`; empty for the root. `.` and `..` are as they were: they go through links. */
  readonly parent: string;
  /** The entry; `.` for the root itself. */
  readonly name: string;
  /** Whether slashes follow it: then it has to be a directory. */
  readonly slash: boolean;
  readonly isRoot: boolean;
}

/**
 * @throws VolsealError `ERR_VOLSEAL_OUTSIDE_VOLUME` when `..` climbs above the root
 */
export function splitPath(text: string): SplitPath {
  checkDepth(text);
  let end = text.length;
  while (end > 0 && text[end - 1] === '/') end--;
  let start = 0;
  while (start < end && text[start] === '/') start++;
  if (start === end) return { parent: '', name: '.', slash: false, isRoot: true };
  const lastSlash = text.lastIndexOf('/', end - 1);
  return {
    parent: lastSlash < start ? '' : text.slice(start, lastSlash),
    name: text.slice(Math.max(lastSlash + 1, start), end),
    slash: end < text.length,
    isRoot: /^\.(\/+\.)*$/.test(text.slice(start, end)),
  };
}

/** Counts steps up and down. Through a link `..` may lead elsewhere; that is checked on what was reached. */
function checkDepth(text: string): void {
  if (!text.includes('..')) return;
  let depth = 0;
  for (const part of text.split('/')) {
    if (part === '' || part === '.') continue;
    depth += part === '..' ? -1 : 1;
    if (depth < 0) throw outsideVolume(text);
  }
}

/** Whether the API must not know what lies at this real path, given relative to the root. */
export function isHidden(relativePath: string): boolean {
  if (relativePath === recoveredName || relativePath.startsWith(`${recoveredName}/`)) return true;
  return relativePath.split('/').some((part) => isTemporaryName(part) || namesMetadata(part));
}

/** Also as a file system that folds case and ignores some characters (APFS, casefolded ext4) would take it. */
function namesMetadata(part: string): boolean {
  if (part.length < metadataName.length) return false;
  return part === metadataName || fold(part) === metadataName;
}

function fold(name: string): string {
  return name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase();
}

/** Whether an entry of the directory at this real path must not be listed. */
export function isHiddenEntry(relativeDirectory: string, name: string): boolean {
  return isHidden(relativeDirectory === '' ? name : `${relativeDirectory}/${name}`);
}

export function outsideVolume(text: string, hint?: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_OUTSIDE_VOLUME', `${text}: the path leads out of the volume`, {
    path: text,
    hint: hint ?? 'paths stay below the root of the volume, also through symbolic links',
  });
}
