/** `createDecryptReadStream`: a Readable of a range of a sealed file. */

import { Readable } from 'node:stream';

import { locate } from '../floe/layout.ts';
import { invalidArgument } from '../options.ts';
import { followSignal } from '../stream/follow-signal.ts';
import { traceOperation, type OperationTrace } from '../trace.ts';
import { pathOf } from './endpoints.ts';
import { errorCodeOf } from './failure.ts';
import { checkOpenOptions, type OpenOptions, type PathLike, presentError } from './options.ts';
import { SealedReader } from './sealed-reader.ts';

export interface RangeOptions {
  /** First plaintext byte. Default 0. */
  start?: number;
  /** Last plaintext byte, inclusive as in `fs.createReadStream`. Default: the end. */
  end?: number;
}

type Callback = (error?: Error | null) => void;

/** One read from the file brings about this much. */
const runBytes = 262_144;

/** Where a range stream reads from, and what it does with it in the end. */
export interface RangeSource {
  readonly path: string;
  readonly opaque: boolean | undefined;
  open(): Promise<SealedReader>;
  close(): Promise<void>;
}

export class DecryptReadStream extends Readable {
  readonly #source: RangeSource;
  readonly #range: RangeOptions;
  readonly #trace: OperationTrace;
  #reader: SealedReader | undefined;
  #work: Promise<void> = Promise.resolve();
  /** The next plaintext byte to give, and the one after the last. */
  #at = 0;
  #stop = 0;
  #given = 0;
  /** Opened already, waiting for the reader. */
  #ready: Uint8Array[] = [];

  constructor(source: RangeSource, range: RangeOptions) {
    super({ highWaterMark: 65_536 });
    this.#source = source;
    this.#range = range;
    this.#trace = traceOperation('open', 'stream', source.path);
  }

  override _construct(callback: Callback): void {
    // A stream that is destroyed meanwhile has its error already; Node would make an AggregateError of two.
    this.#do(this.#start(), (error) => callback(this.destroyed ? null : error));
  }

  async #start(): Promise<void> {
    const reader = await this.#source.open();
    this.#reader = reader;
    const { start = 0, end = Number.MAX_SAFE_INTEGER } = this.#range;
    const size = reader.shape.plainBytes;
    this.#at = start;
    this.#stop = Math.min(size, end + 1);
    // The range ends, or is empty, because of the size of the file: that has to be proven.
    if (start >= this.#stop) await reader.verifyLength();
    this.emit('context', reader.context);
  }

  override _read(): void {
    if (this.#giveReady()) return;
    if (this.#at >= this.#stop) {
      const reader = this.#reader as SealedReader;
      this.#trace.done(reader.fileId, reader.suite, this.#given);
      this.push(null);
      return;
    }
    this.#do(this.#openNext(), (error) => {
      if (error instanceof Error) this.destroy(error);
      else this.#giveReady();
    });
  }

  /** Gives what is there until the reader is full; false when there was nothing. */
  #giveReady(): boolean {
    if (this.#ready.length === 0) return false;
    while (this.#ready.length > 0) {
      const piece = this.#ready.shift() as Uint8Array;
      this.#given += piece.length;
      if (!this.push(piece)) break;
    }
    return true;
  }

  async #openNext(): Promise<void> {
    const reader = this.#reader as SealedReader;
    const { layout, shape } = reader;
    const { position, offsetInSegment } = locate(layout, this.#at);
    const { position: lastNeeded } = locate(layout, this.#stop - 1);
    const run = Math.max(1, Math.floor(runBytes / layout.segmentBytes));
    const count = Math.min(run, lastNeeded - position + 1);
    let skip = offsetInSegment;
    let pieces = (await reader.openSegments(position, count)).flat();
    // An empty last segment after full ones belongs to the data too: it proves where they end.
    if (this.#stop === shape.plainBytes && position + count > lastNeeded && lastNeeded < shape.segments - 1)
      await reader.verifyLength();
    pieces = pieces.flatMap((piece) => {
      const part = piece.subarray(Math.min(skip, piece.length));
      skip -= piece.length - part.length;
      const wanted = part.subarray(0, this.#stop - this.#at);
      this.#at += wanted.length;
      return wanted.length === 0 ? [] : [wanted];
    });
    this.#ready = pieces;
  }

  #do(work: Promise<void>, callback: Callback): void {
    this.#work = work;
    work.then(
      () => callback(null),
      (error: unknown) => callback(presentError(error, this.#source.path, this.#source.opaque) as Error),
    );
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const clean = async (): Promise<void> => {
      await this.#work.catch(() => {});
      this.#ready = [];
      await this.#source.close().catch(() => {});
      if (error !== null || !this.readableEnded) this.#trace.failed(errorCodeOf(error));
    };
    void clean().then(() => callback(error));
  }
}

export function checkRangeOptions({ start = 0, end = Number.MAX_SAFE_INTEGER }: RangeOptions): void {
  for (const [name, value] of [
    ['start', start],
    ['end', end],
  ] as const) {
    const whole = Number.isSafeInteger(value) || (name === 'end' && value === Infinity);
    if (!whole || value < 0) throw invalidArgument(`${name} must be a whole number from 0`);
  }
  if (start > end) throw invalidArgument(`start (${start}) is after end (${end})`);
}

/**
 * A Readable of the plaintext of a sealed file, or of a range of it: reads and opens only the segments of the range.
 * Every byte is authenticated before it comes out, and so is the end when the range reaches it. Emits `context` with the
 * authenticated encryption context before any data.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; emits what `openEncrypted` and its reads throw
 */
export function createDecryptReadStream(path: PathLike, options: OpenOptions & RangeOptions): Readable {
  const providers = checkOpenOptions('createDecryptReadStream', options, ['start', 'end']);
  const target = pathOf(path);
  if (target === undefined) throw invalidArgument('the path must be text or a file URL');
  checkRangeOptions(options);
  let reader: SealedReader | undefined;
  const source: RangeSource = {
    path: target,
    opaque: options.opaqueErrors,
    open: async () => (reader = await SealedReader.open(target, providers, options)),
    close: async () => reader?.close(),
  };
  return followSignal(new DecryptReadStream(source, options), options.signal);
}
