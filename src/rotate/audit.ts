/** `audit`: which keys the volume still needs, and for what. It reads every header and decrypts nothing. */

import { hex } from '../bytes.ts';
import { hasErrno } from '../errno.ts';
import { VolsealError } from '../errors.ts';
import { findRegion } from '../fs/header/find-region.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { isMarkThere, leaveMark } from '../fs/volume/moves.ts';
import { metadataName } from '../fs/volume/path-rules.ts';
import { readNoFollow } from '../fs/volume/paths.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { minProviderRegionBytes } from '../limits.ts';
import { checkOptions, throwIfAborted } from '../options.ts';
import { readUpTo } from '../os/descriptor-bytes.ts';
import { AuditTally } from './audit-tally.ts';
import { holdersBehind } from './holders.ts';
import { countFiles, duringCall, eachEntry, endsRun, failureAt } from './internals.ts';
import { keyNamed } from './key-names.ts';
import { checkJobs, checkMaxIops, Pace } from './limits.ts';
import { ProgressMeter } from './progress.ts';
import type { AuditedKey, AuditOptions, AuditReport } from './report-types.ts';
import { walkVolume, type WalkedFile } from './walk.ts';

const optionNames = ['key', 'jobs', 'maxIops', 'onProgress', 'signal'] as const;
/** What was moved meanwhile is looked for again so often. */
const mostPasses = 5;
/** The longest that Fly keeps a snapshot of a volume. */
const longestRetentionDays = 60;
const dayMs = 86_400_000;

/** Until when snapshots of what lay on the volume at this moment can be there. */
export function snapshotsUntil(fromMs: number): string {
  return new Date(fromMs + longestRetentionDays * dayMs).toISOString();
}

/**
 * Looks at every header half, the generations of the keyring and the journals, and says for each key what needs it. Nothing is
 * changed. What is on the volume at the end of it is in the report, also when files were renamed meanwhile.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for a key that there is not, `ERR_VOLSEAL_ABORTED`,
 *   `ERR_VOLSEAL_UNKNOWN_OPTION`; errors of the system
 */
export async function audit(volume: Volume, options: AuditOptions = {}): Promise<AuditReport> {
  checkOptions('audit', options, optionNames);
  checkJobs(options.jobs);
  checkMaxIops(options.maxIops);
  throwIfAborted(options.signal);
  return duringCall(volume, (mounted) => auditMounted(mounted, options));
}

/** The same from within a call. */
export async function auditMounted(mounted: Mounted, options: AuditOptions): Promise<AuditReport> {
  const { keyring } = mounted.environment;
  await keyring.refresh();
  const { key } = options;
  for (let pass = 1; ; pass++) {
    const mark = mounted.readonly ? undefined : await leaveMark(mounted);
    const run = new AuditRun(mounted, options);
    const tally = await run.run();
    const stayed = mark === undefined || (await isMarkThere(mounted, mark));
    if (!stayed && pass < mostPasses) continue;
    const behind = await holdersBehind(mounted, keyring.generation);
    const all = tally.keys();
    const keys = key === undefined ? all : [keyNamed(all, key)];
    const isGone = key === undefined ? all.every(isUnneeded) : keys.every(isUnused);
    if (!stayed) {
      const message = 'files or folders under another key than the primary one were moved again and again';
      tally.failed({ path: '/', code: 'ERR_VOLSEAL_BUSY', message });
    }
    return {
      volumeId: hex(keyring.volumeId),
      generation: keyring.generation,
      keys,
      files: tally.files,
      headerBytesRead: run.headerBytesRead,
      unreadable: tally.unreadable,
      unreadableFiles: tally.unreadableFiles,
      strangers: tally.strangers,
      holdersBehind: behind,
      clean: isGone && tally.unreadableFiles === 0 && behind.length === 0,
      snapshotsUntil: snapshotsUntil(Date.now()),
    };
  }
}

/** Whether nothing but the keyring holds it, and not even that when it was destroyed. */
function isUnused({ files, generations, journals, state }: AuditedKey): boolean {
  const isPutAway = state !== 'destroyed' || generations.length === 0;
  return files === 0 && journals === 0 && isPutAway;
}

/** Whether a volume in which nothing is to be done may have it so. */
function isUnneeded(key: AuditedKey): boolean {
  return key.kind === 'secret' || key.state === 'primary' || isUnused(key);
}

class AuditRun {
  headerBytesRead = 0;
  readonly #mounted: Mounted;
  readonly #options: AuditOptions;
  readonly #pace: Pace;

  constructor(mounted: Mounted, options: AuditOptions) {
    this.#mounted = mounted;
    this.#options = options;
    this.#pace = new Pace(checkMaxIops(options.maxIops), options.signal);
  }

  async run(): Promise<AuditTally> {
    const { jobs, onProgress, signal } = this.#options;
    const { keyring } = this.#mounted.environment;
    const tally = new AuditTally(keyring.volumeId, await this.#journals());
    for (const { content, failure, name } of await keyring.storedGenerations()) {
      if (content !== undefined) tally.generation(content, name === 'keyring.json');
      else tally.failed(failureAt(`/${metadataName}/${name}`, failure));
    }
    const meter = new ProgressMeter(onProgress, 0);
    const counting = new AbortController();
    if (onProgress !== undefined) {
      void countFiles(walkVolume(this.#mounted), counting.signal).then(
        (total) => (meter.totalFiles = total),
        () => {},
      );
    }
    try {
      await eachEntry(walkVolume(this.#mounted), checkJobs(jobs), signal, async (entry) => {
        if (entry.kind === 'failed') tally.failed(failureAt(entry.path, entry.error));
        else await this.#file(entry, tally);
        meter.file(this.headerBytesRead);
      });
    } finally {
      counting.abort();
    }
    meter.say(this.headerBytesRead);
    return tally;
  }

  async #journals(): Promise<ReadonlySet<string>> {
    const { environment, system } = this.#mounted;
    const entries = await system.readdir(environment.journalDirectory);
    return new Set(entries.map(({ name }) => name));
  }

  async #file(file: WalkedFile, tally: AuditTally): Promise<void> {
    await this.#pace.take(1);
    const { system } = this.#mounted;
    try {
      const fd = await system.open(file.systemPath, readNoFollow);
      try {
        await this.#header(fd, file, tally);
      } finally {
        await system.close(fd).catch(() => {});
      }
    } catch (error) {
      if (hasErrno(error, 'ENOENT', 'ELOOP', 'ENOTDIR', 'EISDIR')) return; // gone
      if (endsRun(error)) throw error;
      if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED') tally.strangers++;
      else if (file.unfinished === 'live' && error instanceof VolsealError) tally.strangers++;
      else tally.failed(failureAt(file.path, error));
    }
  }

  async #header(fd: number, file: WalkedFile, tally: AuditTally): Promise<void> {
    const { system } = this.#mounted;
    const start = await readUpTo(system, fd, new Uint8Array(minProviderRegionBytes), 0);
    this.headerBytesRead += start.length;
    const region = await findRegion(system, fd, start);
    if (region.regionBytes > start.length) this.headerBytesRead += region.regionBytes;
    tally.header(region, file.path);
    if (region.goodCopies.length === 2) return;
    tally.failed({
      path: file.path,
      code: 'ERR_VOLSEAL_HEADER_DAMAGED',
      message:
        'one of the two copies of its header is damaged: which key it holds cannot be read; volseal rewrap repairs it',
    });
  }
}
