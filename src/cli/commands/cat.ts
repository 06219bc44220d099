/** `volseal cat`: plaintext of sealed files, or of a range of one, on standard output. */

import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { VolsealError, withPath } from '../../errors.ts';
import type { Context, KeyProvider } from '../../kms/provider.ts';
import { abortError, invalidArgument, throwIfAborted } from '../../options.ts';
import { createDecryptReadStream } from '../../sealed/read-stream.ts';
import { openEncrypted } from '../../sealed/sealed-file.ts';
import { createDecryptStream } from '../../sealed/streams.ts';
import { fromSystemError } from '../../system-error.ts';
import { type ByteRange, locateByteRange, noSuchByte, parseByteRange } from '../byte-range.ts';
import { lookAt, standardStream } from '../destinations.ts';
import { exitCodes } from '../exit-codes.ts';
import { inTermsOfStdin, type Io } from '../io.ts';
import { keyProviders } from '../keys.ts';
import type { Reporter } from '../report.ts';
import { inTermsOf } from '../volumes/failures.ts';
import type { Place, VolumeFinder } from '../volumes/find.ts';
import { type OpenedVolumes, withVolumes } from '../volumes/opened.ts';
import { explainVolumeFile, sealingOf } from '../volumes/sealed-for-volume.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';

export interface CatOptions {
  readonly range: string | undefined;
  readonly context: Context | undefined;
}

const wholeEnd = Number.MAX_SAFE_INTEGER;

/** The reader of standard output went away, or has enough: no failure, as for cat. */
class ReaderGone extends Error {}

export async function cat(
  io: Io,
  reporter: Reporter,
  paths: readonly string[],
  { range, context }: CatOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  reporter.dataOnStdout();
  const wanted = range === undefined ? undefined : parseByteRange(range);
  if (wanted !== undefined && paths.length > 1) {
    throw invalidArgument('--range takes one file', 'run volseal cat once for each');
  }
  return withVolumes(io, kms, async (volumes) => {
    let keys: KeyProvider[] | undefined;
    for (const path of paths) {
      try {
        const found = await findFile(path, finder);
        if (typeof found !== 'string') {
          await catFromVolume(io, found, wanted, context, volumes);
          continue;
        }
        keys ??= await keyProviders(kms, io);
        const options = { keys, signal: io.signal, ...(context === undefined ? {} : { context }) };
        await catOne(io, found, wanted, options).catch(async (error: unknown) => {
          throw await explainVolumeFile(error, found, finder);
        });
      } catch (error) {
        if (error instanceof ReaderGone) return exitCodes.done;
        if (io.signal.aborted) throw abortError(io.signal);
        throw path === standardStream ? inTermsOfStdin(error) : withPath(fromSystemError(error, path), path);
      }
    }
    return exitCodes.done;
  });
}

/** Where a path lies in a volume, or the path of a file that was sealed by itself, wherever that lies. */
async function findFile(path: string, finder: VolumeFinder): Promise<Place | string> {
  if (path === standardStream) return path;
  const place = await (finder.namedBy === undefined ? finder.around(path) : finder.place(path));
  if (place === undefined) return path;
  const file = finder.namedBy === undefined ? path : join(place.root, place.path);
  return (await sealingOf(file)) === 'alone' ? file : place;
}

async function catFromVolume(
  io: Io,
  place: Place,
  range: ByteRange | undefined,
  context: Context | undefined,
  volumes: OpenedVolumes,
): Promise<void> {
  const tree = new VolumeTree(await volumes.open(place.root, { readonly: true }), place, context);
  const { given } = place;
  throwIfAborted(io.signal);
  const stats = await tree.stat(given);
  if (stats.isDirectory()) throw folderError(given, 'volseal get -r takes folders');
  const part = range === undefined ? undefined : locateByteRange(range, stats.size);
  try {
    await toStdout(io, [tree.read(given, part)], 0, wholeEnd);
  } catch (error) {
    throw error instanceof ReaderGone ? error : inTermsOf(given, error);
  }
}

interface OpenWith {
  readonly keys: readonly KeyProvider[];
  readonly signal: AbortSignal;
  readonly context?: Context;
}

async function catOne(io: Io, path: string, range: ByteRange | undefined, options: OpenWith): Promise<void> {
  const operand = await lookAt(path);
  throwIfAborted(options.signal);
  if (operand.kind === 'directory') {
    throw folderError(path, 'volseal decrypt -r takes folders');
  }
  if (operand.kind === 'file' && operand.stats.isFile()) {
    if (range === undefined) await toStdout(io, [createDecryptReadStream(path, options)], 0, wholeEnd);
    else await catRange(io, path, range, options);
    return;
  }
  if (range?.kind === 'suffix') {
    throw invalidArgument(
      'the last bytes of a pipe are not known before it ends',
      'give a file, or a range from the start: --range 100-199',
    );
  }
  const source = path === standardStream ? io.stdin : createReadStream(path);
  const first = range?.first ?? 0;
  const last = range?.last ?? wholeEnd;
  await toStdout(io, [source, createDecryptStream(options)], first, last);
}

function folderError(path: string, hint: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_IO', `${path}: it is a folder`, { hint, path });
}

async function catRange(io: Io, path: string, range: ByteRange, options: OpenWith): Promise<void> {
  const file = await openEncrypted(path, options);
  try {
    const { first, last } = locateByteRange(range, (await file.stat()).size);
    const stream = file.createReadStream({ start: first, end: last, autoClose: false });
    await toStdout(io, [stream], 0, wholeEnd);
  } finally {
    await file.close();
  }
}

/** What was asked for is complete: what follows is not read. */
class RangeComplete extends Error {}

/** Writes the bytes from `first` to `last`, both included, of what the streams end in. */
async function toStdout(
  io: Io,
  streams: readonly (Readable | Duplex)[],
  first: number,
  last: number,
): Promise<void> {
  let at = 0;
  const copy = async (chunks: AsyncIterable<Uint8Array>): Promise<void> => {
    for await (const chunk of chunks) {
      const from = Math.max(0, first - at);
      const part = chunk.subarray(from, Math.max(from, last + 1 - at));
      at += chunk.length;
      if (part.length > 0) await write(io, part);
      if (at > last) throw new RangeComplete();
    }
    if (first > 0 && at <= first) throw noSuchByte(at);
  };
  // Leaving the loop destroys the stream, and what `pipeline` then reports is that, not why.
  let cause: unknown;
  const consumer = (chunks: AsyncIterable<Uint8Array>): Promise<void> =>
    copy(chunks).catch((error: unknown) => {
      cause = error;
      throw error;
    });
  const run = pipeline([...streams, consumer] as unknown as [Readable, Duplex]);
  try {
    await orAborted(io.signal, run);
  } catch (error) {
    if (!(cause instanceof RangeComplete)) throw cause ?? error;
  }
}

/** A stream whose file is still being opened, a pipe that nobody writes to, is not destroyed before that is done. */
async function orAborted(signal: AbortSignal, work: Promise<void>): Promise<void> {
  let onAbort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(abortError(signal));
  });
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

async function write(io: Io, bytes: Uint8Array): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    io.stdout.write(bytes, (error) => {
      if (error === null || error === undefined) resolve();
      else if ((error as NodeJS.ErrnoException).code === 'EPIPE') reject(new ReaderGone());
      else reject(fromSystemError(error, 'standard output'));
    });
  });
}
