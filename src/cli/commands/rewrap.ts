/** `volseal rewrap`: the headers of files to the primary volume key. */

import { VolsealError } from '../../errors.ts';
import type { Volume } from '../../fs/volume/volume.ts';
import { plan } from '../../rotate/plan.ts';
import type { RewrapReport } from '../../rotate/report-types.ts';
import { rewrap } from '../../rotate/rewrap.ts';
import { exitCodes, worseExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import { failureOf } from '../volumes/file-failures.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { withVolumes } from '../volumes/opened.ts';
import { planLines } from '../volumes/plan-lines.ts';
import { interrupted, type LongOptions, meterFor, rotationFailure } from '../volumes/rotating.ts';

export function rewrapFiles(
  io: Io,
  reporter: Reporter,
  given: readonly string[],
  options: LongOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    let exitCode: number = exitCodes.done;
    for (const [root, paths] of await placesOf(given, finder)) {
      // Also a plan measures how fast the disk syncs.
      const volume = await volumes.open(root, { readonly: false });
      try {
        exitCode = worseExitCode(exitCode, await rewrapVolume(io, reporter, volume, paths, options));
      } catch (error) {
        if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_ABORTED')
          return reporter.failure(interrupted(io));
        throw rotationFailure(root, error);
      }
    }
    return exitCode;
  });
}

/** The paths of each volume that is meant; undefined for all that it holds. */
async function placesOf(
  given: readonly string[],
  finder: VolumeFinder,
): Promise<Map<string, string[] | undefined>> {
  const places = new Map<string, string[] | undefined>();
  if (given.length === 0) places.set(await finder.root(), undefined);
  for (const path of given) {
    const place = await finder.place(path);
    if (place.path === '') places.set(place.root, undefined);
    else if (!places.has(place.root)) places.set(place.root, [`/${place.path}`]);
    else places.get(place.root)?.push(`/${place.path}`);
  }
  return places;
}

async function rewrapVolume(
  io: Io,
  reporter: Reporter,
  volume: Volume,
  paths: readonly string[] | undefined,
  options: LongOptions,
): Promise<number> {
  const { dryRun, jobs, maxIops, progress } = options;
  if (dryRun && paths === undefined) {
    const planned = await plan(volume, 'rewrap');
    if (reporter.json) reporter.document({ volume: volume.root, ...planned });
    else for (const line of planLines(planned)) reporter.print(line);
    return exitCodes.done;
  }
  reporter.event('start', { command: 'rewrap', volume: volume.root });
  const startedMs = performance.now();
  const { meter, onProgress } = meterFor(reporter, 'rewrapping', progress);
  let report: RewrapReport;
  try {
    report = await rewrap(volume, {
      dryRun,
      jobs,
      ...(maxIops === undefined ? {} : { maxIops }),
      ...(paths === undefined ? {} : { paths }),
      onProgress,
      signal: io.signal,
    });
  } finally {
    meter.stop();
  }
  return say(reporter, volume.root, report, (performance.now() - startedMs) / 1_000);
}

function say(reporter: Reporter, root: string, report: RewrapReport, seconds: number): number {
  let exitCode: number = exitCodes.done;
  for (const { path, reason } of report.skipped) reporter.event('skipped', { path, reason });
  for (const failed of report.failed) {
    const error = failureOf(failed);
    exitCode = worseExitCode(exitCode, reporter.failure(error, { event: 'error', source: failed.path }));
  }
  const { failed: _failed, skipped: _skipped, ...counts } = report;
  reporter.event('done', { volume: root, ...counts, seconds: Number(seconds.toFixed(3)), exitCode });
  if (!reporter.json) for (const line of linesOf(report, seconds)) reporter.print(line);
  return exitCode;
}

function* linesOf(report: RewrapReport, seconds: number): Generator<string> {
  const { alreadyCurrent, dryRun, failedFiles, resumedFrom, rewrapped, skippedFiles, version } = report;
  const rate = seconds > 1 ? `, ${Math.round(rewrapped / seconds).toLocaleString('en-US')} files/s` : '';
  yield `vk:${version}     ${count(rewrapped, 'file')} ${dryRun ? 'would be moved' : 'moved'}${rate}; ${alreadyCurrent.toLocaleString('en-US')} there already`;
  if (resumedFrom !== undefined)
    yield `resumed  after ${count(resumedFrom.files, 'file')}, at ${printable(resumedFrom.path)}`;
  if (skippedFiles > 0) yield `skipped  ${count(skippedFiles, 'file')} without a header of this volume`;
  if (failedFiles > 0) yield `FAILED   ${count(failedFiles, 'file')}`;
}
