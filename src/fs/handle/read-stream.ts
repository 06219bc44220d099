/** A Readable over a handle, shaped as `fs.ReadStream`. */

import { Readable } from 'node:stream';

import { checkOptions } from '../../options.ts';
import { followSignal } from '../../stream/follow-signal.ts';
import { checkBoolean, checkInteger, checkSignal, outOfRange } from './argument-errors.ts';
import { StreamHold, type StreamSource } from './stream-handle.ts';

export interface ReadStreamOptions {
  /** First plaintext byte. Default: where the handle is, which then moves. */
  start?: number | undefined;
  /** Last plaintext byte, inclusive. Default: the end of the file. */
  end?: number | undefined;
  encoding?: BufferEncoding | null | undefined;
  /** Bytes read at a time and ahead. Default 65,536. */
  highWaterMark?: number | undefined;
  /** Close the handle at the end or after an error. Default true. */
  autoClose?: boolean | undefined;
  /** Emit `close`. Default true. */
  emitClose?: boolean | undefined;
  /** Destroys the stream with `ERR_VOLSEAL_ABORTED`. */
  signal?: AbortSignal | undefined;
}

export const readStreamOptionNames = [
  'start',
  'end',
  'encoding',
  'highWaterMark',
  'autoClose',
  'emitClose',
  'signal',
] as const;
const defaultHighWaterMark = 65_536;

/** @throws what `fs.createReadStream` throws for values it refuses; `ERR_VOLSEAL_UNKNOWN_OPTION` */
function checkReadStreamOptions(what: string, options: ReadStreamOptions): void {
  checkOptions(what, options, readStreamOptionNames);
  const { start, end, highWaterMark, autoClose, emitClose, signal } = options;
  if (start !== undefined) checkInteger('start', start, 0);
  if (end !== undefined && end !== Infinity) {
    checkInteger('end', end, 0);
    if (start !== undefined && start > end) throw outOfRange('start', `<= "end" (here: ${end})`, start);
  }
  if (highWaterMark !== undefined) checkInteger('highWaterMark', highWaterMark, 0);
  if (autoClose !== undefined) checkBoolean('autoClose', autoClose);
  if (emitClose !== undefined) checkBoolean('emitClose', emitClose);
  if (signal !== undefined) checkSignal(signal);
}

export class VolumeReadStream extends Readable {
  /** Plaintext bytes that were read so far. */
  bytesRead = 0;
  readonly #hold: StreamHold;
  readonly #autoClose: boolean;
  readonly #end: number;
  /** Undefined: the handle's own position. */
  #position: number | undefined;
  #work: Promise<void> | undefined;

  /** Options are checked by {@link checkReadStreamOptions} before. */
  constructor(source: StreamSource, options: ReadStreamOptions) {
    const { autoClose = true, emitClose = true, encoding, highWaterMark = defaultHighWaterMark } = options;
    super({ highWaterMark, emitClose, autoDestroy: autoClose });
    this.#hold = new StreamHold(source, () => this.close());
    this.#autoClose = autoClose;
    this.#position = options.start;
    this.#end = options.end ?? Infinity;
    if (encoding !== undefined && encoding !== null) this.setEncoding(encoding);
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

  override _construct(callback: (error?: Error | null) => void): void {
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

  override _read(size: number): void {
    const next = this.#position ?? this.bytesRead;
    const wanted = Math.min(size, this.#end - next + 1);
    if (wanted <= 0) {
      this.push(null);
      return;
    }
    const buffer = Buffer.allocUnsafeSlow(wanted);
    this.#work = this.#hold.handle.read(buffer, 0, wanted, this.#position ?? null).then(
      ({ bytesRead }) => {
        this.#work = undefined;
        this.#give(buffer, bytesRead);
      },
      (error: unknown) => {
        this.#work = undefined;
        this.destroy(error as Error);
      },
    );
  }

  #give(buffer: Buffer, bytes: number): void {
    if (this.destroyed) return;
    this.bytesRead += bytes;
    if (this.#position !== undefined) this.#position += bytes;
    if (bytes === 0) this.push(null);
    // A small last piece does not keep the whole buffer alive.
    else this.push(bytes === buffer.length ? buffer : Buffer.from(buffer.subarray(0, bytes)));
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    const clean = async (): Promise<void> => {
      await this.#work;
      await this.#hold.release(this.#autoClose);
    };
    clean().then(
      () => callback(error),
      (closeError: unknown) => callback(error ?? (closeError as Error)),
    );
  }

  /** Destroys the stream; `callback` is told when it has closed. */
  close(callback?: (error?: Error | null) => void): void {
    if (callback !== undefined) this.#whenClosed(callback);
    this.destroy();
  }

  #whenClosed(callback: (error?: Error | null) => void): void {
    if (this.closed) process.nextTick(callback);
    else this.once('close', () => callback(this.errored));
  }
}

/** @throws what {@link checkReadStreamOptions} throws */
export function createReadStream(
  what: string,
  source: StreamSource,
  options: ReadStreamOptions = {},
): VolumeReadStream {
  checkReadStreamOptions(what, options);
  return followSignal(new VolumeReadStream(source, options), options.signal);
}
