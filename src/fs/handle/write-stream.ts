/** A Writable over a handle, shaped as `fs.WriteStream`: it writes in place. */

import { Writable } from 'node:stream';

import { checkOptions } from '../../options.ts';
import { followSignal } from '../../stream/follow-signal.ts';
import { checkBoolean, checkInteger, checkSignal } from './argument-errors.ts';
import { StreamHold, type StreamSource } from './stream-handle.ts';

export interface WriteStreamOptions {
  /** Plaintext offset of the first byte. Default: where the handle is, which then moves. Of no effect when appending. */
  start?: number | undefined;
  /** Of text that is written without one. Default `utf8`. */
  encoding?: BufferEncoding | null | undefined;
  /** Bytes that may wait before `write` returns false. Default 65,536. */
  highWaterMark?: number | undefined;
  /** Close the handle at the end or after an error. Default true. */
  autoClose?: boolean | undefined;
  /** Emit `close`. Default true. */
  emitClose?: boolean | undefined;
  /** Sync before `finish`. Default false; closing syncs anyway, as far as the durability of the volume says. */
  flush?: boolean | undefined;
  /** Destroys the stream with `ERR_VOLSEAL_ABORTED`. What was written so far stays. */
  signal?: AbortSignal | undefined;
}

export const writeStreamOptionNames = [
  'start',
  'encoding',
  'highWaterMark',
  'autoClose',
  'emitClose',
  'flush',
  'signal',
] as const;
const defaultHighWaterMark = 65_536;

/** @throws what `fs.createWriteStream` throws for values it refuses; `ERR_VOLSEAL_UNKNOWN_OPTION` */
export function checkWriteStreamOptions(what: string, options: WriteStreamOptions): void {
  checkOptions(what, options, writeStreamOptionNames);
  const { start, highWaterMark, autoClose, emitClose, flush, signal } = options;
  if (start !== undefined) checkInteger('start', start, 0);
  if (highWaterMark !== undefined) checkInteger('highWaterMark', highWaterMark, 0);
  if (autoClose !== undefined) checkBoolean('autoClose', autoClose);
  if (emitClose !== undefined) checkBoolean('emitClose', emitClose);
  if (flush !== undefined && flush !== null) checkBoolean('flush', flush);
  if (signal !== undefined) checkSignal(signal);
}

type Callback = (error?: Error | null) => void;

export class VolumeWriteStream extends Writable {
  /** Plaintext bytes that were written so far. */
  bytesWritten = 0;
  readonly #hold: StreamHold;
  readonly #autoClose: boolean;
  readonly #flush: boolean;
  /** Undefined: the handle's own position. */
  #position: number | undefined;
  #work: Promise<unknown> | undefined;

  /** Options are checked by {@link checkWriteStreamOptions} before. */
  constructor(source: StreamSource, options: WriteStreamOptions) {
    const { autoClose = true, emitClose = true, encoding, highWaterMark = defaultHighWaterMark } = options;
    super({ highWaterMark, emitClose, autoDestroy: autoClose, decodeStrings: true });
    this.#hold = new StreamHold(source, () => this.close());
    this.#autoClose = autoClose;
    this.#flush = options.flush ?? false;
    this.#position = options.start;
    if (encoding !== undefined && encoding !== null) this.setDefaultEncoding(encoding);
  }

  /** The name it was opened by; undefined for a stream of a handle. */
  get path(): string | undefined {
    return this.#hold.path;
  }

  /** Whether the file is still to be opened. */
  get pending(): boolean {
    return !this.#hold.opened;
  }

  get autoClose(): boolean {
    return this.#autoClose;
  }

  override _construct(callback: Callback): void {
    if (this.#hold.opened) return callback();
    this.#hold.open().then(
      () => {
        callback();
        this.emit('open', this.#hold.handle.fd);
        this.emit('ready');
      },
      // A stream that is destroyed meanwhile has its error already; Node would make an AggregateError of two.
      (error: unknown) => callback(this.destroyed ? null : (error as Error)),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#do(this.#put([chunk]), callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    this.#do(this.#put(chunks.map(({ chunk }) => chunk)), callback);
  }

  override _final(callback: Callback): void {
    if (!this.#flush) return callback();
    this.#do(this.#hold.handle.sync(), callback);
  }

  async #put(parts: readonly Buffer[]): Promise<void> {
    const { bytesWritten } = await this.#hold.handle.writev(parts, this.#position ?? null);
    this.bytesWritten += bytesWritten;
    if (this.#position !== undefined) this.#position += bytesWritten;
  }

  #do(work: Promise<void>, callback: Callback): void {
    this.#work = work;
    work.then(
      () => callback(),
      (error: unknown) => callback(error as Error),
    );
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const clean = async (): Promise<void> => {
      await this.#work?.catch(() => {}); // its callback has told
      await this.#hold.release(this.#autoClose);
    };
    clean().then(
      () => callback(error),
      (closeError: unknown) => callback(error ?? (closeError as Error)),
    );
  }

  /** Ends the stream; `callback` is told when it has closed. */
  close(callback?: Callback): void {
    if (callback !== undefined) {
      if (this.closed) process.nextTick(callback);
      else this.once('close', () => callback(this.errored));
    }
    if (this.writableFinished) this.destroy();
    else if (!this.#autoClose) this.once('finish', () => this.destroy());
    this.end();
  }

  /** For `http` and its like, which end what they are piped into by this name. */
  destroySoon(): void {
    this.end();
  }
}

/** @throws what {@link checkWriteStreamOptions} throws */
export function createWriteStream(
  what: string,
  source: StreamSource,
  options: WriteStreamOptions = {},
): VolumeWriteStream {
  checkWriteStreamOptions(what, options);
  return followSignal(new VolumeWriteStream(source, options), options.signal);
}
