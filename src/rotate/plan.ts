/** `plan`: what a rotation would do to this volume, and how long it may take. Headers are read, nothing is changed for good. */

import { constants } from 'node:fs';
import { join } from 'node:path';

import type { Mounted } from '../fs/volume/mounted.ts';
import { metadataName } from '../fs/volume/path-rules.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { minProviderRegionBytes } from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { writeAll } from '../os/descriptor-bytes.ts';
import { temporaryName } from '../os/temporary-name.ts';
import { mountedOf } from './internals.ts';
import { checkMaxIops, type Clock, realClock } from './limits.ts';
import type { PlannedRotation, PlanStep, RotationPlan } from './report-types.ts';
import { rewrap } from './rewrap.ts';

/** Syncs that the rate is measured with. */
const samples = 8;
/** One read, two writes and two syncs. */
const operationsPerFile = 5;
const syncsPerFile = 2;
/** What a header costs beside its syncs: system calls and cryptography. */
const otherMs = 0.3;

export interface PlanOptions {
  maxIops?: number;
  signal?: AbortSignal;
}

/**
 * @throws VolsealError as a dry run of `rewrap`
 */
export async function plan(
  volume: Volume,
  what: PlannedRotation,
  options: PlanOptions = {},
): Promise<RotationPlan> {
  if (what !== 'volume-key' && what !== 'rewrap')
    throw invalidArgument("a plan is for 'volume-key' or 'rewrap'");
  const { signal } = options;
  const counted = await rewrap(volume, { dryRun: true, ...(signal === undefined ? {} : { signal }) });
  const { alreadyCurrent, failedFiles, rewrapped } = counted;
  const total = rewrapped + alreadyCurrent;
  // After a new volume key no header is under the primary one.
  const files = what === 'volume-key' ? total : rewrapped;
  const filesPerSecond = await rateOf(mountedOf(volume), checkMaxIops(options.maxIops));
  return {
    what,
    steps: stepsOf(what, files, failedFiles),
    files,
    totalFiles: total,
    bytes: files * minProviderRegionBytes * 2,
    syncs: files * syncsPerFile,
    filesPerSecond,
    estimatedSeconds: files / filesPerSecond,
    command: what === 'volume-key' ? 'volseal rotate volume-key' : 'volseal rewrap',
  };
}

function stepsOf(what: PlannedRotation, files: number, failedFiles: number): PlanStep[] {
  const unread = failedFiles === 0 ? '' : `; ${failedFiles} could not be read`;
  const rewrapping = {
    step: 'rewrap',
    detail: `${files} headers are moved to the primary volume key${unread}`,
    done: files === 0 && failedFiles === 0,
  };
  const last = {
    step: 'retire',
    detail: 'each older volume key is destroyed when the audit finds nothing under it',
    done: false,
  };
  if (what === 'rewrap') return [rewrapping, last];
  const first = { step: 'volume-key', detail: 'a new volume key becomes the primary one', done: false };
  return [first, rewrapping, last];
}

/** Headers in a second: by how long a sync takes here, and by the limit on operations. */
async function rateOf(mounted: Mounted, maxIops: number, clock: Clock = realClock): Promise<number> {
  const syncMs =
    mounted.readonly || mounted.environment.durability === 'none' ? 0 : await measureSync(mounted, clock);
  return Math.min(1_000 / (otherMs + syncsPerFile * syncMs), maxIops / operationsPerFile);
}

async function measureSync({ paths, system }: Mounted, clock: Clock): Promise<number> {
  const path = join(paths.root, metadataName, temporaryName());
  const fd = await system.open(path, constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY, 0o600);
  try {
    const half = new Uint8Array(minProviderRegionBytes / 2);
    await writeAll(system, fd, [half], 0);
    await system.fdatasync(fd);
    const startMs = clock.now();
    for (let i = 0; i < samples; i++) {
      await writeAll(system, fd, [half], 0);
      await system.fdatasync(fd);
    }
    return (clock.now() - startMs) / samples;
  } finally {
    await system.close(fd).catch(() => {});
    await system.unlink(path).catch(() => {});
  }
}
