/** `volseal audit`: what still needs which key. */

import { audit } from '../../rotate/audit.ts';
import type { AuditedKey, AuditReport } from '../../rotate/report-types.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { type LongOptions, meterFor, onVolumeToLookAt } from '../volumes/rotating.ts';

export interface AuditOptions extends LongOptions {
  readonly key: string | undefined;
}

export function auditKeys(
  io: Io,
  reporter: Reporter,
  { jobs, key, maxIops, progress }: AuditOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return onVolumeToLookAt(io, finder, kms, async (volume, root) => {
    const { meter, onProgress } = meterFor(reporter, 'reading headers', progress && !reporter.json);
    let report: AuditReport;
    try {
      report = await audit(volume, {
        ...(key === undefined ? {} : { key }),
        jobs,
        ...(maxIops === undefined ? {} : { maxIops }),
        onProgress,
        signal: io.signal,
      });
    } finally {
      meter.stop();
    }
    if (reporter.json) reporter.document({ volume: root, ...report });
    else for (const line of linesOf(report, key)) reporter.print(line);
    return report.clean ? exitCodes.done : exitCodes.findings;
  });
}

const idColumns = 24;

function* linesOf(report: AuditReport, asked: string | undefined): Generator<string> {
  const {
    clean,
    files,
    generation,
    holdersBehind,
    keys,
    snapshotsUntil,
    strangers,
    unreadable,
    unreadableFiles,
  } = report;
  for (const key of keys) yield* keyLines(key);
  yield line('read', `${count(files, 'file')}, keyring generation ${generation}`);
  if (strangers > 0) yield line('', `${count(strangers, 'other file')} that need no key of this volume`);
  if (unreadableFiles > 0) yield line('UNREAD', `${count(unreadableFiles, 'file')} that may need any key`);
  for (const { message, path } of unreadable) yield line('', `${printable(path)}: ${printable(message)}`);
  for (const { generation: theirs, pid } of holdersBehind)
    yield line('holds', `process ${pid} works with generation ${theirs} of the keyring still`);
  yield line('snapshots', `can hold what is gone here until ${snapshotsUntil.slice(0, 10)}`);
  yield line('result', resultOf(clean, asked));
}

function resultOf(clean: boolean, asked: string | undefined): string {
  if (asked === undefined) {
    return clean
      ? 'clean: every file needs the primary volume key and no other'
      : 'NOT CLEAN: files need other keys than the primary volume key, or could not be read';
  }
  return clean
    ? 'clean: nothing here needs it but the keyring'
    : 'NOT CLEAN: it is still needed, or something could not be read';
}

function* keyLines({
  examples,
  files,
  generations,
  halves,
  id,
  journals,
  keyId,
  kind,
  state,
}: AuditedKey): Generator<string> {
  yield line(id, `${state}, key id ${printable(keyId)}`);
  const parts: string[] = [];
  if (kind === 'volume-key' || files > 0)
    parts.push(`${count(files, 'file')} (${count(halves, 'half', 'halves')} of headers)`);
  if (journals > 0) parts.push(count(journals, 'journal'));
  if (generations.length > 0)
    parts.push(
      `keyring ${generations.length === 1 ? 'generation' : 'generations'} ${generations.join(' and ')}`,
    );
  yield line('', parts.length === 0 ? 'nothing holds it' : parts.join('; '));
  if (kind === 'volume-key' && state === 'primary') return;
  for (const example of examples) yield line('', printable(example));
}

function line(label: string, text: string): string {
  return `${printable(label).padEnd(label.length < idColumns ? idColumns : label.length + 1)}${text}`;
}
