/** What the commands for the rotation of keys share. */

import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import type { Volume } from '../../fs/volume/volume.ts';
import type { RunProgress } from '../../rotate/report-types.ts';
import type { Io } from '../io.ts';
import { ProgressMeter } from '../progress.ts';
import type { Reporter } from '../report.ts';
import { inTermsOf } from './failures.ts';
import type { VolumeFinder } from './find.ts';
import { inTermsOfKeyring } from './keyring-place.ts';
import { withVolumes } from './opened.ts';

export interface LongOptions {
  readonly dryRun: boolean;
  readonly jobs: number;
  readonly maxIops: number | undefined;
  readonly progress: boolean;
}

/** Runs a command on the one volume that is meant, its failures told in the user's terms. */
export function onVolume(
  io: Io,
  finder: VolumeFinder,
  kms: readonly string[],
  readonly: boolean,
  run: (volume: Volume, root: string) => Promise<number>,
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    const root = await finder.root();
    const volume = await volumes.open(root, { readonly });
    try {
      return await run(volume, root);
    } catch (error) {
      throw rotationFailure(root, error);
    }
  });
}

/**
 * For commands that only look: a volume that is open for writing can tell whether files were moved meanwhile, but one on a
 * read-only file system can be looked at all the same.
 */
export async function onVolumeToLookAt(
  io: Io,
  finder: VolumeFinder,
  kms: readonly string[],
  run: (volume: Volume, root: string) => Promise<number>,
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    const root = await finder.root();
    const volume = await volumes.open(root, { readonly: false }).catch((error: unknown) => {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_PERMISSION') throw error;
      return volumes.open(root, { readonly: true });
    });
    try {
      return await run(volume, root);
    } catch (error) {
      throw rotationFailure(root, error);
    }
  });
}

/** EBUSY can only be the keyring or another run here: files that are held are told as skipped. */
export function rotationFailure(root: string, thrown: unknown): unknown {
  if (hasErrno(thrown, 'EBUSY')) return inTermsOfKeyring(root, thrown);
  if (!(thrown instanceof VolsealError)) return inTermsOf(root, thrown);
  const { cause, code, hint, message, path } = thrown;
  // What concerns the volume as a whole needs no path before it.
  const isOfAll = code === 'ERR_VOLSEAL_ROTATION_REFUSED' || code === 'ERR_VOLSEAL_ABORTED';
  if (!isOfAll) return inTermsOf(root, thrown);
  return path === '/'
    ? new VolsealError(code, message.replace(/^\/: /, ''), { hint, path: root, cause })
    : thrown;
}

/** A meter for a run, and what the library is given to move it. */
export function meterFor(
  reporter: Reporter,
  verb: string,
  progress: boolean,
): { meter: ProgressMeter; onProgress: (progress: RunProgress) => void } {
  const meter = new ProgressMeter(reporter, verb, {}, progress);
  return {
    meter,
    onProgress: ({ files, totalFiles }) => {
      if (totalFiles !== undefined) meter.expect({ totalItems: totalFiles });
      meter.update(0, files);
    },
  };
}

/** The same command line as the user would have to type it for this volume. */
export function withVolumeOption(command: string, named: string | undefined): string {
  if (named === undefined || !/^volseal (?:rotate|rewrap|audit|retire|recovery)\b/.test(command))
    return command;
  return `${command} --volume ${/^[\w./-]+$/.test(named) ? named : `'${named.replaceAll("'", String.raw`'\''`)}'`}`;
}

export function interrupted(io: Io): VolsealError {
  return new VolsealError('ERR_VOLSEAL_ABORTED', 'interrupted; the same command again goes on where it was', {
    cause: io.signal.reason,
  });
}
