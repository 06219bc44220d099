/** `volseal rm`: files and folders of volumes, gone. */

import { join } from 'node:path';

import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { invalidArgument } from '../../options.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';
import { Run } from '../run.ts';
import { inTerms, inTermsOf } from '../volumes/failures.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { type OpenedVolumes, withVolumes } from '../volumes/opened.ts';
import { lookAtPlace } from '../volumes/volume-target.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';
import type { Found, Words, Work, WorkItem } from '../work.ts';

export interface RmOptions {
  readonly recursive: boolean;
  readonly dryRun: boolean;
  readonly progress: boolean;
}

/** An entry to remove, in the volume it was found in. */
interface Doomed extends WorkItem {
  readonly tree: VolumeTree;
}

interface Operand {
  readonly given: string;
  readonly tree: VolumeTree;
  readonly isFolder: boolean;
}

const words: Words = { command: 'rm', doing: 'removing', done: 'removed', sums: {} };

export function rm(
  io: Io,
  reporter: Reporter,
  paths: readonly string[],
  { dryRun, progress, recursive }: RmOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    // A folder goes when all that was in it has gone, so there is an order to keep.
    const engine = new Run<Doomed>(io, reporter, words, { dryRun, progress, jobs: 1 });
    const operands: Operand[] = [];
    for (const path of paths) {
      try {
        operands.push(await lookAt(path, finder, volumes, dryRun));
      } catch (error) {
        if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_INVALID_ARGUMENT') throw error;
        engine.failed(path, error);
      }
    }
    const folder = operands.find(({ isFolder }) => isFolder);
    if (folder !== undefined && !recursive) {
      throw invalidArgument(`${folder.given} is a folder`, 'give -r to remove all that is in it');
    }
    return engine.run(removal(operands));
  });
}

async function lookAt(
  given: string,
  finder: VolumeFinder,
  volumes: OpenedVolumes,
  readonly: boolean,
): Promise<Operand> {
  const place = await finder.place(given);
  const tree = new VolumeTree(await volumes.open(place.root, { readonly }), place);
  if (tree.isRoot(given)) {
    throw invalidArgument(`${given} is the volume itself`, 'name what is in it that you want removed');
  }
  // One that is damaged, or was never sealed, can be removed like any other.
  const stats = await lookAtPlace(tree, given);
  if (stats === undefined) {
    throw new VolsealError('ERR_VOLSEAL_NOT_FOUND', `${given}: no such file or directory`, {
      hint: 'check the path',
      path: given,
    });
  }
  return { given, tree, isFolder: stats !== 'unreadable' && stats.isDirectory() };
}

function removal(operands: readonly Operand[]): Work<Doomed> {
  /** Folders that something stays in, because removing it failed. */
  const kept = new Set<string>();
  return {
    words,
    subject: operands[0]?.given ?? '',
    readsStdin: false,
    async *find(making) {
      for (const { given, isFolder, tree } of operands) {
        if (isFolder) yield* contents(tree, given, making, kept);
        else yield { kind: 'item', item: doomed(tree, given) };
      }
    },
    async check() {},
    async perform({ source, tree }) {
      try {
        await tree.volume.unlink(tree.inside(source));
      } catch (error) {
        kept.add(source);
        throw inTermsOf(source, error);
      }
      return {};
    },
    async takeBack() {},
  };
}

function doomed(tree: VolumeTree, path: string): Doomed {
  return { source: path, destination: undefined, bytes: undefined, tree };
}

/** What a folder holds, then the folder itself. Links are removed, not followed. */
async function* contents(
  tree: VolumeTree,
  folder: string,
  making: boolean,
  kept: Set<string>,
): AsyncGenerator<Found<Doomed>, void, void> {
  let isKept = false;
  try {
    const entries = await inTerms(folder, tree.volume.readdir(tree.inside(folder), { withFileTypes: true }));
    for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) yield* contents(tree, path, making, kept);
      else yield { kind: 'item', item: doomed(tree, path) };
      isKept ||= kept.has(path);
    }
    if (making && !isKept) await tree.volume.rmdir(tree.inside(folder));
  } catch (error) {
    isKept = true;
    // Gone already, or an app put something into it meanwhile.
    if (!hasErrno(error, 'ENOENT')) yield { kind: 'failed', path: folder, error: inTermsOf(folder, error) };
  }
  if (isKept) kept.add(folder);
}
