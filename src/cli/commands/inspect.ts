/** `volseal inspect`: what sealed files say about themselves, without keys. */

import { describeHeader } from '../../envelope/inspect.ts';
import { findHeader } from '../../envelope/region.ts';
import { withPath } from '../../errors.ts';
import { maxRegionBytes } from '../../limits.ts';
import { type Inspection, inspect as inspectSealed } from '../../sealed/inspect.ts';
import { fromSystemError } from '../../system-error.ts';
import { standardStream } from '../destinations.ts';
import { exitCodes, worseExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, printable } from '../printable.ts';
import type { Reporter } from '../report.ts';

export async function inspect(io: Io, reporter: Reporter, paths: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  let first = true;
  for (const path of paths) {
    try {
      const inspection = path === standardStream ? await inspectStream(io) : await inspectSealed(path);
      if (reporter.json) reporter.document({ path, ...inspection });
      else reporter.print(`${first ? '' : '\n'}${describe(path, inspection)}`);
      first = false;
    } catch (error) {
      const code = reporter.failure(withPath(fromSystemError(error, path), path), { path });
      exitCode = worseExitCode(exitCode, code);
    }
  }
  return exitCode;
}

/** Reads all of it, for its size, and keeps the header. */
async function inspectStream(io: Io): Promise<Inspection> {
  const header = new Uint8Array(maxRegionBytes);
  let length = 0;
  for await (const chunk of io.stdin as AsyncIterable<Uint8Array>) {
    if (length < header.length) header.set(chunk.subarray(0, header.length - length), length);
    length += chunk.length;
  }
  return describeHeader(findHeader(header.subarray(0, Math.min(length, header.length))), length);
}

function describe(path: string, inspection: Inspection): string {
  const {
    body,
    context,
    copies,
    fileId,
    generation,
    plainBytes,
    regionBytes,
    sealedBytes,
    segmentBytes,
    slots,
    suite,
  } = inspection;
  const states = copies.map(({ offset, state }) => `copy at ${offset} ${state}`).join(', ');
  const rows: [string, string][] = [
    ['format', `volseal version ${inspection.version}, ${body}`],
    ['suite', `${suite}, segments of ${number(segmentBytes)} bytes`],
    [
      'size',
      `${number(sealedBytes)} bytes sealed, ${plainBytes === undefined ? 'which no whole file has' : `${number(plainBytes)} plain`}`,
    ],
    ['file id', fileId],
    ...slots.map(({ type, keyId, keyVersion, label }): [string, string] => {
      const name = label ?? (keyVersion === undefined ? '' : String(keyVersion));
      return ['key', `${type}:${name} (key id ${keyId})`];
    }),
    ...Object.entries(context).map(([key, value]): [string, string] => ['context', `${key}=${value}`]),
    ['header', `${number(regionBytes)} bytes, generation ${generation}, ${states}`],
  ];
  const lines = rows.map(([name, value]) => `  ${name.padEnd(8)} ${printable(value)}`);
  return [`${printable(path)}: ${count(slots.length, 'key')} can open it`, ...lines].join('\n');
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
