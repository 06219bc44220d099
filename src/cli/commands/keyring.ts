/** `volseal keyring export` and `volseal keyring restore`: an offline copy of a volume's keyring, and back. */

import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';

import { VolsealError } from '../../errors.ts';
import { type KeyringInfo, type WithLock } from '../../keyring/keyring.ts';
import { restoreKeyring } from '../../keyring/restore.ts';
import { maxKeyringBytes } from '../../limits.ts';
import { nodeSystem } from '../../os/node-system.ts';
import { AtomicFile } from '../../stream/atomic-file.ts';
import { untilAborted } from '../../stream/follow-signal.ts';
import { fromSystemError } from '../../system-error.ts';
import { standardStream } from '../destinations.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { keyProviders } from '../keys.ts';
import { count, printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import { inTerms, inTermsOf } from '../volumes/failures.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { inTermsOfKeyring, keyringPlace, withKeyring } from '../volumes/keyring-place.ts';
import { refusePlaintextInVolume } from '../volumes/sealed-for-volume.ts';
import { wouldWrite, writelessSystem } from '../volumes/writeless-system.ts';

export interface KeyringOptions {
  readonly force: boolean;
  readonly dryRun: boolean;
}

/** Others need not know which keys a volume has. */
const fileMode = 0o600;

export async function exportKeyring(
  io: Io,
  reporter: Reporter,
  file: string,
  options: KeyringOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const toStdout = file === standardStream;
  if (toStdout) reporter.dataOnStdout();
  const root = await finder.root();
  if (!toStdout)
    await refusePlaintextInVolume(
      file,
      false,
      finder,
      'a copy that is lost with its volume is none: name a file elsewhere',
    );
  const providers = await keyProviders(kms, io);
  const { copy, info } = await withKeyring(root, providers, { readonly: true }, async (keyring) => {
    return { copy: keyring.export(), info: keyring.info() };
  });
  if (toStdout) await writeStdout(io, copy);
  else if (options.dryRun) return would(reporter, join(root, '.volseal', 'keyring.json'), file);
  else await writeFile(file, copy, options.force);
  if (reporter.json) reporter.document({ ...summary(root, info), file, bytes: copy.length });
  reporter.note(
    `generation ${info.generation} of the keyring of ${root}: ${count(copy.length, 'byte')}${toStdout ? '' : ` in ${file}`}`,
  );
  reporter.note(
    'keep it away from the volume; with the secret or the recovery key it opens the volume again',
  );
  return exitCodes.done;
}

export async function restore(
  io: Io,
  reporter: Reporter,
  file: string,
  options: KeyringOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  const root = await finder.root();
  const source = file === standardStream ? 'standard input' : file;
  const document = await inTerms(source, untilAborted(readAll(io, file), io.signal));
  const providers = await keyProviders(kms, io);
  try {
    const { directory, owner, withLock } = await keyringPlace(root);
    const wanted = { providers, force: options.force, owner };
    if (options.dryRun) {
      const unlocked: WithLock = (run) => run();
      await wouldWrite(
        restoreKeyring(writelessSystem, directory, document, { ...wanted, withLock: unlocked }),
      );
      return would(reporter, file, join(directory, 'keyring.json'));
    }
    const info = await restoreKeyring(nodeSystem, directory, document, { ...wanted, withLock });
    if (reporter.json) reporter.document(summary(root, info));
    reporter.note(
      `${root} has generation ${info.generation} of its keyring again (volume id ${info.volumeId})`,
    );
    return exitCodes.done;
  } catch (error) {
    throw isOfExport(error) ? inTermsOf(source, error) : inTermsOfKeyring(root, error);
  } finally {
    for (const provider of providers) provider.close?.();
  }
}

/** What is wrong with the export itself, not with what it would replace. */
function isOfExport(error: unknown): boolean {
  return (
    error instanceof VolsealError &&
    (error.code === 'ERR_VOLSEAL_KEYRING_INVALID' || error.code === 'ERR_VOLSEAL_KEYRING_TAMPERED')
  );
}

function summary(root: string, { generation, recovery, volumeId }: KeyringInfo): object {
  return { volume: root, volumeId, generation, recovery };
}

function would(reporter: Reporter, source: string, destination: string): number {
  reporter.event('would', { source, destination });
  if (!reporter.json) reporter.print(`${printable(source)} -> ${printable(destination)}`);
  return exitCodes.done;
}

async function readAll(io: Io, file: string): Promise<Uint8Array> {
  const source: Readable = file === standardStream ? io.stdin : createReadStream(file);
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Uint8Array>) {
    bytes += chunk.length;
    if (bytes > maxKeyringBytes) {
      throw new VolsealError('ERR_VOLSEAL_KEYRING_INVALID', 'it is larger than any keyring', {
        hint: 'give a file that volseal keyring export wrote',
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

async function writeFile(path: string, bytes: Uint8Array, overwrite: boolean): Promise<void> {
  try {
    const file = await AtomicFile.create(path, { overwrite, mode: fileMode });
    try {
      await file.handle.writeFile(bytes);
      await file.commit();
    } catch (error) {
      await file.abort();
      throw error;
    }
  } catch (error) {
    throw inTermsOf(path, error);
  }
}

function writeStdout(io: Io, bytes: Uint8Array): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    io.stdout.write(bytes, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(fromSystemError(error, 'standard output'));
    });
  });
}
