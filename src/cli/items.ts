/** From operands to the single files to be worked on, found while the work goes on: a tree may hold millions. */

import type { Stats } from 'node:fs';
import { join } from 'node:path';

import type { Destinations, Operand } from './destinations.ts';
import { type SkipReason, type Tree, type TreeEntry, walkTree } from './walk.ts';
import type { Found, Skipped, WorkItem } from './work.ts';

/** One file, pipe or standard stream that becomes another. */
export interface Item<O extends Operand = Operand> extends WorkItem {
  /** `-` is standard output. */
  readonly destination: string;
  /** Of standard input undefined. */
  readonly sourceStats: Stats | undefined;
  /** Found in a folder, not named by the user. */
  readonly inTree: boolean;
  /** What it was named by, or found in. */
  readonly operand: O;
}

/** Makes the folders that results go into, where it is to be more than a look. */
export interface FolderMaker {
  /** Makes the folder that was named, and those above it; it may be there already. Gives what identifies it. */
  makeTop(path: string, like: Stats | undefined): Promise<Pick<Stats, 'dev' | 'ino'>>;
  /** Makes a folder in a mirror. */
  make(path: string, like: Stats): Promise<void>;
}

export interface Search<O extends Operand> {
  readonly destinations: Destinations<O>;
  /** Undefined to only look. */
  readonly folders: FolderMaker | undefined;
  /** Where an operand's files are found. */
  treeOf(operand: O): Tree;
  /** What a file in a folder becomes there; undefined for one that is not taken. */
  nameInMirror(relative: string): string | undefined;
  /** Why not. */
  readonly nameReason: string;
}

export async function* findItems<O extends Operand>(
  search: Search<O>,
): AsyncGenerator<Found<Item<O>>, void, void> {
  const { destinations, folders } = search;
  const [first] = destinations.of.keys();
  const likeOfTop = destinations.of.size === 1 && first?.kind === 'directory' ? first.stats : undefined;
  const top =
    destinations.folder === undefined ? undefined : await folders?.makeTop(destinations.folder, likeOfTop);
  for (const [operand, destination] of destinations.of) {
    if (operand.kind === 'directory') {
      const makesOwn = destination !== operand.given && destination !== destinations.folder;
      try {
        if (makesOwn) await folders?.make(destination, operand.stats);
      } catch (error) {
        yield { kind: 'failed', path: operand.given, error };
        continue;
      }
      yield* inTree(search, operand, operand.given, destination, top);
    } else {
      const sourceStats = operand.kind === 'file' ? operand.stats : undefined;
      yield { kind: 'item', item: itemOf(operand, operand.given, destination, sourceStats, false) };
    }
  }
}

async function* inTree<O extends Operand>(
  search: Search<O>,
  operand: O,
  root: string,
  destination: string,
  top: Pick<Stats, 'dev' | 'ino'> | undefined,
): AsyncGenerator<Found<Item<O>>, void, void> {
  const mirrored = destination !== root;
  const enter = async (relative: string, folder: Stats): Promise<boolean> => {
    // The mirror of a tree inside that tree is no source.
    if (top !== undefined && folder.dev === top.dev && folder.ino === top.ino) return false;
    if (mirrored) await search.folders?.make(join(destination, relative), folder);
    return true;
  };
  for await (const entry of walkTree(root, enter, search.treeOf(operand))) {
    yield asFound(search, entry, operand, destination);
  }
}

function asFound<O extends Operand>(
  { nameInMirror, nameReason }: Search<O>,
  entry: TreeEntry,
  operand: O,
  destination: string,
): Found<Item<O>> {
  if (entry.kind === 'skipped') return skipped(entry.path, entry.reason);
  if (entry.kind === 'failed') return entry;
  const name = nameInMirror(entry.relative);
  if (name === undefined) return { kind: 'skipped', path: entry.path, reason: nameReason, told: 'number' };
  return { kind: 'item', item: itemOf(operand, entry.path, join(destination, name), entry.stats, true) };
}

function skipped(path: string, reason: SkipReason): Skipped {
  const isOthers = reason === 'symbolic link' || reason === 'not a regular file';
  return { kind: 'skipped', path, reason, told: isOthers ? 'each' : 'never' };
}

function itemOf<O extends Operand>(
  operand: O,
  source: string,
  destination: string,
  sourceStats: Stats | undefined,
  inTree: boolean,
): Item<O> {
  const bytes = sourceStats?.isFile() === true ? sourceStats.size : undefined;
  return { source, destination, sourceStats, inTree, operand, bytes };
}
