/** `volseal mv`: another name or folder in the same volume, or a file into another volume. */

import { basename, dirname, join, resolve } from 'node:path';

import { VolsealError } from '../../errors.ts';
import type { Context } from '../../kms/provider.ts';
import { invalidArgument, throwIfAborted } from '../../options.ts';
import { FileLocks } from '../../fs/locks/file-locks.ts';
import { nodeSystem } from '../../os/node-system.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import { ProgressMeter } from '../progress.ts';
import type { Reporter } from '../report.ts';
import { inTerms, inTermsOf } from '../volumes/failures.ts';
import { endsInSlash, type VolumeFinder } from '../volumes/find.ts';
import { headerOf } from '../volumes/header-of.ts';
import { ownerOf } from '../volumes/keyring-place.ts';
import { withVolumes } from '../volumes/opened.ts';
import { pour } from '../volumes/pour.ts';
import { lookAtPlace } from '../volumes/volume-target.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';

export interface MvOptions {
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly progress: boolean;
  /** What the file must have been sealed with, and is sealed with in another volume. */
  readonly context: Context | undefined;
}

const permissionBits = 0o777;

export function mv(
  io: Io,
  reporter: Reporter,
  from: string,
  to: string,
  options: MvOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    const readonly = options.dryRun;
    const [fromPlace, toPlace] = [await finder.place(from), await finder.place(to)];
    const source = new VolumeTree(
      await volumes.open(fromPlace.root, { readonly }),
      fromPlace,
      options.context,
    );
    const target = new VolumeTree(await volumes.open(toPlace.root, { readonly }), toPlace);
    if (source.isRoot(from)) throw invalidArgument(`${from} is the volume itself`, 'name what is in it');
    const plan = await planMove(source, from, target, to, options.force);
    const { destination } = plan;
    throwIfAborted(io.signal);
    if (options.dryRun) {
      reporter.event('would', { source: from, destination });
      if (!reporter.json) reporter.print(`${printable(from)} -> ${printable(destination)}`);
      return exitCodes.done;
    }
    if (source.volume === target.volume) {
      await inTerms(from, source.volume.rename(source.inside(from), target.inside(destination)));
    } else {
      await moveAcross(io, reporter, source, from, target, plan, options);
    }
    if (reporter.json) reporter.document({ source: from, destination });
    else if (reporter.onTerminal) reporter.note(`${from} -> ${destination}`);
    return exitCodes.done;
  });
}

interface Plan {
  readonly destination: string;
  /** Whether something is there. */
  readonly replaces: boolean;
}

/**
 * Where it goes.
 * @throws VolsealError for what is in the way, or missing
 */
async function planMove(
  source: VolumeTree,
  from: string,
  target: VolumeTree,
  to: string,
  force: boolean,
): Promise<Plan> {
  const moved = await lookAtPlace(source, from);
  if (moved === undefined) throw notFound(from, 'no such file or directory', 'check the path');
  const isFolder = moved !== 'unreadable' && moved.isDirectory();
  const isFolderThere = await target.isDirectory(to);
  if (endsInSlash(to) && !isFolderThere && !isFolder)
    throw notFound(to, 'no such folder', 'name a folder that is there, or a file');
  const destination = isFolderThere ? join(to, basename(resolve(from))) : to;
  if (source.volume !== target.volume && moved !== 'unreadable' && !moved.isFile()) {
    throw invalidArgument(
      `${from} is ${isFolder ? 'a folder' : 'not a regular file'}, and ${to} lies in another volume`,
      isFolder
        ? `volseal put -r ${from} ${to}, and when it is done volseal rm -r ${from}`
        : 'volseal mv takes files from one volume to another',
    );
  }
  const existing = await lookAtPlace(target, destination);
  if (existing === undefined) {
    const folder = target.isRoot(destination) ? undefined : dirname(destination);
    if (folder !== undefined && !(await target.isDirectory(folder))) {
      throw notFound(folder, 'no such folder', 'volseal put makes folders, volseal mv does not');
    }
  } else if (isSameEntry(existing, moved)) {
    throw invalidArgument(`${from} and its destination are the same file`, 'name another destination');
  } else if (!force) {
    throw new VolsealError('ERR_VOLSEAL_EXISTS', `${destination}: it exists already`, { path: destination });
  }
  const inner = `${source.inside(from)}/`;
  if (source.volume === target.volume && `${target.inside(destination)}/`.startsWith(inner)) {
    throw invalidArgument(`${destination} lies in ${from} itself`, 'name another destination');
  }
  return { destination, replaces: existing !== undefined };
}

type Found = Awaited<ReturnType<typeof lookAtPlace>>;

function isSameEntry(a: Found, b: Found): boolean {
  return typeof a === 'object' && typeof b === 'object' && a.dev === b.dev && a.ino === b.ino;
}

function notFound(path: string, what: string, hint: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_NOT_FOUND', `${path}: ${what}`, { hint, path });
}

/** Sealed anew for the other volume, and only when it is there as a whole removed from the first. */
async function moveAcross(
  io: Io,
  reporter: Reporter,
  source: VolumeTree,
  from: string,
  target: VolumeTree,
  { destination, replaces }: Plan,
  options: MvOptions,
): Promise<void> {
  const { root } = source.place;
  const { fileId } = await headerOf(join(root, source.inside(from))).catch((error: unknown) => {
    throw inTermsOf(from, error);
  });
  // What somebody wrote to it meanwhile would be lost.
  const locks = new FileLocks(nodeSystem, join(root, '.volseal', 'locks'), await ownerOf(root));
  const lock = await inTerms(from, locks.acquire(`${fileId}.write`, { path: from }));
  try {
    const stats = await source.stat(from);
    const totals = { totalItems: 1, totalBytes: stats.size };
    const meter = new ProgressMeter(reporter, 'moving', totals, options.progress);
    try {
      await pour({ tree: source }, target, {
        source: from,
        destination,
        bytes: stats.size,
        replace: options.force,
        mode: replaces ? undefined : stats.mode & permissionBits,
        context: options.context,
        signal: io.signal,
        advance: (doneBytes) => meter.update(doneBytes, 0),
      });
    } finally {
      meter.stop();
    }
    await inTerms(from, source.volume.unlink(source.inside(from)));
  } finally {
    await lock.release();
    await locks.close();
  }
}
