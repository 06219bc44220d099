/** The sources and destinations of `encryptFile` and `decryptFile`: paths, pipes, devices and streams. */

import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { VolsealError } from '../errors.ts';
import { invalidArgument } from '../options.ts';
import { AtomicFile } from '../stream/atomic-file.ts';
import type { Chunks } from '../stream/batches.ts';
import { FileSink, type Sink, WritableSink } from '../stream/sink.ts';
import type { FileOptions, PathLike } from './options.ts';

/** A path, or anything that gives bytes in chunks. */
export type Source = PathLike | Readable | AsyncIterable<Uint8Array>;
/** A path, or a stream to write to; the stream is ended. */
export type Destination = PathLike | Writable;

export function pathOf(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (value === '' || value.includes('\0'))
      throw invalidArgument('a path must not be empty or contain zero bytes');
    return value;
  }
  if (!(value instanceof URL)) return undefined;
  try {
    return fileURLToPath(value);
  } catch (error) {
    throw new VolsealError(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
      'a path that is a URL must be a file URL of this machine',
      { cause: error },
    );
  }
}

/** What every opened source can do. */
interface OpenEnd {
  /** Ends all waiting for it with this error. */
  interrupt(error: unknown): void;
  close(): Promise<unknown>;
}

/** An opened source: a regular file to be read at positions, or chunks. */
export type OpenedSource = OpenEnd &
  (
    | { readonly kind: 'file'; readonly handle: FileHandle; readonly stats: Stats }
    | { readonly kind: 'chunks'; readonly chunks: Chunks }
  );

export async function openSource(source: Source): Promise<OpenedSource> {
  const path = pathOf(source);
  if (path === undefined) return chunksOf(source as AsyncIterable<unknown>);
  const handle = await open(path, constants.O_RDONLY);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw directoryError(path);
    if (stats.isFile()) return { kind: 'file', handle, stats, interrupt() {}, close: () => handle.close() };
    const stream = handle.createReadStream({ highWaterMark: 1_048_576 });
    const closed = new Promise<void>((resolve) => stream.once('close', resolve));
    const opened = chunksOf(stream);
    return {
      ...opened,
      async close() {
        // A read that waits for the other end of a pipe cannot be called back.
        if (!(await opened.close())) await closed;
      },
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

interface OpenedChunks {
  readonly kind: 'chunks';
  readonly chunks: Chunks;
  interrupt(error: unknown): void;
  /** Whether a chunk that was asked for is still awaited. */
  close(): Promise<boolean>;
}

function chunksOf(source: AsyncIterable<unknown> & Partial<Pick<Readable, 'destroy'>>): OpenedChunks {
  if (source === null || typeof source !== 'object' || typeof source[Symbol.asyncIterator] !== 'function') {
    throw invalidArgument('the source must be a path, a Readable or an async iterable of bytes');
  }
  const iterator = source[Symbol.asyncIterator]();
  let failure: { readonly error: unknown } | undefined;
  let waiting: ((error: unknown) => void) | undefined;
  const next = async (): Promise<IteratorResult<unknown>> => {
    if (failure !== undefined) throw failure.error;
    try {
      return await new Promise((resolve, reject) => {
        waiting = reject;
        iterator.next().then(resolve, reject);
      });
    } finally {
      if (failure === undefined) waiting = undefined;
    }
  };
  return {
    kind: 'chunks',
    // A stream gives its chunks away; a generator may use the memory of one for the next.
    chunks: { next, reused: !(source instanceof Readable) },
    interrupt(error) {
      failure ??= { error };
      waiting?.(error);
      // Its iterator destroys it as well, but not before the chunk that is awaited.
      source.destroy?.();
    },
    async close() {
      const returned = iterator.return?.().catch(() => {});
      if (waiting === undefined) await returned;
      return waiting !== undefined;
    },
  };
}

/** A chunk of a source as bytes. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw invalidArgument(
    'the source must give bytes (Uint8Array or Buffer)',
    'encode text first: Buffer.from(text, "utf8")',
  );
}

function directoryError(path: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_IO', `${path}: it is a directory`, { hint: 'name a file', path });
}

/** An opened destination. Exactly one of `commit` and `abort` is called, `abort` also after a failed `commit`. */
export interface OpenedDestination {
  readonly sink: Sink;
  /** Ends all waiting for it with this error. */
  interrupt(error: unknown): void;
  commit(): Promise<void>;
  abort(error: unknown): Promise<void>;
}

export async function openDestination(
  destination: Destination,
  options: FileOptions,
  modeOfNew: number | undefined,
  onGone: (error: unknown) => void,
): Promise<OpenedDestination> {
  const path = pathOf(destination);
  if (path === undefined) return writableDestination(destination as Writable, onGone);
  const existing = await stat(path).catch(() => undefined); // what is wrong with it, opening it will say
  if (existing?.isDirectory() === true) throw directoryError(path);
  if (existing !== undefined && !existing.isFile()) return deviceDestination(path);
  const file = await AtomicFile.create(path, {
    overwrite: options.overwrite ?? true,
    mode: options.mode,
    modeOfNew,
  });
  return {
    sink: new FileSink(file.handle, true),
    interrupt() {},
    commit: () => file.commit(),
    abort: () => file.abort(),
  };
}

function writableDestination(writable: Writable, onGone: (error: unknown) => void): OpenedDestination {
  // A Buffer has `write` too.
  if (
    writable === null ||
    typeof writable !== 'object' ||
    typeof writable.write !== 'function' ||
    typeof writable.on !== 'function'
  ) {
    throw invalidArgument('the destination must be a path or a Writable');
  }
  const sink = new WritableSink(writable, onGone);
  return {
    sink,
    interrupt: sink.fail,
    async commit() {
      await sink.end();
      sink.dispose();
    },
    async abort(error) {
      sink.dispose();
      const cause = error instanceof Error ? error : new Error('aborted');
      if (writable !== process.stdout && writable !== process.stderr && !writable.destroyed) {
        writable.once('error', () => {}); // the caller learns of it from the promise
        writable.destroy(cause);
      }
    },
  };
}

/** Pipes and devices have no content to replace: they are written as they are. */
async function deviceDestination(path: string): Promise<OpenedDestination> {
  const handle = await open(path, constants.O_WRONLY);
  return {
    sink: new FileSink(handle, false),
    interrupt() {},
    commit: () => handle.close(),
    async abort() {
      await handle.close().catch(() => {});
    },
  };
}
