/** `fs.cp`: files, links and whole trees. Its rules and errors are Node's; each file gets a data key of its own. */

import type { BigIntStats } from 'node:fs';
import { posix } from 'node:path';

import { fsSystemError } from '../../errno.ts';
import { changeMode, changeTimes, lookAt, lookIfThere, makeLink, readLink, withPlace } from './attributes.ts';
import { copyOneFile } from './copy-file.ts';
import { asStated, stating } from './errors.ts';
import { visibleEntries } from './listing.ts';
import { makeDirectories, makeDirectory } from './make-directories.ts';
import type { Mounted } from './mounted.ts';
import { isDirectoryError, removeFile } from './remove.ts';

export type CopyFilter = (source: string, destination: string) => boolean | Promise<boolean>;

export interface CopyRequest {
  readonly dereference: boolean;
  readonly errorOnExist: boolean;
  readonly filter: CopyFilter | undefined;
  /** Replace what is there. */
  readonly force: boolean;
  /** As for `copyFile`: the destination must not be there. */
  readonly exclusive: boolean;
  readonly preserveTimestamps: boolean;
  readonly recursive: boolean;
  readonly verbatimSymlinks: boolean;
}

interface Pair {
  readonly from: string;
  readonly to: string;
  readonly source: BigIntStats;
  readonly destination: BigIntStats | undefined;
}

type Errno = Parameters<typeof fsSystemError>[2]['errno'];

function refuse(code: string, summary: string, errno: Errno, path: string, message: string): Error {
  return asStated(fsSystemError(code, summary, { syscall: 'cp', errno, path, message }));
}

function invalid(path: string, message: string): Error {
  return refuse('ERR_FS_CP_EINVAL', 'Invalid src or dest', 'EINVAL', path, message);
}

const absolute = (path: string): string => posix.resolve('/', path);

/** Whether a path lies below another one, or is it: by the text. */
function isBelow(path: string, above: string): boolean {
  const [outer, inner] = [absolute(above), absolute(path)];
  return outer === '/' || inner === outer || inner.startsWith(`${outer}/`);
}

export async function copyTree(
  mounted: Mounted,
  from: string,
  to: string,
  request: CopyRequest,
): Promise<void> {
  const pair = await pairOf(mounted, from, to, request);
  if (pair === undefined) return;
  await checkAbove(mounted, pair);
  const parent = posix.dirname(to);
  await stating({ syscall: 'mkdir', path: parent }, () => makeDirectories(mounted, parent, 0o777));
  await copyEntry(mounted, pair, request);
}

/** Looks at both ends; undefined when the filter leaves it out. */
async function pairOf(
  mounted: Mounted,
  from: string,
  to: string,
  { dereference, filter }: CopyRequest,
): Promise<Pair | undefined> {
  if (filter !== undefined && !(await filter(from, to))) return undefined;
  const syscall = dereference ? 'stat' : 'lstat';
  const source = await stating({ syscall, path: from }, () => lookAt(mounted, from, dereference));
  const destination = await stating({ syscall, path: to }, () => lookIfThere(mounted, to, dereference));
  if (destination !== undefined) checkKinds(from, to, source, destination);
  if (source.isDirectory() && isBelow(to, from)) throw intoItself(from, to);
  return { from, to, source, destination };
}

function checkKinds(from: string, to: string, source: BigIntStats, destination: BigIntStats): void {
  if (isSame(source, destination)) throw invalid(to, 'src and dest cannot be the same');
  if (source.isDirectory() && !destination.isDirectory()) {
    const message = `cannot overwrite non-directory ${to} with directory ${from}`;
    const summary = 'Cannot overwrite non-directory with directory';
    throw refuse('ERR_FS_CP_DIR_TO_NON_DIR', summary, 'EISDIR', to, message);
  }
  if (!source.isDirectory() && destination.isDirectory()) {
    const message = `cannot overwrite directory ${to} with non-directory ${from}`;
    const summary = 'Cannot overwrite directory with non-directory';
    throw refuse('ERR_FS_CP_NON_DIR_TO_DIR', summary, 'ENOTDIR', to, message);
  }
}

function targetExists(to: string): Error {
  return refuse('ERR_FS_CP_EEXIST', 'Target already exists', 'EEXIST', to, `${to} already exists`);
}

function intoItself(from: string, to: string): Error {
  return invalid(to, `cannot copy ${from} to a subdirectory of self ${to}`);
}

function isSame(a: BigIntStats, b: BigIntStats): boolean {
  return a.dev === b.dev && a.ino === b.ino;
}

/** Through links the destination can lie in the source although the text does not say so. */
async function checkAbove(mounted: Mounted, { from, source, to }: Pair): Promise<void> {
  if (!source.isDirectory()) return;
  const own = posix.dirname(absolute(from));
  for (
    let above = posix.dirname(absolute(to));
    above !== own && above !== '/';
    above = posix.dirname(above)
  ) {
    const stats = await lookIfThere(mounted, above, true);
    if (stats !== undefined && isSame(source, stats)) throw intoItself(from, to);
  }
}

async function copyEntry(mounted: Mounted, pair: Pair, request: CopyRequest): Promise<void> {
  const { from, source } = pair;
  if (source.isDirectory()) {
    if (!request.recursive) throw isDirectoryError('cp', from, `${from} is a directory (not copied)`);
    await copyDirectory(mounted, pair, request);
  } else if (source.isFile()) {
    await copyRegular(mounted, pair, request);
  } else if (source.isSymbolicLink()) {
    await copyLink(mounted, pair, request);
  } else {
    throw notCopied(from, source);
  }
}

function notCopied(from: string, source: BigIntStats): Error {
  const [code, summary, what] = source.isSocket()
    ? ['ERR_FS_CP_SOCKET', 'Cannot copy a socket file', 'a socket file']
    : source.isFIFO()
      ? ['ERR_FS_CP_FIFO_PIPE', 'Cannot copy a FIFO pipe', 'a FIFO pipe']
      : ['ERR_FS_CP_UNKNOWN', 'Cannot copy an unknown file type', 'an unknown file type'];
  return refuse(code, summary, 'EINVAL', from, `cannot copy ${what}: ${from}`);
}

async function copyRegular(
  mounted: Mounted,
  { destination, from, source, to }: Pair,
  request: CopyRequest,
): Promise<void> {
  const { errorOnExist, exclusive, force, preserveTimestamps } = request;
  if (destination !== undefined && !force) {
    if (errorOnExist) throw targetExists(to);
    return;
  }
  await stating({ syscall: 'copyfile', path: from, dest: to }, async () => {
    // A link is replaced, not written through; a file is replaced in one step.
    if (destination?.isSymbolicLink() === true) await removeFile(mounted, to);
    await copyOneFile(mounted, from, to, exclusive && destination === undefined);
  });
  if (!preserveTimestamps) return;
  await stating({ syscall: 'utime', path: to }, () =>
    changeTimes(mounted, to, Number(source.atimeNs) / 1e9, Number(source.mtimeNs) / 1e9),
  );
}

async function copyDirectory(mounted: Mounted, pair: Pair, request: CopyRequest): Promise<void> {
  const { destination, from, source, to } = pair;
  if (destination !== undefined && !request.force && request.errorOnExist) throw targetExists(to);
  if (destination === undefined) {
    // Searchable for us until everything is in it.
    await stating({ syscall: 'mkdir', path: to }, () => makeDirectory(mounted, to, 0o777));
  }
  const entries = await stating({ syscall: 'opendir', path: from }, () =>
    withPlace(mounted.paths.follow(from), (place) => visibleEntries(mounted, place)),
  );
  for (const { name } of entries) {
    const inner = await pairOf(mounted, posix.join(from, name), posix.join(to, name), request);
    if (inner !== undefined) await copyEntry(mounted, inner, request);
  }
  if (destination !== undefined) return;
  await stating({ syscall: 'chmod', path: to }, () => changeMode(mounted, to, Number(source.mode & 0o7777n)));
}

/**
 * Node makes the target of a link absolute unless it is told not to. In a volume links are relative: the copy gets the
 * relative target that leads to the same place.
 */
async function copyLink(
  mounted: Mounted,
  { destination, from, to }: Pair,
  request: CopyRequest,
): Promise<void> {
  const target = await stating({ syscall: 'readlink', path: from }, () => readLink(mounted, from));
  const leadsTo = target.startsWith('/') ? target : posix.resolve(posix.dirname(absolute(from)), target);
  const ownTarget =
    request.verbatimSymlinks || target.startsWith('/')
      ? target
      : posix.relative(posix.dirname(absolute(to)), leadsTo) || '.';
  if (destination?.isSymbolicLink() === true) {
    const old = await stating({ syscall: 'readlink', path: to }, () => readLink(mounted, to));
    const oldLeadsTo = posix.resolve(posix.dirname(absolute(to)), old);
    if (leadsTo !== oldLeadsTo && isBelow(oldLeadsTo, leadsTo)) throw intoItself(leadsTo, oldLeadsTo);
    await stating({ syscall: 'unlink', path: to }, () => removeFile(mounted, to));
  }
  await stating({ syscall: 'symlink', path: ownTarget, dest: to }, () => makeLink(mounted, ownTarget, to));
}
