/** `volseal put`: plain files, folders and streams into a volume. */

import type { Context } from '../../kms/provider.ts';
import { invalidArgument } from '../../options.ts';
import { type Naming, type Operand, planDestinations, standardStream } from '../destinations.ts';
import type { Io } from '../io.ts';
import { findItems, type Item } from '../items.ts';
import type { Reporter } from '../report.ts';
import { Run, type RunOptions } from '../run.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { type OpenedVolumes, withVolumes } from '../volumes/opened.ts';
import { pour } from '../volumes/pour.ts';
import { refuseSealedForVolume } from '../volumes/sealed-for-volume.ts';
import { localTree, type SourceTree } from '../volumes/source-tree.ts';
import { VolumeTarget } from '../volumes/volume-target.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';
import type { Words, Work } from '../work.ts';

export interface CopyOptions extends RunOptions {
  readonly recursive: boolean;
  readonly force: boolean;
  readonly context: Context | undefined;
}

/** A source with where it is read. */
type Source = Operand & { readonly tree: SourceTree };

const words: Words = { command: 'put', doing: 'sealing', done: 'sealed', sums: { plainBytes: 0 } };
const sealedHint = 'give the path of that volume to a command of its own: its files are read through it';
const permissionBits = 0o777;

export function put(
  io: Io,
  reporter: Reporter,
  operands: readonly string[],
  options: CopyOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const sources = operands.slice(0, -1);
  const path = operands.at(-1);
  if (path === undefined || sources.length === 0) {
    throw invalidArgument(
      'put takes a source and a path in a volume',
      'for example: volseal put photo.jpg data/photos/1.jpg',
    );
  }
  if (path === standardStream) {
    throw invalidArgument('- is standard output, not a path in a volume', 'a file of that name is ./-');
  }
  return withVolumes(io, kms, (volumes) => run(io, reporter, sources, path, options, finder, volumes));
}

async function run(
  io: Io,
  reporter: Reporter,
  given: readonly string[],
  path: string,
  options: CopyOptions,
  finder: VolumeFinder,
  volumes: OpenedVolumes,
): Promise<number> {
  const place = await finder.place(path);
  const target = new VolumeTree(await volumes.open(place.root, { readonly: options.dryRun }), place);
  const engine = new Run<Item<Source>>(io, reporter, words, options);
  const sources: Source[] = [];
  for (const source of given) {
    try {
      sources.push(await lookAt(source, finder, volumes, options.context));
    } catch (error) {
      engine.failed(source, error);
    }
  }
  const folder = sources.find(({ kind }) => kind === 'directory');
  if (folder !== undefined && !options.recursive) {
    throw invalidArgument(`${folder.given} is a folder`, 'give -r to take all that is in it');
  }
  const naming: Naming = {
    place: 'PATH',
    fileHint: 'name a file as PATH',
    severalHint: '',
    isDirectory: (name) => target.isDirectory(name),
    inFolder: (name) => name,
  };
  const destinations = await planDestinations(naming, sources, given.length, path);
  const folders = new VolumeTarget(target);
  const check = async (item: Item<Source>): Promise<boolean> => {
    if (item.operand.tree === localTree) await refuseSealedForVolume(item, finder, sealedHint);
    return folders.checkPlace(item, options.force);
  };
  const work: Work<Item<Source>> = {
    words,
    subject: path,
    readsStdin: sources.some(({ kind }) => kind === 'stdin'),
    find: (making) =>
      findItems({
        destinations,
        folders: making ? folders : undefined,
        treeOf: ({ tree }) => tree,
        nameInMirror: (relative) => relative,
        nameReason: '',
      }),
    async check(item) {
      await check(item);
    },
    async perform(item, advance) {
      const replaces = await check(item);
      await folders.makeAbove(item.destination);
      const { destination, operand, source, sourceStats } = item;
      const from = operand.kind === 'stdin' ? io.stdin : operand;
      const plainBytes = await pour(from, target, {
        source,
        destination,
        bytes: item.bytes,
        replace: options.force,
        mode: !replaces && sourceStats?.isFile() === true ? sourceStats.mode & permissionBits : undefined,
        context: options.context,
        signal: io.signal,
        advance,
      });
      return { plainBytes };
    },
    takeBack: (destination) => folders.takeBack(destination),
  };
  return engine.run(work);
}

/** A path that lies in a volume is read through it: what is put is the plaintext. */
async function lookAt(
  given: string,
  finder: VolumeFinder,
  volumes: OpenedVolumes,
  context: Context | undefined,
): Promise<Source> {
  if (given === standardStream) return { kind: 'stdin', given, tree: localTree };
  const place = await finder.around(given);
  const tree =
    place === undefined
      ? localTree
      : new VolumeTree(await volumes.open(place.root, { readonly: true }), place, context);
  const stats = await tree.stat(given);
  return { kind: stats.isDirectory() ? 'directory' : 'file', given, stats, tree };
}
