/**
 * `rotateCompromised`: what an exposed secret asks for. A new secret, a new keyring key and a new volume key are a matter of the
 * keyring. Files keep the data keys that whoever had the secret may have: they have to be sealed anew, and as long as their
 * headers are not moved to the new volume key, which key they are under says which ones those are.
 */

import { VolsealError } from '../errors.ts';
import { hasErrno } from '../errno.ts';
import { findRegion } from '../fs/header/find-region.ts';
import { isVolumeSlot } from '../fs/header/rewrap.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { readNoFollow } from '../fs/volume/paths.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { checkOptions } from '../options.ts';
import { duringCall, eachEntry, failureAt, isOfVolume, isUnfinished, listedAtMost } from './internals.ts';
import { checkJobs, checkMaxIops, Pace } from './limits.ts';
import { ProgressMeter } from './progress.ts';
import type { PathFailure, RunProgress } from './report-types.ts';
import { rotateSecret } from './secret.ts';
import type { RotateSecretReport, SecretStepReport } from './secret-report.ts';
import { type WalkedFile, walkVolume } from './walk.ts';

export interface RotateCompromisedOptions {
  /** The label of the new secret, as for {@link rotateSecret}. */
  to: string;
  /** As for {@link rotateSecret}. */
  offline?: boolean;
  /** As for {@link rotateSecret}. */
  drop?: readonly string[];
  /** Say what would be done and change nothing. Default false. */
  dryRun?: boolean;
  /** Headers read at the same time. Default 4. */
  jobs?: number;
  /** Operations on the disk in a second, as for `rewrap`. */
  maxIops?: number;
  onStep?: (step: SecretStepReport) => void;
  /** Called with each file that has to be sealed anew; its path begins with `/`. */
  onExposed?: (path: string) => void;
  onProgress?: (progress: RunProgress) => void;
  signal?: AbortSignal;
}

/** A volume key that whoever had the old secret may have. */
export interface ExposedKey {
  /** `vk:N`. */
  readonly id: string;
  /** With a header half under it. Without any the key can be retired. */
  readonly files: number;
}

export interface CompromisedReport {
  readonly secret: RotateSecretReport;
  readonly exposed: readonly ExposedKey[];
  /** That have to be sealed anew under new data keys. */
  readonly exposedFiles: number;
  /** Headers that could not be read, the first 1,000: they may have to be sealed anew as well. */
  readonly unreadable: readonly PathFailure[];
  readonly unreadableFiles: number;
  /** What no command here can undo. One sentence each. */
  readonly remains: readonly string[];
  /** Whether the rotation is done and nothing has to be sealed anew. */
  readonly complete: boolean;
}

const optionNames = [
  'to',
  'offline',
  'drop',
  'dryRun',
  'jobs',
  'maxIops',
  'onStep',
  'onExposed',
  'onProgress',
  'signal',
] as const;

/** What is true after any exposure, whatever is done here. */
const remains: readonly string[] = [
  'what was read already stays read: no rotation takes it back',
  'rewrap does not help against someone who had the secret: files keep their data keys, and whoever had a header has those; such a file has to be sealed anew, and until it is, it can also be forged by whoever can write to the volume',
  'snapshots, forks, restored volumes, destroyed volumes (for up to a week), exports of the keyring and backups keep what the old secret opens',
  'files that were sealed outside of a volume under the old secret, and the volumes of other Machines, need a rotation of their own',
];

/**
 * Goes over to a new secret, with a new keyring key and a new primary volume key, and lists what has to be sealed anew: a copy
 * of a file is sealed under a new data key. Run it again until nothing is left. Headers must not be moved (`rewrap`) before
 * that: they tell which files are left.
 *
 * While `secret.waiting` says that the rotation has to wait, every file counts as exposed.
 * @throws VolsealError as {@link rotateSecret}; what the system says of the volume as a whole
 */
export async function rotateCompromised(
  volume: Volume,
  options: RotateCompromisedOptions,
): Promise<CompromisedReport> {
  checkOptions('rotateCompromised', options, optionNames);
  const { drop, dryRun, offline, onStep, signal, to } = options;
  const jobs = checkJobs(options.jobs);
  const pace = new Pace(checkMaxIops(options.maxIops), signal);
  const secret = await rotateSecret(volume, {
    to,
    ...(drop === undefined ? {} : { drop }),
    ...(dryRun === undefined ? {} : { dryRun }),
    ...(offline === undefined ? {} : { offline }),
    ...(onStep === undefined ? {} : { onProgress: onStep }),
    ...(signal === undefined ? {} : { signal }),
  });
  return duringCall(volume, async (mounted) => {
    const search = new Search(mounted, secret.complete, pace, options);
    await eachEntry(walkVolume(mounted), jobs, signal, async (entry, number) => {
      if (entry.kind === 'failed') search.failed(entry.path, entry.error);
      const isExposed = entry.kind === 'file' && !isUnfinished(entry) && (await search.isExposed(entry));
      search.tell(number, isExposed ? entry.path : undefined);
    });
    const { exposedFiles, unreadable, unreadableFiles } = search;
    return {
      secret,
      exposed: search.keys(),
      exposedFiles,
      unreadable,
      unreadableFiles,
      remains,
      complete: secret.complete && exposedFiles === 0 && unreadableFiles === 0,
    };
  });
}

/** Headers under other volume keys than those that nobody else can have. */
class Search {
  exposedFiles = 0;
  readonly unreadable: PathFailure[] = [];
  unreadableFiles = 0;
  readonly #mounted: Mounted;
  readonly #pace: Pace;
  readonly #options: RotateCompromisedOptions;
  /** Files by the key ids of volume keys that count as exposed; those that no keyring knows come when they are met. */
  readonly #files: Map<string, number> = new Map();
  readonly #names: ReadonlyMap<string, string>;
  readonly #safe: string | undefined;
  readonly #meter: ProgressMeter;
  #bytes = 0;
  /** As many as are looked at at the same time, by their numbers. */
  readonly #untold: Map<number, string | undefined> = new Map();
  #nextTold = 0;

  /** @param rotated whether the primary volume key was drawn after the exposure */
  constructor(mounted: Mounted, rotated: boolean, pace: Pace, options: RotateCompromisedOptions) {
    this.#mounted = mounted;
    this.#pace = pace;
    this.#options = options;
    this.#meter = new ProgressMeter(options.onProgress, 0);
    const { volumeKeys } = mounted.environment.keyring.info();
    this.#names = new Map(volumeKeys.map(({ keyId, version }) => [keyId, `vk:${version}`]));
    for (const { keyId, state } of volumeKeys) {
      if (state === 'primary' && rotated) this.#safe = keyId;
      else if (state !== 'destroyed') this.#files.set(keyId, 0);
    }
  }

  keys(): ExposedKey[] {
    return [...this.#files].map(([keyId, files]) => ({ id: this.#names.get(keyId) ?? keyId, files }));
  }

  failed(path: string, error: unknown): void {
    this.unreadableFiles++;
    if (this.unreadable.length < listedAtMost) this.unreadable.push(failureAt(path, error));
  }

  /** Tells of what is exposed in the order of the walk, though later ones may be looked at earlier. */
  tell(number: number, path: string | undefined): void {
    this.#untold.set(number, path);
    for (; this.#untold.has(this.#nextTold); this.#nextTold++) {
      const exposed = this.#untold.get(this.#nextTold);
      this.#untold.delete(this.#nextTold);
      if (exposed !== undefined) this.#options.onExposed?.(exposed);
    }
  }

  async isExposed({ path, systemPath }: WalkedFile): Promise<boolean> {
    await this.#pace.take(1);
    let isExposed = false;
    try {
      const keyIds = await this.#volumeKeysOf(systemPath);
      for (const keyId of keyIds) this.#files.set(keyId, (this.#files.get(keyId) ?? 0) + 1);
      isExposed = keyIds.size > 0;
      if (isExposed) this.exposedFiles++;
    } catch (error) {
      // Gone meanwhile, a link by now, or not sealed.
      const isNone = error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED';
      if (!isNone && !hasErrno(error, 'ENOENT', 'ELOOP')) this.failed(path, error);
    }
    this.#meter.file(this.#bytes);
    return isExposed;
  }

  /** The exposed ones that a header names in either half. */
  async #volumeKeysOf(systemPath: string): Promise<Set<string>> {
    const { environment, system } = this.#mounted;
    const fd = await system.open(systemPath, readNoFollow);
    try {
      const { goodCopies, regionBytes } = await findRegion(system, fd, undefined);
      this.#bytes += regionBytes;
      const { volumeId } = environment.keyring;
      const keyIds = goodCopies.flatMap(({ slots }) =>
        slots.filter(isVolumeSlot).map(({ wrapped }) => wrapped.keyId),
      );
      return new Set(keyIds.filter((keyId) => keyId !== this.#safe && isOfVolume(volumeId, keyId)));
    } finally {
      await system.close(fd).catch(() => {});
    }
  }
}
