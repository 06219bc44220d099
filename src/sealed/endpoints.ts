/** The sources and destinations of `encryptFile` and `decryptFile`: paths, pipes, devices and streams. */

import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { Readable, type Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';

import { VolsealError } from '../errors.ts';
import { invalidArgument } from '../options.ts';
import { AtomicFile } from '../stream/atomic-file.ts';
import { FileSink, type Sink, WritableSink } from '../stream/sink.ts';
import type { FileOptions, PathLike } from './options.ts';

/** A path, or anything that gives bytes in chunks. */
export type Source = PathLike | Readable | AsyncIterable<Uint8Array>;
/** A path, or a stream to write to; the stream is ended. */
export type Destination = PathLike | Writable;

export function pathOf(value: unknown): string | undefined {
  if (typeof value === 'string') {
    if (value === '' || value.includes('\0')) throw invalidArgument('a path must not be empty or contain zero bytes');
    return value;
  }
  return value instanceof URL ? fileURLToPath(value) : undefined;
}

/** An opened source: a regular file to be read at positions, or chunks. */
export type OpenedSource =
  | { readonly kind: 'file'; readonly handle: FileHandle; readonly stats: Stats; close(): Promise<void> }
  | { readonly kind: 'chunks'; readonly chunks: AsyncIterator<unknown>; close(): Promise<void> };

export async function openSource(source: Source): Promise<OpenedSource> {
  const path = pathOf(source);
  if (path === undefined) return chunksOf(source as AsyncIterable<unknown>);
  const handle = await open(path, constants.O_RDONLY);
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw directoryError(path);
    if (stats.isFile()) return { kind: 'file', handle, stats, close: () => handle.close() };
    return chunksOf(handle.createReadStream({ highWaterMark: 1_048_576 }));
  } catch (error) {
    await handle.close();
    throw error;
  }
}

function chunksOf(source: AsyncIterable<unknown>): OpenedSource {
  if (source === null || typeof source !== 'object' || typeof source[Symbol.asyncIterator] !== 'function') {
    throw invalidArgument('the source must be a path, a Readable or an async iterable of bytes');
  }
  const chunks = source[Symbol.asyncIterator]();
  return {
    kind: 'chunks',
    chunks,
    async close() {
      await chunks.return?.().catch(() => {});
    },
  };
}

/** A chunk of a source as bytes. */
export function chunkBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  throw invalidArgument('the source must give bytes (Uint8Array or Buffer)', 'encode text first: Buffer.from(text, "utf8")');
}

function directoryError(path: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_IO', `${path}: it is a directory`, { hint: 'name a file', path });
}

/** An opened destination. Exactly one of `commit` and `abort` is called, `abort` also after a failed `commit`. */
export interface OpenedDestination {
  readonly sink: Sink;
  commit(): Promise<void>;
  abort(error: unknown): Promise<void>;
}

export async function openDestination(
  destination: Destination,
  options: FileOptions,
  modeOfNew: number | undefined,
): Promise<OpenedDestination> {
  const path = pathOf(destination);
  if (path === undefined) return writableDestination(destination as Writable);
  const existing = await stat(path).catch(() => undefined); // what is wrong with it, opening it will say
  if (existing?.isDirectory() === true) throw directoryError(path);
  if (existing !== undefined && !existing.isFile()) return deviceDestination(path);
  const file = await AtomicFile.create(path, { overwrite: options.overwrite ?? true, mode: options.mode, modeOfNew });
  return { sink: new FileSink(file.handle, true), commit: () => file.commit(), abort: () => file.abort() };
}

function writableDestination(writable: Writable): OpenedDestination {
  if (writable === null || typeof writable !== 'object' || typeof writable.write !== 'function') {
    throw invalidArgument('the destination must be a path or a Writable');
  }
  const sink = new WritableSink(writable);
  return {
    sink,
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
    commit: () => handle.close(),
    async abort() {
      await handle.close().catch(() => {});
    },
  };
}
