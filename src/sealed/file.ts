/** `encryptFile` and `decryptFile`: the bulk engine between files, pipes and streams. */

import { createEnvelope } from '../envelope/create.ts';
import { openEnvelope } from '../envelope/open.ts';
import { findHeader, type HeaderRegion, headerBytesNeeded } from '../envelope/region.ts';
import { openChecked, truncatedBody } from '../floe/diagnosis.ts';
import { bodyShape } from '../floe/layout.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { maxRegionBytes } from '../limits.ts';
import { abortError, throwIfAborted } from '../options.ts';
import { type Batch, fileBatches, streamBatches } from '../stream/batches.ts';
import { ByteQueue } from '../stream/byte-queue.ts';
import { readFully } from '../stream/file-bytes.ts';
import { whenAborted } from '../stream/follow-signal.ts';
import { pump } from '../stream/pump.ts';
import type { Sink } from '../stream/sink.ts';
import { traceOperation } from '../trace.ts';
import {
  chunkBytes,
  type Destination,
  type OpenedDestination,
  type OpenedSource,
  openDestination,
  openSource,
  pathOf,
  type Source,
} from './endpoints.ts';
import { errorCodeOf } from './failure.ts';
import {
  checkFileOptions,
  checkOpenOptions,
  checkSealOptions,
  type FileOptions,
  fileOptionNames,
  type OpenOptions,
  presentError,
  type Progress,
  type SealOptions,
} from './options.ts';

export interface FileResult {
  plainBytes: number;
  sealedBytes: number;
}

/** Not set-user-id and the like: whoever may change the mode of a sealed file must not gain by its being decrypted. */
const permissionBits = 0o777;

/**
 * Encrypts a file, pipe or stream into another. A path as destination is replaced atomically: on any failure or abort
 * nothing is left behind and what was there before is untouched.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`, `ERR_VOLSEAL_NOT_FOUND`, `ERR_VOLSEAL_EXISTS`,
 *   `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_NO_SPACE`, `ERR_VOLSEAL_IO`, `ERR_VOLSEAL_TOO_LARGE`, `ERR_VOLSEAL_HEADER_FULL`,
 *   `ERR_VOLSEAL_ABORTED`, what key providers throw, and what a stream that is source or destination fails with
 */
export async function encryptFile(
  source: Source,
  destination: Destination,
  options: SealOptions & FileOptions,
): Promise<FileResult> {
  const providers = checkSealOptions('encryptFile', options, fileOptionNames);
  checkFileOptions(options);
  return transfer('seal', source, destination, options, undefined, (from, to) =>
    seal(providers, options, from, to),
  );
}

/**
 * Decrypts a file, pipe or stream into another, atomically as {@link encryptFile}. A stream or pipe as destination gets
 * authenticated segments before the end is known: what it got is only whole when the promise resolves.
 * @throws VolsealError as {@link encryptFile}, and every code of docs/format/v1.md §8
 */
export async function decryptFile(
  source: Source,
  destination: Destination,
  options: OpenOptions & FileOptions,
): Promise<FileResult> {
  const providers = checkOpenOptions('decryptFile', options, fileOptionNames);
  checkFileOptions(options);
  return transfer('open', source, destination, options, options.opaqueErrors, (from, to) =>
    open(providers, { ...options, path: pathOf(source) }, from, to),
  );
}

interface Done {
  readonly result: FileResult;
  readonly fileId: Uint8Array;
  readonly suite: string;
}

type Work = (from: OpenedSource, to: Sink) => Promise<Done>;

/** Opens both ends, and whatever happens closes them again. */
async function transfer(
  direction: 'seal' | 'open',
  source: Source,
  destination: Destination,
  options: FileOptions & { readonly signal?: AbortSignal },
  opaque: boolean | undefined,
  work: Work,
): Promise<FileResult> {
  const sourcePath = pathOf(source);
  const destinationPath = pathOf(destination);
  const trace = traceOperation(direction, 'file', sourcePath ?? destinationPath);
  let from: OpenedSource | undefined;
  let to: OpenedDestination | undefined;
  // Either end may keep the other waiting for ever.
  const interrupt = (error: unknown): void => {
    from?.interrupt(error);
    to?.interrupt(error);
  };
  // Its failures must not be told of the source.
  const destinationFailures = new Set<unknown>();
  const onDestinationFailure = (error: unknown): void => {
    destinationFailures.add(error);
    interrupt(error);
  };
  const { signal } = options;
  const unfollow = signal && whenAborted(signal, () => interrupt(abortError(signal)));
  try {
    throwIfAborted(options.signal);
    from = await inTermsOf(sourcePath, opaque, openSource(source));
    const modeOfNew = from.kind === 'file' ? from.stats.mode & permissionBits : undefined;
    to = await inTermsOf(
      destinationPath,
      opaque,
      openDestination(destination, options, modeOfNew, onDestinationFailure),
    );
    const { sink } = to;
    const watched: Sink = {
      async write(parts) {
        try {
          await sink.write(parts);
        } catch (error) {
          onDestinationFailure(error);
          throw error;
        }
      },
    };
    const { result, fileId, suite } = await work(from, watched).catch((error: unknown) => {
      const path = destinationFailures.has(error) ? destinationPath : (sourcePath ?? destinationPath);
      throw presentError(error, path, opaque);
    });
    await inTermsOf(destinationPath, opaque, to.commit());
    trace.done(fileId, suite, result.plainBytes);
    return result;
  } catch (error) {
    from?.interrupt(error);
    await to?.abort(error);
    trace.failed(errorCodeOf(error));
    throw error;
  } finally {
    unfollow?.();
    await from?.close();
  }
}

async function inTermsOf<T>(
  path: string | undefined,
  opaque: boolean | undefined,
  promise: Promise<T>,
): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw presentError(error, path, opaque);
  }
}

function report(options: FileOptions, doneBytes: number, totalBytes: number | undefined): void {
  const progress: Progress = totalBytes === undefined ? { doneBytes } : { doneBytes, totalBytes };
  options.onProgress?.(progress);
}

async function seal(
  providers: readonly KeyProvider[],
  options: SealOptions & FileOptions,
  from: OpenedSource,
  to: Sink,
): Promise<Done> {
  const { encryptor, fileId, region } = await createEnvelope(providers, options);
  try {
    const totalBytes = from.kind === 'file' ? from.stats.size : undefined;
    const step = encryptor.plainSegmentBytes;
    const batches =
      from.kind === 'file'
        ? fileBatches(from.handle, 0, step, from.stats.size)
        : streamBatches(from.chunks, new ByteQueue(), step, chunkBytes);
    let plainBytes = 0;
    let sealedBytes = region.length;
    const convert = (segment: readonly Uint8Array[], position: number, final: boolean): Uint8Array[] => {
      const parts = encryptor.sealSegmentParts(segment, position, final);
      for (const piece of segment) plainBytes += piece.length;
      for (const part of parts) sealedBytes += part.length;
      return position === 0 ? [region, ...parts] : parts;
    };
    await pump(batches, convert, to, options.signal, () => report(options, plainBytes, totalBytes));
    return { result: { plainBytes, sealedBytes }, fileId, suite: options.suite ?? 'aes-256-gcm' };
  } finally {
    encryptor.wipe();
  }
}

async function open(
  providers: readonly KeyProvider[],
  options: OpenOptions & FileOptions & { readonly path: string | undefined },
  from: OpenedSource,
  to: Sink,
): Promise<Done> {
  const queue = new ByteQueue();
  const region = await readRegion(from, queue);
  const { decryptor, fileId, regionBytes } = await openEnvelope(region, providers, options);
  try {
    const step = decryptor.segmentBytes;
    const totalBytes =
      from.kind === 'file'
        ? bodyShape(decryptor.layout, from.stats.size - regionBytes)?.plainBytes
        : undefined;
    let batches: AsyncIterable<Batch>;
    if (from.kind === 'file') {
      batches = fileBatches(from.handle, regionBytes, step, from.stats.size - regionBytes);
    } else {
      queue.take(regionBytes);
      batches = streamBatches(from.chunks, queue, step, chunkBytes);
    }
    let plainBytes = 0;
    let sealedBytes = regionBytes;
    const convert = (segment: readonly Uint8Array[], position: number, final: boolean): Uint8Array[] => {
      if (segment.length === 0 || segment[0]?.length === 0) throw truncatedBody(sealedBytes);
      const plain = openChecked(decryptor, segment, position, final, sealedBytes);
      for (const piece of segment) sealedBytes += piece.length;
      for (const piece of plain) plainBytes += piece.length;
      return plain;
    };
    await pump(batches, convert, to, options.signal, () => report(options, plainBytes, totalBytes));
    return { result: { plainBytes, sealedBytes }, fileId, suite: decryptor.suite };
  } finally {
    decryptor.wipe();
  }
}

/** Reads as much as the header needs; chunks that were read stay in the queue. */
async function readRegion(from: OpenedSource, queue: ByteQueue): Promise<HeaderRegion> {
  if (from.kind === 'file')
    return findHeader(await readFully(from.handle, new Uint8Array(maxRegionBytes), 0));
  for (let needed = 0; ; ) {
    while (queue.length < needed || queue.length === 0) {
      const item = await from.chunks.next();
      if (item.done === true) return findHeader(queue.peek(maxRegionBytes));
      queue.push(chunkBytes(item.value));
      if (from.chunks.reused) queue.own();
    }
    const start = queue.peek(maxRegionBytes);
    needed = headerBytesNeeded(start);
    if (queue.length >= needed) return findHeader(start);
  }
}
