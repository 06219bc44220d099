/** From operands to the single files to be worked on, found while the work goes on: a tree may hold millions. */

import type { Stats } from 'node:fs';
import { join } from 'node:path';

import { type Destinations, type Direction, type Operand, resultName } from './destinations.ts';
import type { Folders } from './folders.ts';
import { type SkipReason, type TreeEntry, walkTree } from './walk.ts';

/** One file, pipe or standard stream to convert. */
export interface Item {
  /** `-` is standard input. */
  readonly source: string;
  /** `-` is standard output. */
  readonly destination: string;
  /** Of standard input undefined. */
  readonly sourceStats: Stats | undefined;
  /** Found in a folder, not named by the user. */
  readonly inTree: boolean;
}

export type Found =
  | { readonly kind: 'item'; readonly item: Item }
  | { readonly kind: 'skipped'; readonly path: string; readonly reason: SkipReason | 'name' }
  | { readonly kind: 'failed'; readonly path: string; readonly error: unknown };

/** @param folders makes the folders that results go into; undefined to only look */
export async function* findItems(
  direction: Direction,
  destinations: Destinations,
  folders: Folders | undefined,
): AsyncGenerator<Found, void, void> {
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
      yield* inTree(direction, operand, destination, top, folders);
    } else {
      const sourceStats = operand.kind === 'file' ? operand.stats : undefined;
      yield { kind: 'item', item: { source: operand.given, destination, sourceStats, inTree: false } };
    }
  }
}

async function* inTree(
  direction: Direction,
  operand: Operand & { kind: 'directory' },
  destination: string,
  top: Stats | undefined,
  folders: Folders | undefined,
): AsyncGenerator<Found, void, void> {
  const mirrored = destination !== operand.given;
  const enter = async (relative: string, folder: Stats): Promise<boolean> => {
    // The mirror of a tree inside that tree is no source.
    if (top !== undefined && folder.dev === top.dev && folder.ino === top.ino) return false;
    if (mirrored) await folders?.make(join(destination, relative), folder);
    return true;
  };
  for await (const entry of walkTree(operand.given, enter)) yield asFound(direction, entry, destination);
}

function asFound(direction: Direction, entry: TreeEntry, destination: string): Found {
  if (entry.kind !== 'file') return entry;
  const name = resultName(direction, entry.relative);
  if (name === undefined) return { kind: 'skipped', path: entry.path, reason: 'name' };
  const item = {
    source: entry.path,
    destination: join(destination, name),
    sourceStats: entry.stats,
    inTree: true,
  };
  return { kind: 'item', item };
}
