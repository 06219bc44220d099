/**
 * All files of a volume in one order, that of their paths name by name, so that a run can be taken up where it ended. What the
 * API hides is among them: an unfinished file holds keys, too. Directories are held open while their files are in use, and
 * links are not followed.
 *
 * In memory are the names of the directories from the root down to where the walk is.
 */

import { hasErrno } from '../errno.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { metadataName, recoveredName } from '../fs/volume/path-rules.ts';
import type { Place } from '../fs/volume/paths.ts';
import type { Entry } from '../os/system.ts';
import { isStaleTemporary, isTemporaryName } from '../os/temporary-name.ts';

export interface WalkedFile {
  readonly kind: 'file';
  /** In the volume, beginning with `/`. */
  readonly path: string;
  /** By which the system reaches it until it is released. */
  readonly systemPath: string;
  /** An unfinished file: of a dead process, or of one that may live. */
  readonly unfinished?: 'stale' | 'live';
  release(): void;
}

export interface WalkFailure {
  readonly kind: 'failed';
  readonly path: string;
  readonly error: unknown;
}

export type Walked = WalkedFile | WalkFailure;

/** A directory that is open for as long as somebody works in it. */
class HeldPlace {
  readonly place: Place;
  readonly path: string;
  #users = 1;

  constructor(place: Place, path: string) {
    this.place = place;
    this.path = path;
  }

  hold(): this {
    this.#users++;
    return this;
  }

  release(): void {
    if (--this.#users === 0) void this.place.release().catch(() => {});
  }
}

interface Frame {
  readonly held: HeldPlace;
  readonly entries: readonly Entry[];
  /** Of the next entry. */
  next: number;
  /** Names below this directory up to and with which everything was done before. */
  readonly after: readonly string[];
}

/** @param path as {@link Walked} has it */
function namesOf(path: string): string[] {
  return path.split('/').filter((name) => name !== '');
}

function compareNames(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export interface WalkOptions {
  /** Everything up to this path, and this path, is left out. */
  readonly after?: string | undefined;
}

/** Everything in the volume. */
export async function* walkVolume(mounted: Mounted, { after }: WalkOptions = {}): AsyncGenerator<Walked> {
  yield* walkFrom(mounted, await mounted.paths.follow('/'), after === undefined ? [] : namesOf(after));
}

/** A file, or everything in a directory. Links in the path are followed. */
export async function* walkPath(mounted: Mounted, path: string): AsyncGenerator<Walked> {
  const { paths, system } = mounted;
  const place = await paths.follow(path);
  const stats = await system.stat(place.systemPath).catch(async (error: unknown) => {
    await place.release();
    throw error;
  });
  if (stats.isDirectory()) {
    yield* walkFrom(mounted, place, []);
    return;
  }
  await place.release();
  if (!stats.isFile()) return;
  const entry = await paths.entry(`/${place.relativePath}`, 'absent');
  const release = (): void => void entry.release().catch(() => {});
  yield { kind: 'file', path: `/${entry.relativePath}`, systemPath: entry.systemPath, release };
}

/** @param place is released here */
async function* walkFrom(mounted: Mounted, place: Place, after: readonly string[]): AsyncGenerator<Walked> {
  const path = place.relativePath === '' ? '' : `/${place.relativePath}`;
  const stack: Frame[] = [];
  const first = await enter(mounted, new HeldPlace(place, path), after);
  if ('kind' in first) yield first;
  else stack.push(first);
  try {
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const entry = frame.entries[frame.next++];
      if (entry === undefined) {
        stack.pop();
        frame.held.release();
        continue;
      }
      const below = frame.after[0] === entry.name ? frame.after.slice(1) : [];
      const isFile = entry.kind === 'file';
      if (isFile && frame.after[0] === entry.name) continue;
      if (isFile) yield fileIn(frame.held, entry.name);
      else if (entry.kind === 'directory') {
        const inside = await enterChild(mounted, frame.held, entry.name, below);
        if (inside === undefined) continue;
        if ('kind' in inside) yield inside;
        else stack.push(inside);
      }
    }
  } finally {
    for (const { held } of stack) held.release();
  }
}

function fileIn(held: HeldPlace, name: string): WalkedFile {
  const { place } = held.hold();
  const unfinished = isTemporaryName(name) ? (isStaleTemporary(name) ? 'stale' : 'live') : undefined;
  return {
    kind: 'file',
    path: `${held.path}/${name}`,
    systemPath: `${place.systemPath}/${name}`,
    ...(unfinished === undefined ? {} : { unfinished }),
    release: () => held.release(),
  };
}

/** Reads a directory; it is released when that fails. */
async function enter(
  { system }: Mounted,
  held: HeldPlace,
  after: readonly string[],
): Promise<Frame | WalkFailure> {
  try {
    const entries = (await system.readdir(held.place.systemPath))
      .filter(({ kind, name }) => {
        if (kind !== 'file' && kind !== 'directory') return false;
        return held.path !== '' || name !== metadataName;
      })
      .toSorted((a, b) => compareNames(a.name, b.name));
    const [from] = after;
    const next = from === undefined ? 0 : entries.findIndex(({ name }) => compareNames(name, from) >= 0);
    return { held, entries, next: next === -1 ? entries.length : next, after };
  } catch (error) {
    held.release();
    return { kind: 'failed', path: held.path === '' ? '/' : held.path, error };
  }
}

/** Undefined for what is gone, or what nobody but root may look into. */
async function enterChild(
  mounted: Mounted,
  parent: HeldPlace,
  name: string,
  after: readonly string[],
): Promise<Frame | WalkFailure | undefined> {
  const path = `${parent.path}/${name}`;
  let found: Frame | WalkFailure;
  try {
    // Names that the API hides are no reason to pass something over.
    const systemPath = `${parent.place.systemPath}/${name}`;
    const place = await mounted.paths.directoryAt({ systemPath, relativePath: path.slice(1) });
    found = await enter(mounted, new HeldPlace(place, path), after);
  } catch (error) {
    found = { kind: 'failed', path, error };
  }
  if (!('kind' in found)) return found;
  if (hasErrno(found.error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
  if (path === `/${recoveredName}` && hasErrno(found.error, 'EACCES', 'EPERM')) return undefined;
  return found;
}
