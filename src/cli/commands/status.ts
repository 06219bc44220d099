/** `volseal status`: the keyring of a volume, what the volume holds, and what was left over in it. */

import { join } from 'node:path';

import { FileLocks } from '../../fs/locks/file-locks.ts';
import type { KeyringInfo } from '../../keyring/keyring.ts';
import { nodeSystem } from '../../os/node-system.ts';
import { exitCodes, worseExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { count, formatBytes, printable } from '../printable.ts';
import { ProgressMeter } from '../progress.ts';
import { asVolsealError, type ErrorDocument, errorDocument, type Reporter } from '../report.ts';
import { type Amount, type Census, takeCensus } from '../volumes/census.ts';
import { inTerms } from '../volumes/failures.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { withVolumes } from '../volumes/opened.ts';

/** Headers are read one sector each: the disk is kept busy, memory is not. */
const jobs = 8;
const labelColumns = 12;

export function status(
  io: Io,
  reporter: Reporter,
  options: { readonly progress: boolean },
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    const root = await finder.root();
    const volume = await volumes.open(root, { readonly: true });
    const locks = new FileLocks(nodeSystem, join(root, '.volseal', 'locks'));
    const meter = new ProgressMeter(reporter, 'reading headers', {}, options.progress && !reporter.json);
    let exitCode: number = exitCodes.done;
    // One document is all that a program gets.
    const failures: { path: string; error: ErrorDocument }[] = [];
    let census: Census;
    try {
      const taken = takeCensus(volume, locks, {
        signal: io.signal,
        jobs,
        onProgress: (files, bytes) => meter.update(bytes, files),
        onFailure: (path, thrown) => {
          const error = asVolsealError(thrown);
          if (reporter.json) failures.push({ path, error: errorDocument(error) });
          const code = reporter.json ? reporter.exitCodeFor(error) : reporter.failure(thrown);
          exitCode = worseExitCode(exitCode, code);
        },
      });
      census = await inTerms(root, taken);
    } finally {
      meter.stop();
    }
    if (reporter.json) reporter.document({ ...documentOf(root, volume.keyring, census), failures });
    else for (const line of linesOf(root, volume.keyring, census)) reporter.print(line);
    return exitCode;
  });
}

function documentOf(root: string, keyring: KeyringInfo, census: Census): object {
  const { alone, byKeyVersion, folders, foreign, journals, others, plaintext, sealed } = census;
  const { temporaries, unknownKeys, unreadable } = census;
  return {
    volume: root,
    ...keyring,
    volumeKeys: keyring.volumeKeys.map((key) => ({ ...key, files: byKeyVersion.get(key.version) ?? 0 })),
    unknownKeyFiles: unknownKeys,
    files: { sealed, alone, foreign, plaintext, unreadable },
    folders,
    others,
    leftovers: { temporaries, journals },
  };
}

function* linesOf(root: string, keyring: KeyringInfo, census: Census): Generator<string> {
  const { policy, slots, volumeId, volumeKeys } = keyring;
  const segments = `segments of ${number(policy.segmentBytes)} bytes, write-once of ${number(policy.writeOnceSegmentBytes)}`;
  yield line('volume', printable(root));
  yield line('volume id', volumeId);
  yield line('keyring', `generation ${keyring.generation}, changed ${keyring.changed}`);
  yield line('suite', `${policy.suite}, ${segments}`);
  if (policy.requireContext.length > 0)
    yield line('context', `readers must give ${printable(policy.requireContext.join(', '))}`);
  for (const { keyId, label, primary, type } of slots) {
    const name = label === undefined ? type : `${type}:${label}`;
    yield line('key', `${printable(name)} (key id ${keyId})${primary ? ', primary' : ''}`);
  }
  if (!keyring.recovery) yield line('recovery', 'NONE: make a recovery key with volseal recovery create');
  for (const { created, state, version } of volumeKeys) {
    const files = count(census.byKeyVersion.get(version) ?? 0, 'file');
    yield line('volume key', `vk:${version}, ${state}, made ${created}: ${files}`);
  }
  yield* fileLines(census);
  yield* leftoverLines(census);
}

function* fileLines(census: Census): Generator<string> {
  const { alone, folders, foreign, others, plaintext, sealed, unknownKeys, unreadable } = census;
  yield line(
    'files',
    `${number(sealed.files)} sealed, ${formatBytes(sealed.plainBytes)} plain, ${formatBytes(sealed.storedBytes)} on the disk; ${count(folders, 'folder')}`,
  );
  if (unknownKeys > 0) {
    yield line(
      '',
      `${number(unknownKeys)} under a volume key that the keyring does not have: it is older than they are`,
    );
  }
  if (plaintext.files > 0) yield line('', `${amount(plaintext)} NOT SEALED`);
  if (alone.files > 0) yield line('', `${amount(alone)} sealed by themselves (volseal encrypt)`);
  if (foreign.files > 0) yield line('', `${amount(foreign)} sealed in another volume`);
  if (unreadable.files > 0) yield line('', `${amount(unreadable)} whose header cannot be read`);
  if (others > 0) yield line('', `${number(others)} others (symbolic links, pipes, sockets, devices)`);
}

function* leftoverLines({ journals, temporaries }: Census): Generator<string> {
  const live: string[] = [];
  const left: string[] = [];
  if (journals.live > 0) live.push(count(journals.live, 'journal'));
  if (temporaries.live > 0) live.push(count(temporaries.live, 'unfinished file'));
  if (journals.pending > 0)
    left.push(`${count(journals.pending, 'journal')}, to be settled when the file is opened for writing`);
  if (temporaries.stale > 0)
    left.push(`${count(temporaries.stale, 'unfinished file')} of processes that are gone`);
  if (live.length > 0) yield line('in use', live.join('; '));
  if (left.length > 0) yield line('left over', left.join('; '));
}

function line(label: string, text: string): string {
  return `${label.padEnd(labelColumns)}${text}`;
}

function amount({ files, storedBytes }: Amount): string {
  return `${count(files, 'file')} (${formatBytes(storedBytes)})`;
}

function number(value: number): string {
  return value.toLocaleString('en-US');
}
