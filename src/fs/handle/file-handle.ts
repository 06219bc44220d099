/** An open file of a volume, shaped as `FileHandle` of `node:fs/promises`. All sizes and positions are of the plaintext. */

import { EventEmitter } from 'node:events';
import type { BigIntStats, Stats } from 'node:fs';
import type { Interface as LineReader } from 'node:readline';
import type { ReadableStream } from 'node:stream/web';

import { errnoError } from '../../errno.ts';
import { checkOptions } from '../../options.ts';
import type { Context } from '../../kms/provider.ts';
import { argumentType, checkBoolean, checkInteger, fileClosed, invalidState } from './argument-errors.ts';
import {
  encodingOptions,
  ownPosition,
  type ReadOptions,
  readPosition,
  readTransfer,
  type WriteOptions,
  writePosition,
  writeTransfer,
} from './arguments.ts';
import { type OpenFlags, parseMode } from './flags.ts';
import type { HandleTarget, Lease } from './handle-target.ts';
import type {
  ReadFileOptions,
  ReadResult,
  ReadVectorResult,
  WebStreamOptions,
  WriteFileOptions,
  WriteResult,
  WriteVectorResult,
} from './handle-types.ts';
import { OwnPosition } from './own-position.ts';
import { createReadStream, type ReadStreamOptions, type VolumeReadStream } from './read-stream.ts';
import { type StatOptions, statsAs } from './stats.ts';
import type { StreamHandle } from './stream-handle.ts';
import { secondsOf } from './time-arguments.ts';
import { checkViews, joinedParts, readVector } from './vectors.ts';
import { contentPieces, type FileContent, readToEnd } from './whole-file.ts';
import { webStreamOf } from './web-stream.ts';
import { createWriteStream, type VolumeWriteStream, type WriteStreamOptions } from './write-stream.ts';

const readFileOptionNames = ['encoding', 'signal', 'flag'] as const;
const writeFileOptionNames = ['encoding', 'signal', 'flush', 'mode', 'flag'] as const;
const closedFd = -1;
const anybody = 2 ** 32 - 1;
/** Beyond what `node:fs` takes for a descriptor: none of its functions can reach the sealed bytes through it. */
let nextFd = 2 ** 31;

/**
 * Made by `volume.open`. As in Node a call that begins while the handle is open is finished before the handle closes, and
 * a handle that is forgotten open keeps its file open until the volume is closed.
 *
 * Beside the arguments that Node refuses, options that a function does not know are refused, with
 * `ERR_VOLSEAL_UNKNOWN_OPTION`. After a failed sync every call fails until the file is opened again.
 */
export class VolumeFileHandle extends EventEmitter implements StreamHandle {
  readonly #lease: Lease;
  readonly #flags: OpenFlags;
  readonly #readonly: boolean;
  #fd = nextFd++;
  readonly #own = new OwnPosition();
  /** Calls and streams that use the file, and one for being open. */
  #uses = 1;
  #closing: Promise<void> | undefined;
  #closed: ((released: Promise<void>) => void) | undefined;
  readonly #onClosing = new Set<() => void>();
  #streamed = false;

  /**
   * Takes the lease over.
   * @param isReadonly of the volume: mode, owner and times cannot be changed, which a handle for reading could
   */
  constructor(lease: Lease, flags: OpenFlags, isReadonly = false) {
    super();
    this.#lease = lease;
    this.#flags = flags;
    this.#readonly = isReadonly;
  }

  /**
   * Tells open handles apart, from 2^31 on; -1 once it is closed. It is no descriptor of the system: `node:fs` refuses it,
   * since what it would read or write there are sealed bytes.
   */
  get fd(): number {
    return this.#fd;
  }

  /** The authenticated encryption context that the file was sealed with. */
  get context(): Context {
    return this.#lease.context;
  }

  /** Errors: EBADF (not open for reading, or closed), EISDIR, `ERR_VOLSEAL_TAMPERED`, `ERR_VOLSEAL_TRUNCATED`. */
  read<T extends NodeJS.ArrayBufferView>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | bigint | null,
  ): Promise<ReadResult<T>>;
  read<T extends NodeJS.ArrayBufferView>(buffer: T, options?: ReadOptions | null): Promise<ReadResult<T>>;
  read<T extends NodeJS.ArrayBufferView = Buffer>(
    options?: (ReadOptions & { buffer?: T | undefined }) | null,
  ): Promise<ReadResult<T>>;
  // Not async, and nothing awaited for what is in memory: a call costs a promise and a copy.
  read(
    first?: unknown,
    second?: unknown,
    third?: unknown,
    fourth?: unknown,
  ): Promise<ReadResult<NodeJS.ArrayBufferView>> {
    try {
      if (this.#fd === closedFd) throw fileClosed('read');
      const { given, bytes, offset, length, position } = readTransfer(first, second, third, fourth);
      if (length === 0) return Promise.resolve({ bytesRead: 0, buffer: given });
      this.#checkReadable();
      const bytesRead =
        position === ownPosition
          ? this.#own.transfer((own) => this.#lease.file.read(bytes, offset, length, own))
          : this.#lease.file.read(bytes, offset, length, position);
      return typeof bytesRead === 'number'
        ? Promise.resolve({ bytesRead, buffer: given })
        : this.#call('read', async () => ({ bytesRead: await bytesRead, buffer: given }));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Fills one buffer after the other. */
  readv<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<ReadVectorResult<T>> {
    return this.#call('readv', async (file) => {
      const views = checkViews(buffers);
      const at = readPosition(position);
      if (views.length === 0) throw errnoError('EINVAL', 'read');
      this.#checkReadable();
      const from = (start: number): Promise<number> => readVector(file, views, start);
      return { bytesRead: await (at === ownPosition ? this.#own.transfer(from) : from(at)), buffers };
    });
  }

  /**
   * From the own position to the end of the file as it is now.
   * @throws also `ERR_FS_FILE_TOO_LARGE` beyond 2 GiB, `ERR_VOLSEAL_ABORTED`
   */
  readFile(options?: (ReadFileOptions & { encoding?: null | undefined }) | null): Promise<Buffer>;
  readFile(options: (ReadFileOptions & { encoding: BufferEncoding }) | BufferEncoding): Promise<string>;
  readFile(options?: ReadFileOptions | BufferEncoding | null): Promise<string | Buffer>;
  readFile(options?: ReadFileOptions | BufferEncoding | null): Promise<string | Buffer> {
    return this.#call('readFile', async (file) => {
      const { encoding, signal } = encodingOptions('readFile', options, readFileOptionNames);
      this.#checkReadable();
      let content: Buffer | undefined;
      await this.#own.transfer(async (own) => {
        content = await readToEnd(file, own, signal);
        return content.length;
      });
      const read = content as unknown as Buffer;
      return encoding === undefined || encoding === null ? read : read.toString(encoding);
    });
  }

  /** With flag `a` at the end of the file, whatever the position. Errors: EBADF, ENOSPC, EFBIG, EIO. */
  write<T extends NodeJS.ArrayBufferView>(
    buffer: T,
    offset?: number | null,
    length?: number | null,
    position?: number | null,
  ): Promise<WriteResult<T>>;
  write<T extends NodeJS.ArrayBufferView>(buffer: T, options?: WriteOptions | null): Promise<WriteResult<T>>;
  write(
    text: string,
    position?: number | null,
    encoding?: BufferEncoding | null,
  ): Promise<WriteResult<string>>;
  write(
    first: unknown,
    second?: unknown,
    third?: unknown,
    fourth?: unknown,
  ): Promise<WriteResult<NodeJS.ArrayBufferView | string>> {
    return this.#call('write', async (file) => {
      const { given, bytes, offset, length, position } = writeTransfer(first, second, third, fourth);
      if (bytes.length === 0 && typeof given !== 'string') return { bytesWritten: 0, buffer: given };
      return { bytesWritten: await this.#put(file, bytes, offset, length, position), buffer: given };
    });
  }

  /** One buffer after the other, in one step up to 1 MiB. */
  writev<T extends readonly NodeJS.ArrayBufferView[]>(
    buffers: T,
    position?: number | null,
  ): Promise<WriteVectorResult<T>> {
    return this.#call('writev', async (file) => {
      let at = writePosition(position);
      let bytesWritten = 0;
      const views = checkViews(buffers);
      if (views.length > 0) this.#checkWritable();
      for (const part of joinedParts(views)) {
        const written = await this.#put(file, part, 0, part.length, at);
        bytesWritten += written;
        if (written < part.length) break;
        if (at !== ownPosition) at += written;
      }
      return { bytesWritten, buffers };
    });
  }

  /** From the own position on, as Node does it: what the file holds after it stays. */
  writeFile(data: FileContent, options?: WriteFileOptions | BufferEncoding | null): Promise<void> {
    return this.#call('writeFile', async (file) => {
      const given = encodingOptions('writeFile', options, writeFileOptionNames);
      const flush = given.flush === undefined ? false : checkBoolean('flush', given.flush);
      for await (const piece of contentPieces(data, given.encoding, given.signal)) {
        await this.#put(file, piece, 0, piece.length, ownPosition);
      }
      if (flush) await file.sync();
    });
  }

  /** The same as {@link writeFile}: it appends where the file was opened with `a`. */
  appendFile(data: FileContent, options?: WriteFileOptions | BufferEncoding | null): Promise<void> {
    return this.writeFile(data, options);
  }

  /** Cuts the file, or fills it up with zeros. Keeps the data key. Errors: EINVAL (not open for writing), EFBIG, ENOSPC. */
  truncate(length?: number | null): Promise<void> {
    return this.#call('ftruncate', async (file) => {
      const plainBytes = Math.max(0, checkInteger('len', length ?? 0));
      if (!this.#flags.write) throw errnoError('EINVAL', 'ftruncate');
      await file.truncate(plainBytes);
    });
  }

  stat(options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  stat(options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(options?: StatOptions): Promise<Stats | BigIntStats>;
  stat(options?: StatOptions): Promise<Stats | BigIntStats> {
    return this.#call('fstat', async (file) => {
      if (options !== undefined) checkOptions('stat', options, ['bigint']);
      return statsAs(await file.stat(), options);
    });
  }

  /** What was written through any handle on the file is on the disk afterwards (docs/durability.md). */
  sync(): Promise<void> {
    return this.#call('fsync', (file) => file.sync());
  }

  /** The same as {@link sync}. */
  datasync(): Promise<void> {
    return this.#call('fdatasync', (file) => file.sync());
  }

  chmod(mode: string | number): Promise<void> {
    return this.#changeAttributes('fchmod', async (file) => file.chmod(parseMode(mode)));
  }

  /** -1 leaves the one or the other as it is. */
  chown(uid: number, gid: number): Promise<void> {
    return this.#changeAttributes('fchown', async (file) =>
      file.chown(checkInteger('uid', uid, -1, anybody), checkInteger('gid', gid, -1, anybody)),
    );
  }

  utimes(atime: string | number | Date, mtime: string | number | Date): Promise<void> {
    return this.#changeAttributes('futimes', async (file) =>
      file.utimes(checkTime('atime', atime), checkTime('mtime', mtime)),
    );
  }

  createReadStream(options?: ReadStreamOptions): VolumeReadStream {
    this.#checkStreamable();
    return createReadStream('createReadStream', this, options);
  }

  /** Writes in place, from where the handle is or from `start`. */
  createWriteStream(options?: WriteStreamOptions): VolumeWriteStream {
    this.#checkStreamable();
    return createWriteStream('createWriteStream', this, options);
  }

  /** Line after line, without their ends. */
  readLines(options?: ReadStreamOptions): LineReader {
    const input = this.createReadStream(options);
    // Not imported: hardly anybody needs it, and everybody would wait for it.
    return process.getBuiltinModule('node:readline').createInterface({ input, crlfDelay: Infinity });
  }

  /** A byte stream from the own position on; one for each handle, as in Node. */
  readableWebStream(options: WebStreamOptions = {}): ReadableStream<Uint8Array> {
    checkOptions('readableWebStream', options, ['type', 'autoClose']);
    const { autoClose = false, type } = options;
    if (type !== undefined && type !== 'bytes') throw argumentType('options.type', "'bytes'", type);
    checkBoolean('autoClose', autoClose);
    if (this.#fd === closedFd) throw invalidState('The FileHandle is closed');
    if (this.#closing !== undefined) throw invalidState('The FileHandle is closing');
    if (this.#streamed) throw invalidState('The FileHandle is locked');
    this.#streamed = true;
    return webStreamOf(this, autoClose);
  }

  /**
   * Waits for what is under way. The last handle on a file syncs what was written, as far as the durability of the volume
   * says, and the promise fails when that fails: the handle is closed then too. Bound, as Node's is.
   */
  readonly close: () => Promise<void> = () => {
    if (this.#closing !== undefined) return this.#closing;
    if (this.#fd === closedFd) return Promise.resolve();
    const closing = new Promise<void>((resolve) => {
      this.#closed = resolve;
    }).finally(() => {
      this.#closing = undefined;
    });
    this.#closing = closing;
    this.#unuse();
    for (const tell of [...this.#onClosing]) tell();
    this.emit('close');
    return closing;
  };

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** For streams: keeps the file open until what comes back is called; `closing` is told that somebody closes the handle. */
  holdOpen(closing: () => void): () => void {
    this.#uses++;
    this.#onClosing.add(closing);
    return () => {
      if (this.#onClosing.delete(closing)) this.#unuse();
    };
  }

  async #call<T>(syscall: string, work: (file: HandleTarget) => Promise<T>): Promise<T> {
    if (this.#fd === closedFd) throw fileClosed(syscall);
    this.#uses++;
    try {
      return await work(this.#lease.file);
    } finally {
      this.#unuse();
    }
  }

  async #changeAttributes(syscall: string, work: (file: HandleTarget) => Promise<void>): Promise<void> {
    return this.#call(syscall, async (file) => {
      if (this.#readonly) {
        const detail = 'the volume was opened read-only';
        throw errnoError('EROFS', syscall, undefined, undefined, { detail });
      }
      return work(file);
    });
  }

  #unuse(): void {
    this.#uses--;
    if (this.#uses > 0) return;
    this.#fd = closedFd;
    this.#closed?.(this.#lease.release());
  }

  #checkReadable(): void {
    if (!this.#flags.read) throw errnoError('EBADF', 'read');
  }

  #checkWritable(): void {
    if (!this.#flags.write) throw errnoError('EBADF', 'write');
  }

  #checkStreamable(): void {
    if (this.#fd === closedFd) throw fileClosed('open');
  }

  async #put(
    file: HandleTarget,
    bytes: Uint8Array,
    offset: number,
    length: number,
    position: number,
  ): Promise<number> {
    this.#checkWritable();
    if (length === 0) return 0;
    let written = 0;
    if (position === ownPosition) {
      await this.#own.transfer(async (own) => {
        if (!this.#flags.append) return (written = await file.write(bytes, offset, length, own));
        written = await file.append(bytes, offset, length);
        return file.plainBytes - own;
      });
    } else if (this.#flags.append) {
      written = await file.append(bytes, offset, length);
    } else {
      written = await file.write(bytes, offset, length, position);
    }
    if (this.#flags.syncEachWrite) await file.sync();
    return written;
  }
}

function checkTime(name: string, time: unknown): number {
  const seconds = secondsOf(time);
  if (seconds === undefined) throw argumentType(name, 'an instance of Date or Time in seconds', time);
  return seconds;
}
