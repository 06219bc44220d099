/** `volseal init`: makes a folder a volume. */

import { mkdir, rmdir, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

import type { Suite } from '../../aead/suite.ts';
import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { initVolume } from '../../fs/volume/entry.ts';
import { initVolumeOn, type InitVolumeOptions, type NewVolume } from '../../fs/volume/init.ts';
import type { KeyProvider } from '../../kms/provider.ts';
import { fromSystemError } from '../../system-error.ts';
import { isDirectory } from '../destinations.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { keyProviders } from '../keys.ts';
import { printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import { inTermsOf } from '../volumes/failures.ts';
import { recoveryAdvice, showRecoveryKey } from '../volumes/show-recovery-key.ts';
import { withEmptyFolder, wouldWrite, writelessSystem } from '../volumes/writeless-system.ts';

export interface InitOptions {
  readonly suite: Suite | undefined;
  /** Sealed bytes of a segment of files that are written in place. */
  readonly segmentBytes: number | undefined;
  readonly recovery: boolean;
  readonly dryRun: boolean;
}

export async function init(
  io: Io,
  reporter: Reporter,
  folder: string | undefined,
  options: InitOptions,
  kms: readonly string[],
): Promise<number> {
  const given = folder ?? (io.env['VOLSEAL_VOLUME'] || '.');
  const root = resolve(given);
  const keys = await keyProviders(kms, io);
  try {
    if (options.dryRun) {
      await checkOnly(given, root, initOptionsOf(options, keys));
      reporter.event('would', { volume: root });
      if (!reporter.json) reporter.print(`${printable(root)}: a volume`);
      return exitCodes.done;
    }
    const { recoveryKey, volumeId } = await make(given, root, initOptionsOf(options, keys));
    await tell(io, reporter, root, volumeId, recoveryKey);
    return exitCodes.done;
  } finally {
    for (const provider of keys) provider.close?.();
  }
}

function initOptionsOf(
  { recovery, segmentBytes, suite }: InitOptions,
  keys: readonly KeyProvider[],
): InitVolumeOptions {
  const policy = {
    ...(suite === undefined ? {} : { suite }),
    ...(segmentBytes === undefined ? {} : { segmentBytes }),
  };
  return { keys, recovery, policy };
}

async function make(given: string, root: string, options: InitVolumeOptions): Promise<NewVolume> {
  const isNew = await makeFolder(given);
  try {
    return await initVolume(root, options);
  } catch (error) {
    if (isNew) await rmdir(given).catch(() => {});
    throw inTermsOf(given, error);
  }
}

/** All that `make` checks; a folder that is not there yet counts as an empty one. */
async function checkOnly(given: string, root: string, options: InitVolumeOptions): Promise<void> {
  const isThere = await checkFolder(given);
  const system = isThere ? writelessSystem : withEmptyFolder(root);
  try {
    await wouldWrite(initVolumeOn(system, root, options));
  } catch (error) {
    throw inTermsOf(given, error);
  }
}

async function tell(
  io: Io,
  reporter: Reporter,
  root: string,
  volumeId: string,
  recoveryKey: string | undefined,
): Promise<void> {
  const document = { volume: root, volumeId, ...(recoveryKey === undefined ? {} : { recoveryKey }) };
  const lines = [`${printable(root)} is a volume now, volume id ${volumeId}.`];
  if (recoveryKey !== undefined) {
    const more = [
      ...recoveryAdvice,
      'A copy of the keyring is worth keeping too: volseal keyring export FILE',
    ];
    await showRecoveryKey(io, reporter, recoveryKey, document, [...lines, ...more]);
    return;
  }
  if (reporter.json) reporter.document(document);
  for (const line of lines) reporter.note(line);
  reporter.warning(
    'it has no recovery key: if the secret is lost, so is all that the volume holds; make one: volseal recovery create',
  );
}

/** The folder itself, not those above it: a slip of the keyboard would make a volume on a disk that does not last. */
async function makeFolder(path: string): Promise<boolean> {
  if (await checkFolder(path)) return false;
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    throw fromSystemError(error, path);
  }
}

/** @returns whether it is there */
async function checkFolder(path: string): Promise<boolean> {
  try {
    if ((await stat(path)).isDirectory()) return true;
  } catch (error) {
    if (!hasErrno(error, 'ENOENT')) throw fromSystemError(error, path);
    if (await isDirectory(dirname(resolve(path)))) return false;
    throw fromSystemError(error, path);
  }
  throw new VolsealError('ERR_VOLSEAL_EXISTS', `${path}: it exists already and is not a folder`, {
    hint: 'name a folder, or one that is not there yet',
    path,
  });
}
