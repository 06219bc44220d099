/** `openEncrypted`: random reads from a sealed file. */

import type { Readable } from 'node:stream';

import { hex } from '../bytes.ts';
import { locate } from '../floe/layout.ts';
import type { Context } from '../kms/provider.ts';
import { checkOptions, invalidArgument } from '../options.ts';
import { traceOperation } from '../trace.ts';
import { pathOf } from './endpoints.ts';
import { errorCodeOf } from './failure.ts';
import { checkOpenOptions, type OpenOptions, type PathLike, presentError } from './options.ts';
import { checkRangeOptions, DecryptReadStream, type RangeOptions, type RangeSource } from './read-stream.ts';
import { SealedReader } from './sealed-reader.ts';

export interface SealedStat {
  /** Plaintext bytes, authenticated. */
  size: number;
  mtime: Date;
  /** 32 hexadecimal digits, new for every sealed file: with the size a strong ETag. */
  fileId: string;
}

/** One read opens at most this many segments at a time, so that a large one holds little memory. */
const runBytes = 1_048_576;

/** A sealed file open for reading. Reads may overlap. */
export class SealedFile {
  readonly #reader: SealedReader;
  readonly #path: string;
  readonly #opaque: boolean | undefined;
  /** The segment that was opened last: neighbouring small reads need not open it again. */
  #cachedPosition = -1;
  #cached: readonly Uint8Array[] = [];

  /** @internal Use {@link openEncrypted}. */
  constructor(reader: SealedReader, path: string, last: readonly Uint8Array[], opaque: boolean | undefined) {
    this.#reader = reader;
    this.#path = path;
    this.#opaque = opaque;
    this.#cachedPosition = reader.shape.segments - 1;
    this.#cached = last;
  }

  /** The authenticated encryption context. */
  get context(): Context {
    return this.#reader.context;
  }

  async stat(): Promise<SealedStat> {
    const { shape, stats, fileId } = this.#reader;
    return { size: shape.plainBytes, mtime: stats.mtime, fileId: hex(fileId) };
  }

  /**
   * A Readable of the file, or of a range of it, over the same open file: what `stat` and `context` said holds for it. Closes
   * the file when it ends, fails or is destroyed, unless `autoClose` is false, as a FileHandle's does.
   * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; emits what {@link read} throws
   */
  createReadStream(options: RangeOptions & { autoClose?: boolean } = {}): Readable {
    checkOptions('createReadStream', options, ['start', 'end', 'autoClose']);
    checkRangeOptions(options);
    const source: RangeSource = {
      path: this.#path,
      opaque: this.#opaque,
      open: async () => this.#reader,
      close: async () => (options.autoClose === false ? undefined : this.close()),
    };
    return new DecryptReadStream(source, options);
  }

  /**
   * Reads authenticated plaintext, as `FileHandle.read` does.
   * @param offset where in `buffer` to begin. Default 0.
   * @param length bytes to read at most. Default: what fits.
   * @param position plaintext offset in the file. Default 0.
   * @returns `bytesRead` is less than `length` only at the end of the file
   * @throws VolsealError `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_IO`, `ERR_VOLSEAL_CLOSED`, `ERR_VOLSEAL_INVALID_ARGUMENT`
   */
  async read<T extends Uint8Array>(
    buffer: T,
    offset: number = 0,
    length: number = checkTarget(buffer).length - offset,
    position: number = 0,
  ): Promise<{ bytesRead: number; buffer: T }> {
    checkRange(buffer, offset, length, position);
    const { layout, shape } = this.#reader;
    const wanted = Math.max(0, Math.min(length, shape.plainBytes - position));
    // Without a byte to give nothing else would notice.
    if (wanted === 0) this.#checkOpen();
    let done = 0;
    while (done < wanted) {
      const { position: segment, offsetInSegment } = locate(layout, position + done);
      const needed = Math.ceil((offsetInSegment + wanted - done) / layout.plainSegmentBytes);
      const count = Math.min(needed, Math.max(1, Math.floor(runBytes / layout.segmentBytes)));
      let from = offsetInSegment;
      for (const plain of await this.#segments(segment, count)) {
        done += copyOut(plain, from, buffer, offset + done, wanted - done);
        from = 0;
      }
    }
    return { bytesRead: wanted, buffer };
  }

  #checkOpen(): void {
    try {
      this.#reader.checkOpen();
    } catch (error) {
      throw presentError(error, this.#path, this.#opaque);
    }
  }

  async #segments(position: number, count: number): Promise<readonly (readonly Uint8Array[])[]> {
    if (count === 1 && position === this.#cachedPosition) return [this.#cached];
    try {
      const opened = await this.#reader.openSegments(position, count);
      this.#cachedPosition = position + count - 1;
      this.#cached = opened[count - 1] as Uint8Array[];
      return opened;
    } catch (error) {
      throw presentError(error, this.#path, this.#opaque);
    }
  }

  /** Waits for reads under way, wipes keys and plaintext, and closes the file. Closing twice is fine. */
  async close(): Promise<void> {
    await this.#reader.close();
    for (const piece of this.#cached) piece.fill(0);
    this.#cached = [];
    this.#cachedPosition = -1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function checkTarget(buffer: Uint8Array): Uint8Array {
  if (buffer instanceof Uint8Array) return buffer;
  throw invalidArgument('read needs a Uint8Array or Buffer to read into');
}

function checkRange(buffer: Uint8Array, offset: number, length: number, position: number): void {
  checkTarget(buffer);
  for (const [name, value] of [
    ['offset', offset],
    ['length', length],
    ['position', position],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < 0)
      throw invalidArgument(`${name} must be a whole number from 0`);
  }
  if (offset + length > buffer.length)
    throw invalidArgument(`${length} bytes from offset ${offset} do not fit into the buffer`);
}

/** Copies from the pieces of one segment, from `start` on; gives the number of bytes. */
function copyOut(
  pieces: readonly Uint8Array[],
  start: number,
  target: Uint8Array,
  at: number,
  most: number,
): number {
  let skip = start;
  let copied = 0;
  for (const piece of pieces) {
    if (skip >= piece.length) {
      skip -= piece.length;
      continue;
    }
    const part = piece.subarray(skip, skip + most - copied);
    target.set(part, at + copied);
    copied += part.length;
    skip = 0;
  }
  return copied;
}

/**
 * Opens a sealed file for random reads: a read opens only the segments it touches. Opening also opens the last segment,
 * which proves the size, so that a truncated file is an error here and not a short file.
 * @throws VolsealError every code of docs/format/v1.md §8, `ERR_VOLSEAL_NOT_FOUND`, `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_IO`,
 *   `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`, `ERR_VOLSEAL_ABORTED` and what key providers throw
 */
export async function openEncrypted(path: PathLike, options: OpenOptions): Promise<SealedFile> {
  const providers = checkOpenOptions('openEncrypted', options);
  const target = pathOf(path);
  if (target === undefined) throw invalidArgument('the path must be text or a file URL');
  const trace = traceOperation('open', 'handle', target);
  try {
    const reader = await SealedReader.open(target, providers, options);
    try {
      const last = await reader.verifyLength();
      trace.done(reader.fileId, reader.suite, reader.shape.plainBytes);
      return new SealedFile(reader, target, last, options.opaqueErrors);
    } catch (error) {
      await reader.close();
      throw error;
    }
  } catch (error) {
    const presented = presentError(error, target, options.opaqueErrors);
    trace.failed(errorCodeOf(presented));
    throw presented;
  }
}
