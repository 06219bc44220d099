/** Making and opening volumes. */

import { join } from 'node:path';

import { hex } from '../../bytes.ts';
import { providersOf } from '../../envelope/slots.ts';
import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { Keyring, type KeyringOpenOptions, type VolumePolicy } from '../../keyring/keyring.ts';
import type { KeyProvider, Keys } from '../../kms/provider.ts';
import { checkFlag, checkOptions, invalidArgument } from '../../options.ts';
import { makePrivateDirectory } from '../../os/private-directory.ts';
import { syncDirectory } from '../../os/replacing-file.ts';
import type { System } from '../../os/system.ts';
import { publishWarning } from '../../trace.ts';
import type { FileEnvironment, FileOwner } from '../file/environment.ts';
import { SegmentCache } from '../file/segment-cache.ts';
import { OpenFiles } from '../handle/open-files.ts';
import { FileLocks } from '../locks/file-locks.ts';
import { findVolumeFile } from './find-sealed.ts';
import { LeftJournals } from './left-journals.ts';
import { metadataName, recoveredName } from './path-rules.ts';
import { VolumePaths } from './paths.ts';
import { Volume } from './volume.ts';
import { explaining, rootOf } from './volume-root.ts';

const journalName = 'journal';
const locksName = 'locks';
const keyringName = 'keyring.json';

const defaultCacheBytes = 8_388_608;
/** Zeros that a write far behind the end of a file may be preceded by. */
const maxGapBytes: number = 2 ** 30;
/** How long a change of the keyring waits for another one. */
const keyringLockMs = 5_000;

export interface InitVolumeOptions {
  /** Each provider gets a slot: any one of them opens the volume. */
  keys: Keys;
  policy?: Partial<VolumePolicy>;
  /** Make a recovery key as well. Default true. */
  recovery?: boolean;
}

export interface NewVolume {
  /** 32 hexadecimal digits. */
  volumeId: string;
  /** Opens the volume when everything else is lost. It is given here and never again. */
  recoveryKey?: string;
}

export interface OpenVolumeOptions {
  /** Of several providers any one that can open does. */
  keys: Keys;
  /** Make a volume, without a recovery key, when the root is empty but for `lost+found`. Default false. */
  create?: boolean;
  /** Whatever changes something fails with EROFS, and nothing is written. Default false. */
  readonly?: boolean;
  /** `none`: no fsync and no journal. After a crash files may be unreadable. Default `sync`. */
  durability?: 'sync' | 'none';
  /** Bytes of plaintext that are kept in memory. Default 8 MiB. */
  cacheBytes?: number;
  /** 32 hexadecimal digits: the volume must be this one. */
  expectVolumeId?: string;
  /** The keyring must be of this generation or a later one; beside `$VOLSEAL_KEYRING_MIN`. */
  minGeneration?: number;
}

const initOptionNames = ['keys', 'policy', 'recovery'] as const;
const openOptionNames = [
  'keys',
  'create',
  'readonly',
  'durability',
  'cacheBytes',
  'expectVolumeId',
  'minGeneration',
] as const;

/** `initVolume` on any system. */
export async function initVolumeOn(
  system: System,
  root: string | URL,
  options: InitVolumeOptions,
): Promise<NewVolume> {
  checkOptions('initVolume', options, initOptionNames);
  checkFlag('recovery', options.recovery);
  const providers = providersOf(options.keys);
  return explaining(root, async () => {
    const { owner, path } = await rootOf(system, root);
    const directory = join(path, metadataName);
    await checkNoVolume(system, path, directory);
    const { policy, recovery = true } = options;
    return create(system, directory, { providers, policy, recovery, owner });
  });
}

async function checkNoVolume(system: System, root: string, directory: string): Promise<void> {
  if (await exists(system, join(directory, keyringName))) {
    throw new VolsealError('ERR_VOLSEAL_VOLUME_EXISTS', `${root} is a volume already`, {
      path: root,
      hint: 'open it; to start anew, remove everything in it first',
    });
  }
  const found = await findVolumeFile(system, root);
  if (found === undefined) return;
  throw new VolsealError(
    'ERR_VOLSEAL_KEYRING_MISSING',
    `${root} has sealed files, ${JSON.stringify(found)} among them, but their keyring is lost`,
    {
      path: root,
      hint: 'put it back: volseal keyring restore EXPORT; with a new keyring nothing would ever open them',
    },
  );
}

async function create(
  system: System,
  directory: string,
  options: Parameters<typeof Keyring.create>[2],
): Promise<NewVolume> {
  // Nothing may fail once the keyring is there: its recovery key would be lost, and the volume look finished.
  const paths = [directory, join(directory, journalName), join(directory, locksName)];
  try {
    for (const path of paths) await makeInside(system, path, options.owner);
    await syncDirectory(system, directory);
    const { keyring, recoveryKey } = await Keyring.create(system, directory, options);
    const volumeId = hex(keyring.volumeId);
    keyring.close();
    return recoveryKey === undefined ? { volumeId } : { volumeId, recoveryKey };
  } catch (error) {
    // What is not empty stays.
    for (const path of paths.toReversed()) await system.rmdir(path).catch(() => {});
    throw error;
  }
}

/** Makes one of the directories of `.volseal`; false when it is there. */
async function makeInside(system: System, path: string, owner: FileOwner | undefined): Promise<boolean> {
  if (await makePrivateDirectory(system, path, owner)) return true;
  if ((await system.lstat(path)).isDirectory()) return false;
  throw new VolsealError('ERR_VOLSEAL_OUTSIDE_VOLUME', `${path} is not a directory`, {
    path,
    hint: 'remove it: volseal makes a directory of this name for itself',
  });
}

/** `openVolume` on any system. */
export async function openVolumeOn(
  system: System,
  root: string | URL,
  options: OpenVolumeOptions,
): Promise<Volume> {
  const providers = checkOpenOptions(options);
  return explaining(root, async () => {
    const { owner, path } = await rootOf(system, root);
    const directory = join(path, metadataName);
    const isReadonly = options.readonly === true;
    const locks = new FileLocks(system, join(directory, locksName), owner);
    const keyring = await openKeyring(system, path, directory, options.create === true, {
      providers,
      expectVolumeId: options.expectVolumeId,
      minGeneration: options.minGeneration,
      readonly: isReadonly,
      owner,
      withLock: (run) => locked(locks, directory, run),
    });
    try {
      if (!isReadonly) await makeMissing(system, directory, owner);
      const environment: FileEnvironment = {
        system,
        keyring,
        locks,
        journalDirectory: join(directory, journalName),
        durability: options.durability ?? 'sync',
        cache: new SegmentCache(options.cacheBytes ?? defaultCacheBytes),
        owner,
        maxGapBytes,
      };
      const [paths, leftJournals] = await Promise.all([
        VolumePaths.open(system, path),
        LeftJournals.list(environment),
      ]);
      const files = new OpenFiles(environment);
      if (!isReadonly) await locks.sweep().catch(() => {}); // it only tidies up
      return new Volume({ environment, files, leftJournals, paths, readonly: isReadonly });
    } catch (error) {
      keyring.close();
      throw error;
    }
  });
}

function checkOpenOptions(options: OpenVolumeOptions): readonly KeyProvider[] {
  checkOptions('openVolume', options, openOptionNames);
  const { cacheBytes, create, durability, minGeneration } = options;
  checkFlag('create', create);
  checkFlag('readonly', options.readonly);
  if (create === true && options.readonly === true) {
    throw invalidArgument('a volume cannot be created read-only', 'leave out create or readonly');
  }
  if (durability !== undefined && durability !== 'sync' && durability !== 'none') {
    throw invalidArgument(`durability must be 'sync' or 'none'`);
  }
  for (const [name, value] of [
    ['cacheBytes', cacheBytes],
    ['minGeneration', minGeneration],
  ] as const) {
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) {
      throw invalidArgument(`${name} must be a whole number from 0`);
    }
  }
  return providersOf(options.keys);
}

async function openKeyring(
  system: System,
  root: string,
  directory: string,
  mayCreate: boolean,
  options: KeyringOpenOptions,
): Promise<Keyring> {
  try {
    return await Keyring.open(system, directory, options);
  } catch (error) {
    if (!mayCreate || !isCode(error, 'ERR_VOLSEAL_KEYRING_MISSING')) throw error;
    await checkEmpty(system, root, directory, error);
  }
  const { owner, providers } = options;
  await create(system, directory, { providers, recovery: false, owner }).catch((error: unknown) => {
    // Another process that opens it just now was faster.
    if (!isCode(error, 'ERR_VOLSEAL_VOLUME_EXISTS')) throw error;
  });
  return Keyring.open(system, directory, options);
}

function isCode(error: unknown, code: VolsealError['code']): boolean {
  return error instanceof VolsealError && error.code === code;
}

/** What a crash in the middle of creating it left does not count. */
async function checkEmpty(system: System, root: string, directory: string, missing: unknown): Promise<void> {
  const entries = await system.readdir(root);
  const others = entries.filter(({ name }) => name !== recoveredName && name !== metadataName);
  const journal = join(directory, journalName);
  const journals = (await exists(system, journal)) ? await system.readdir(journal) : [];
  if (others.length === 0 && journals.length === 0) return;
  throw new VolsealError(
    'ERR_VOLSEAL_KEYRING_MISSING',
    `${root} is not empty and has no keyring, so it is not made a volume`,
    {
      path: root,
      hint: 'was the keyring lost? put it back: volseal keyring restore EXPORT; else make it a volume: volseal init',
      cause: missing,
    },
  );
}

async function exists(system: System, path: string): Promise<boolean> {
  try {
    await system.lstat(path);
    return true;
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

async function makeMissing(system: System, directory: string, owner: FileOwner | undefined): Promise<void> {
  for (const name of [journalName, locksName]) {
    const path = join(directory, name);
    if (!(await makeInside(system, path, owner))) continue;
    publishWarning({
      code: 'directory-made-again',
      message: `${metadataName}/${name} was missing and has been made again`,
      path,
    });
  }
  // Also when they were there: whoever made them may not have got so far, and the first journal must not be lost with them.
  await syncDirectory(system, directory);
}

async function locked<T>(locks: FileLocks, directory: string, run: () => Promise<T>): Promise<T> {
  const path = join(directory, keyringName);
  const lock = await locks.acquire('keyring', { path, waitMs: keyringLockMs });
  try {
    return await run();
  } finally {
    await lock.release();
  }
}
