/** `volseal retire`: a key that nothing needs any more, destroyed. */

import type { RetireReport } from '../../rotate/report-types.ts';
import { retire } from '../../rotate/retire.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { type LongOptions, meterFor, onVolume } from '../volumes/rotating.ts';
import { unsetLines, unsetWarnings } from '../volumes/unset-secret.ts';

export interface RetireCommandOptions extends LongOptions {
  /** Slots that are given up with that of a secret, because their key is not at hand. */
  readonly drop: readonly string[];
}

export function retireKey(
  io: Io,
  reporter: Reporter,
  id: string,
  { drop, dryRun, jobs, maxIops, progress }: RetireCommandOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  // Also a dry run takes the lock of a run, and marks when it began.
  return onVolume(io, finder, kms, false, async (volume, root) => {
    const { meter, onProgress } = meterFor(reporter, 'reading headers', progress && !reporter.json);
    let report: RetireReport;
    try {
      report = await retire(volume, id, {
        dryRun,
        drop,
        jobs,
        ...(maxIops === undefined ? {} : { maxIops }),
        onProgress,
        signal: io.signal,
      });
    } finally {
      meter.stop();
    }
    const isSecret = report.id.startsWith('fly-secrets:') && report.label !== undefined;
    const commands =
      isSecret && !dryRun ? unsetLines(io, [report.label ?? '']).map(({ command }) => command) : [];
    if (reporter.json) reporter.document({ volume: root, volumeId: volume.id, ...report, commands });
    else say(reporter, report, commands, volume.id);
    return exitCodes.done;
  });
}

function say(
  reporter: Reporter,
  { alreadyRetired, dryRun, generation, id, keyId, notChecked, snapshotsUntil }: RetireReport,
  commands: readonly string[],
  volumeId: string,
): void {
  const what = dryRun
    ? 'can be retired: nothing needs it'
    : alreadyRetired
      ? 'was retired before'
      : 'is gone from this volume';
  reporter.print(`${id} (key id ${keyId}) ${what}; keyring generation ${generation}`);
  for (const command of commands) reporter.print(`next     ${command}`);
  if (dryRun) return;
  if (commands.length > 0) for (const warning of unsetWarnings(snapshotsUntil)) reporter.note(warning);
  reporter.note(
    `VOLSEAL_KEYRING_MIN=${volumeId.slice(0, 8)}=${generation} in [env] of fly.toml refuses every older keyring of this volume`,
  );
  for (const sentence of notChecked) reporter.note(sentence);
}
