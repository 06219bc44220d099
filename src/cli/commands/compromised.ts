/** `volseal rotate compromised`: all that an exposed secret needs, and what no command gives. */

import { type CompromisedReport, rotateCompromised } from '../../rotate/compromised.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { type LongOptions, meterFor, onVolume } from '../volumes/rotating.ts';
import { type Epilogue, type SecretOptions, secretEpilogue, stepLine } from './rotate.ts';

export function compromised(
  io: Io,
  reporter: Reporter,
  options: LongOptions & SecretOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const { drop, dryRun, jobs, maxIops, named, offline, progress, to } = options;
  return onVolume(io, finder, kms, dryRun, async (volume, root) => {
    reporter.event('start', { command: 'rotate compromised', volume: root });
    const { meter, onProgress } = meterFor(reporter, 'reading headers', progress);
    let report: CompromisedReport;
    try {
      report = await rotateCompromised(volume, {
        to,
        offline,
        drop,
        dryRun,
        jobs,
        ...(maxIops === undefined ? {} : { maxIops }),
        onStep: (step) => {
          reporter.event('step', step);
          reporter.note(stepLine(step));
        },
        onExposed: (path) => {
          reporter.event('exposed', { path });
          if (!reporter.json) reporter.print(printable(path));
        },
        onProgress,
        signal: io.signal,
      });
    } finally {
      meter.stop();
    }
    const { commands, notes } = secretEpilogue(io, report.secret, named);
    // Moving headers would hide which files these are.
    const after: Epilogue = {
      commands: commands
        .filter((command) => !command.startsWith('volseal rewrap'))
        .map((command) => command.replace('volseal rotate secret ', 'volseal rotate compromised ')),
      notes: notes.filter((note) => !note.includes('volseal rewrap')),
    };
    const exitCode = exitCodeOf(report);
    reporter.event('done', { volume: root, ...report, ...after, exitCode });
    if (!reporter.json) say(reporter, report, after);
    return exitCode;
  });
}

function exitCodeOf({ complete, secret }: CompromisedReport): number {
  if (secret.waiting !== undefined) return exitCodes.refused;
  return complete ? exitCodes.done : exitCodes.findings;
}

/** Standard output has the files and nothing else. */
function say(reporter: Reporter, report: CompromisedReport, { commands, notes }: Epilogue): void {
  const { exposed, exposedFiles, remains, secret, unreadable, unreadableFiles } = report;
  for (const { message, path } of unreadable) reporter.warning(`${path}: ${message}`);
  if (unreadableFiles > 0)
    reporter.warning(`${count(unreadableFiles, 'file')} could not be read and may have to be sealed anew`);
  for (const { files, id } of exposed)
    reporter.note(
      files === 0
        ? `${id}: nothing is under it any more: volseal retire ${id}`
        : `${id}: ${count(files, 'file')}`,
    );
  reporter.note(
    exposedFiles === 0
      ? 'no file has to be sealed anew'
      : `${count(exposedFiles, 'file')} to be sealed anew, by a copy that takes the place of the file; no rewrap before that is done`,
  );
  if (secret.waiting !== undefined) reporter.note(secret.waiting.hint);
  for (const note of [...notes, ...remains]) reporter.note(note);
  for (const command of commands) reporter.note(`next: ${command}`);
}
