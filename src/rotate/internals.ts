/** What the runs over a volume have in common. */

import { VolsealError } from '../errors.ts';
import { hasErrno } from '../errno.ts';
import { type VolumeInternals, volumeInternals } from '../fs/volume/internals.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { volumePrefixBytes } from '../keyring/content.ts';
import { parseKeyId } from '../key-id.ts';
import { bytesEqual } from '../bytes.ts';
import { throwIfAborted } from '../options.ts';
import type { PathFailure } from './report-types.ts';
import type { Walked, WalkedFile } from './walk.ts';

/** Entries of a list that is part of a report. */
export const listedAtMost = 1_000;

/**
 * The volume as it is made.
 * @throws VolsealError `ERR_VOLSEAL_CLOSED`; TypeError for what is no volume
 */
export function mountedOf(volume: Volume): Mounted {
  const { mounted, operations }: VolumeInternals = volumeInternals(volume);
  operations.checkOpen();
  return mounted;
}

/** Runs something that the closing of the volume waits for. */
export function duringCall<T>(volume: Volume, work: (mounted: Mounted) => Promise<T>): Promise<T> {
  const { mounted, operations } = volumeInternals(volume);
  return operations.run({ syscall: 'open', path: '/', changes: false }, () => work(mounted));
}

/** @throws VolsealError `ERR_VOLSEAL_PERMISSION` */
export function checkWritable(mounted: Mounted, what: string): void {
  if (!mounted.readonly) return;
  throw new VolsealError('ERR_VOLSEAL_PERMISSION', `${what}: the volume was opened read-only`, {
    hint: 'open it for writing',
    path: mounted.paths.root,
  });
}

/** @throws VolsealError `ERR_VOLSEAL_ROTATION_REFUSED` */
export function refused(message: string, hint: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_ROTATION_REFUSED', message, { hint });
}

/** Whether the key id of a slot is that of a volume key of this volume. */
export function isOfVolume(volumeId: Uint8Array, keyId: string): boolean {
  const bytes = parseKeyId(keyId);
  return (
    bytes !== undefined &&
    bytesEqual(bytes.subarray(0, volumePrefixBytes), volumeId.subarray(0, volumePrefixBytes))
  );
}

/** Whether no other file can fare better, so that the run ends. */
export function endsRun(error: unknown): boolean {
  if (hasErrno(error, 'ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE')) return true;
  const { code } = error as { code?: unknown };
  return (
    !(error instanceof Error) ||
    code === undefined ||
    code === 'ERR_VOLSEAL_ABORTED' ||
    code === 'ERR_VOLSEAL_CLOSED' ||
    code === 'ERR_VOLSEAL_INTERNAL'
  );
}

export function failureAt(path: string, error: unknown): PathFailure {
  const { code, message } = error as NodeJS.ErrnoException;
  return { path, code: code ?? 'ERR_VOLSEAL_INTERNAL', message };
}

/**
 * Has `work` done for every entry, `jobs` at a time. The first error ends it, when what runs has ended.
 * @param work gets each entry with its number; a file is released afterwards
 */
export async function eachEntry(
  entries: AsyncGenerator<Walked>,
  jobs: number,
  signal: AbortSignal | undefined,
  work: (entry: Walked, number: number) => Promise<void>,
): Promise<void> {
  let number = 0;
  let failed = false;
  const worker = async (): Promise<void> => {
    while (!failed) {
      throwIfAborted(signal);
      const next = await entries.next();
      if (next.done === true) return;
      const entry = next.value;
      try {
        await work(entry, number++);
      } finally {
        if (entry.kind === 'file') entry.release();
      }
    }
  };
  const ended = await Promise.allSettled(
    Array.from({ length: jobs }, () =>
      worker().catch((error: unknown) => {
        failed = true;
        throw error;
      }),
    ),
  );
  await entries.return(undefined);
  const failure = ended.find(({ status }) => status === 'rejected');
  if (failure !== undefined) throw (failure as PromiseRejectedResult).reason;
}

/** How many files there are; nothing is opened. */
export async function countFiles(
  entries: AsyncGenerator<Walked>,
  signal: AbortSignal | undefined,
): Promise<number> {
  let files = 0;
  for await (const entry of entries) {
    throwIfAborted(signal);
    if (entry.kind !== 'file') continue;
    entry.release();
    if (!isUnfinished(entry)) files++;
  }
  return files;
}

export function isUnfinished({ unfinished }: WalkedFile): boolean {
  return unfinished !== undefined;
}
