/** `rewrap`: the headers of a volume under its primary volume key, both halves of each, while the volume is in use. */

import { hasErrno } from '../errno.ts';
import { VolsealError } from '../errors.ts';
import { findRegion } from '../fs/header/find-region.ts';
import { isUnderOnly, isVolumeSlot } from '../fs/header/rewrap.ts';
import type { HeldLock } from '../fs/locks/file-locks.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { isMarkThere, leaveMark } from '../fs/volume/moves.ts';
import { readNoFollow } from '../fs/volume/paths.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { checkFlag, checkOptions, invalidArgument, throwIfAborted } from '../options.ts';
import {
  type Checkpoint,
  DoneUpTo,
  readCheckpoint,
  removeCheckpoint,
  writeCheckpoint,
} from './checkpoint.ts';
import { describeHolders, waitForHolders } from './holders.ts';
import {
  checkWritable,
  countFiles,
  duringCall,
  eachEntry,
  endsRun,
  failureAt,
  isUnfinished,
  listedAtMost,
} from './internals.ts';
import { checkJobs, checkMaxIops, Pace } from './limits.ts';
import { ProgressMeter } from './progress.ts';
import type { HolderBehind, PathFailure, PathReason, RewrapOptions, RewrapReport } from './report-types.ts';
import { HeaderRewrapper, PrimaryChanged } from './rewrap-header.ts';
import { type Walked, type WalkedFile, walkPath, walkVolume } from './walk.ts';

const optionNames = ['paths', 'dryRun', 'jobs', 'maxIops', 'onProgress', 'signal'] as const;
const lockName = 'rewrap';
/** After so many files it is written down how far the run is. */
const checkpointEvery = 2_000;
/** What was moved meanwhile is looked for again so often. */
const mostPasses = 5;

/**
 * Moves the header of every file to the primary volume key. Data keys and content stay as they are, and files that are open,
 * here or elsewhere, go on being read and written. Files that cannot be done are in the report, and do not end the run.
 *
 * A run that was ended (by `signal`, a kill, a reboot, a full disk) is gone on with by the same call. Data that was sealed while
 * a key was known to somebody else stays readable to them: that takes new data keys.
 * @throws VolsealError `ERR_VOLSEAL_BUSY` while another rewrap runs, `ERR_VOLSEAL_PERMISSION` on a volume that was opened
 *   read-only, `ERR_VOLSEAL_ABORTED`, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; ENOSPC and its like
 */
export async function rewrap(volume: Volume, options: RewrapOptions = {}): Promise<RewrapReport> {
  checkOptions('rewrap', options, optionNames);
  checkFlag('dryRun', options.dryRun);
  const { dryRun = false, paths } = options;
  if (paths !== undefined && (!Array.isArray(paths) || !paths.every((path) => typeof path === 'string')))
    throw invalidArgument('paths must be an array of paths in the volume');
  const limits = { jobs: checkJobs(options.jobs), maxIops: checkMaxIops(options.maxIops) };
  throwIfAborted(options.signal);
  return duringCall(volume, async (mounted) => {
    if (dryRun) return new Run(mounted, options, limits).run();
    checkWritable(mounted, 'rewrap');
    const lock = await lockRun(mounted);
    try {
      return await new Run(mounted, options, limits).run();
    } finally {
      await lock.release();
    }
  });
}

/** Of all runs that change headers or take keys away there is one at a time. */
export async function lockRun({ environment, paths }: Mounted): Promise<HeldLock> {
  try {
    return await environment.locks.acquire(lockName, { path: paths.root });
  } catch (error) {
    if (!hasErrno(error, 'EBUSY')) throw error;
    const { holderPid } = error as NodeJS.ErrnoException & { holderPid?: number };
    const who = holderPid === undefined ? 'another process' : `process ${holderPid}`;
    throw new VolsealError('ERR_VOLSEAL_BUSY', `${paths.root}: ${who} is rewrapping this volume`, {
      hint: 'wait until it is done',
      path: paths.root,
      retryable: true,
      cause: error,
    });
  }
}

/** What one pass found. */
interface Pass {
  readonly skipped: PathReason[];
  readonly failed: PathFailure[];
  skippedFiles: number;
  failedFiles: number;
  /** Unfinished files that hold another key than the primary one. */
  unfinished: number;
}

class Run {
  readonly #mounted: Mounted;
  readonly #options: RewrapOptions;
  readonly #dryRun: boolean;
  readonly #jobs: number;
  readonly #pace: Pace;
  #primary: { readonly keyId: string; readonly version: number };
  #rewrapped = 0;
  #alreadyCurrent = 0;
  #leftoversRemoved = 0;
  #headerBytesRead = 0;
  #headerBytesWritten = 0;
  #resumedFrom: RewrapReport['resumedFrom'];

  constructor(mounted: Mounted, options: RewrapOptions, limits: { jobs: number; maxIops: number }) {
    this.#mounted = mounted;
    this.#options = options;
    this.#dryRun = options.dryRun === true;
    this.#jobs = limits.jobs;
    this.#pace = new Pace(limits.maxIops, options.signal);
    this.#primary = mounted.environment.keyring.primary;
  }

  async run(): Promise<RewrapReport> {
    const { keyring } = this.#mounted.environment;
    for (let pass = 1; ; pass++) {
      await keyring.refresh();
      this.#primary = keyring.primary;
      const behind = this.#dryRun
        ? []
        : await waitForHolders(this.#mounted, keyring.generation, this.#options.signal);
      // The mark is left when nobody moves anything by an older keyring any more.
      const mark = this.#dryRun ? undefined : await leaveMark(this.#mounted);
      const found = await this.#pass(mark, pass === 1, behind.length === 0);
      if (found === undefined) continue; // another primary key: from the beginning
      const stayed = mark === undefined || (await isMarkThere(this.#mounted, mark));
      if (!stayed && pass < mostPasses) continue;
      if (mark !== undefined && this.#options.paths === undefined) await removeCheckpoint(this.#mounted);
      return this.#report(found, behind, stayed);
    }
  }

  #report(pass: Pass, behind: readonly HolderBehind[], stayed: boolean): RewrapReport {
    const skipped = [...pass.skipped];
    const say = (reason: string): void => void skipped.unshift({ path: '/', reason });
    if (behind.length > 0)
      say(
        `new files may still come under the key before: ${describeHolders(behind)} did not see the new keyring yet`,
      );
    if (!stayed)
      say('files or folders under another key were moved again and again: some may have been missed');
    const { failed, failedFiles, skippedFiles, unfinished } = pass;
    return {
      ...this.#primary,
      rewrapped: this.#rewrapped,
      alreadyCurrent: this.#alreadyCurrent,
      skipped,
      skippedFiles,
      failed,
      failedFiles,
      leftoversRemoved: this.#leftoversRemoved,
      headerBytesRead: this.#headerBytesRead,
      headerBytesWritten: this.#headerBytesWritten,
      ...(this.#resumedFrom === undefined ? {} : { resumedFrom: this.#resumedFrom }),
      complete: failedFiles === 0 && unfinished === 0 && behind.length === 0 && stayed,
      dryRun: this.#dryRun,
    };
  }

  /**
   * Goes through everything once; undefined when the primary volume key became another one meanwhile.
   * @param settled whether nobody makes or moves anything by an older keyring: else what is done may have to be done again
   */
  async #pass(mark: string | undefined, isFirst: boolean, settled: boolean): Promise<Pass | undefined> {
    const { paths, signal } = this.#options;
    const { keyId } = this.#primary;
    const whole = paths === undefined && mark !== undefined && settled;
    const before = whole ? await this.#before(mark) : undefined;
    if (before !== undefined && isFirst) {
      this.#resumedFrom = { files: before.files, path: before.path };
      this.#rewrapped = 0;
    }
    const pass: Pass = { skipped: [], failed: [], skippedFiles: 0, failedFiles: 0, unfinished: 0 };
    const headers = new HeaderRewrapper(this.#mounted, keyId, this.#pace, this.#dryRun);
    const meter = new ProgressMeter(this.#options.onProgress, before?.files ?? 0);
    const [doneBefore, rewrappedBefore] = [before?.files ?? 0, before?.rewrapped ?? 0];
    const upTo = new DoneUpTo();
    let writtenDown = 0;
    const bytes = (): number => headers.headerBytesRead + headers.headerBytesWritten;
    const saveCheckpoint = async (): Promise<void> => {
      if (!whole || mark === undefined || upTo.path === undefined || pass.failedFiles + pass.unfinished > 0)
        return;
      const files = doneBefore + upTo.files;
      await writeCheckpoint(this.#mounted, {
        keyId,
        mark,
        path: upTo.path,
        files,
        rewrapped: rewrappedBefore + this.#rewrapped,
      });
    };
    const counting = new AbortController();
    if (this.#options.onProgress !== undefined && isFirst)
      void this.#count(counting.signal).then(
        (total) => (meter.totalFiles = total),
        () => {},
      );
    try {
      await eachEntry(this.#entries(before?.path), this.#jobs, signal, async (entry, number) => {
        await this.#entry(entry, headers, pass, isFirst);
        if (entry.kind === 'file' && !isUnfinished(entry)) meter.file(bytes());
        upTo.done(number, entry.path);
        if (upTo.files - writtenDown < checkpointEvery) return;
        writtenDown = upTo.files;
        await saveCheckpoint();
      });
      meter.say(bytes());
    } catch (error) {
      if (error instanceof PrimaryChanged) return undefined;
      await saveCheckpoint().catch(() => {}); // on a full disk, for example: the next run looks at more files then
      throw error;
    } finally {
      counting.abort();
      this.#headerBytesRead += headers.headerBytesRead;
      this.#headerBytesWritten += headers.headerBytesWritten;
    }
    await this.#mounted.environment.keyring.refresh();
    return this.#mounted.environment.keyring.primary.keyId === keyId ? pass : undefined;
  }

  /** Where a run before this one ended, when what it did still counts. */
  async #before(mark: string): Promise<Checkpoint | undefined> {
    const found = await readCheckpoint(this.#mounted);
    return found?.keyId === this.#primary.keyId && found.mark === mark ? found : undefined;
  }

  async *#entries(after: string | undefined): AsyncGenerator<Walked> {
    const { paths } = this.#options;
    if (paths === undefined) yield* walkVolume(this.#mounted, { after });
    else for (const path of paths) yield* walkPath(this.#mounted, path);
  }

  #count(signal: AbortSignal): Promise<number> {
    return countFiles(this.#entries(undefined), signal);
  }

  async #entry(entry: Walked, headers: HeaderRewrapper, pass: Pass, isFirst: boolean): Promise<void> {
    if (entry.kind === 'failed') return this.#failed(entry.path, entry.error, pass);
    try {
      if (isUnfinished(entry)) return await this.#unfinished(entry, pass);
      const outcome = await headers.rewrap(entry);
      if (outcome.kind === 'written') this.#rewrapped++;
      else if (outcome.kind === 'stranger') skip(pass, entry.path, outcome.reason);
      else if (outcome.kind === 'current' && isFirst) this.#alreadyCurrent++;
    } catch (error) {
      if (error instanceof PrimaryChanged) throw error;
      this.#failed(entry.path, error, pass);
    }
  }

  #failed(path: string, error: unknown, pass: Pass): void {
    if (endsRun(error)) throw error;
    pass.failedFiles++;
    if (pass.failed.length < listedAtMost) pass.failed.push(failureAt(path, error));
  }

  /** What a dead process left is removed: nobody will ever finish it, and it may hold the key before. */
  async #unfinished(entry: WalkedFile, pass: Pass): Promise<void> {
    const { system } = this.#mounted;
    if (entry.unfinished === 'stale') {
      if (!this.#dryRun) await system.unlink(entry.systemPath).catch(ignoreGone);
      this.#leftoversRemoved++;
      return;
    }
    if (!(await this.#holdsOtherKey(entry.systemPath))) return;
    pass.unfinished++;
    skip(pass, entry.path, 'it is just being made, under another key than the primary one');
  }

  async #holdsOtherKey(systemPath: string): Promise<boolean> {
    const { system } = this.#mounted;
    let fd: number;
    try {
      fd = await system.open(systemPath, readNoFollow);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return false;
      throw error;
    }
    try {
      const region = await findRegion(system, fd, undefined);
      return !isUnderOnly(region, this.#primary.keyId) && region.header.slots.some(isVolumeSlot);
    } catch (error) {
      if (error instanceof VolsealError) return false; // it has no header yet, or is none of ours
      throw error;
    } finally {
      await system.close(fd).catch(() => {});
    }
  }
}

function ignoreGone(error: unknown): void {
  if (!hasErrno(error, 'ENOENT')) throw error;
}

function skip(pass: Pass, path: string, reason: string): void {
  pass.skippedFiles++;
  if (pass.skipped.length < listedAtMost) pass.skipped.push({ path, reason });
}
