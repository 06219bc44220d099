/** `volseal rotate secret` and `volseal rotate volume-key`. */

import { plan } from '../../rotate/plan.ts';
import { rotateSecret } from '../../rotate/secret.ts';
import type { RotateSecretReport, SecretStepReport } from '../../rotate/secret-report.ts';
import type { SecretStep } from '../../rotate/secret-steps.ts';
import { rotateVolumeKey } from '../../rotate/volume-key.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { planLines } from '../volumes/plan-lines.ts';
import { onVolume, withVolumeOption } from '../volumes/rotating.ts';
import { snapshotsUntilFrom, unsetLines, unsetWarnings } from '../volumes/unset-secret.ts';

export interface SecretOptions {
  readonly to: string;
  readonly step?: SecretStep | undefined;
  readonly offline: boolean;
  readonly drop: readonly string[];
  readonly dryRun: boolean;
  /** What --volume says: the command to go on with needs it too. */
  readonly named: string | undefined;
}

export function rotateToSecret(
  io: Io,
  reporter: Reporter,
  options: SecretOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const { drop, dryRun, named, offline, step, to } = options;
  return onVolume(io, finder, kms, dryRun, async (volume, root) => {
    const report = await rotateSecret(volume, {
      to,
      offline,
      drop,
      dryRun,
      ...(step === undefined ? {} : { step }),
      signal: io.signal,
      onProgress: (done) => sayStep(reporter, done),
    });
    const after = secretEpilogue(io, report, named);
    if (reporter.json) reporter.document({ volume: root, ...report, ...after });
    else sayEpilogue(reporter, report, after);
    return report.waiting === undefined ? exitCodes.done : exitCodes.refused;
  });
}

/** One step, as it is done. A program gets the document at the end. */
function sayStep(reporter: Reporter, step: SecretStepReport): void {
  if (!reporter.json) reporter.print(stepLine(step));
}

export function stepLine({ detail, state, step }: SecretStepReport): string {
  return `${step.padEnd(9)}${words[state].padEnd(7)}${printable(detail)}`;
}

const words: Readonly<Record<SecretStepReport['state'], string>> = {
  done: 'done',
  before: 'is so',
  due: 'due',
  waiting: 'WAITS',
  later: 'later',
};

export interface Epilogue {
  /** Lines to paste, in their order. */
  readonly commands: readonly string[];
  readonly notes: readonly string[];
}

/** What is to be done next, and what to know before. */
export function secretEpilogue(io: Io, report: RotateSecretReport, named: string | undefined): Epilogue {
  const { dryRun, generation, retired, steps, to, volumeId, waiting } = report;
  const commands: string[] = [];
  const notes: string[] = [];
  if (waiting?.command !== undefined) commands.push(withVolumeOption(waiting.command, named));
  const primary = io.env['VOLSEAL_PRIMARY'] ?? '';
  const isPromoted = steps.some(
    ({ state, step }) => step === 'promote' && (state === 'done' || state === 'before'),
  );
  if (isPromoted && primary !== '' && primary !== to.label)
    notes.push(
      `VOLSEAL_PRIMARY is ${primary} here: set it to ${to.label} in [env] of fly.toml, so that what is sealed outside of volumes goes over too`,
    );
  for (const { generation: theirs, pid } of report.holdersBehind)
    notes.push(
      `process ${pid} has the volume open and still works with generation ${theirs} of the keyring: it cannot write any more if it lacks the secret ${to.label}`,
    );
  if (dryRun || !steps.some(({ state, step }) => step === 'retire' && state === 'done'))
    return { commands, notes };
  commands.push(withVolumeOption('volseal rewrap', named));
  notes.push('new files are under a new volume key; volseal rewrap moves the others over');
  const labels = retired.flatMap(({ label, type }) =>
    type === 'fly-secrets' && label !== undefined ? [label] : [],
  );
  const lines = unsetLines(io, labels);
  commands.push(...lines.map(({ command }) => command));
  if (lines.length > 0) notes.push(...unsetWarnings(snapshotsUntilFrom(Date.now())));
  notes.push(
    `VOLSEAL_KEYRING_MIN=${volumeId.slice(0, 8)}=${generation} in [env] of fly.toml refuses every older keyring of this volume`,
    'exports of the keyring are of the time before: make a new one with volseal keyring export',
  );
  return { commands, notes };
}

function sayEpilogue(reporter: Reporter, { waiting }: RotateSecretReport, after: Epilogue): void {
  for (const command of after.commands) reporter.print(`next     ${command}`);
  if (waiting !== undefined) reporter.note(waiting.hint);
  for (const note of after.notes) reporter.note(note);
}

export function newVolumeKey(
  io: Io,
  reporter: Reporter,
  { dryRun }: { readonly dryRun: boolean },
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return onVolume(io, finder, kms, false, async (volume, root) => {
    if (dryRun) {
      const planned = await plan(volume, 'volume-key');
      if (reporter.json) reporter.document({ volume: root, ...planned });
      else for (const line of planLines(planned)) reporter.print(line);
      return exitCodes.done;
    }
    const made = await rotateVolumeKey(volume, { signal: io.signal });
    if (reporter.json) reporter.document({ volume: root, volumeId: volume.id, ...made });
    else
      reporter.print(
        `vk:${made.version} (key id ${made.keyId}) is the primary volume key, generation ${made.generation}`,
      );
    reporter.note('new files use it; those that are there move over with: volseal rewrap');
    return exitCodes.done;
  });
}
