/** A Writable whose content becomes the content of a file when it finishes: all of it or nothing. */

import { Writable } from 'node:stream';

import { VolsealError } from '../../errors.ts';
import type { Context } from '../../kms/provider.ts';
import { followSignal, whenAborted } from '../../stream/follow-signal.ts';
import type { Destination } from './destination.ts';
import { stateError } from './errors.ts';
import type { Mounted } from './mounted.ts';
import { NewContent, type NewContentOptions } from './new-content.ts';
import { replacing } from './write-file.ts';

type Callback = (error?: Error | null) => void;

export interface NewContentStreamOptions extends Omit<NewContentOptions, 'context'> {
  readonly exclusive: boolean;
  readonly encoding: BufferEncoding | undefined;
  readonly highWaterMark: number;
  readonly emitClose: boolean;
  readonly signal: AbortSignal | undefined;
}

/** Runs the whole of it as one call of the volume, with the context that the file gets. */
export type RunCall = (work: (context: Context | undefined) => Promise<void>) => Promise<void>;

/** Stands for a descriptor in `open` events: `node:fs` refuses it, since what it would write there is no plaintext. */
const noDescriptor = 2 ** 31;

export class NewContentStream extends Writable {
  /** As it was given. */
  readonly path: string;
  /** Plaintext bytes that were taken so far. */
  bytesWritten = 0;
  readonly #mounted: Mounted;
  readonly #options: NewContentStreamOptions;
  #content: NewContent | undefined;
  /** Ends the hold on the place of the file; with an error nothing is made. */
  #end: ((error?: Error) => void) | undefined;
  /** The whole of it, from finding the place to letting go of it. */
  readonly #replacing: Promise<void>;
  /** Resolves when the first byte can be taken. */
  readonly #started: Promise<void>;
  readonly #unfollow: () => void;
  #work: Promise<unknown> = Promise.resolve();

  constructor(mounted: Mounted, path: string, options: NewContentStreamOptions, run: RunCall) {
    super({ highWaterMark: options.highWaterMark, emitClose: options.emitClose, decodeStrings: true });
    this.path = path;
    this.#mounted = mounted;
    this.#options = options;
    if (options.encoding !== undefined) this.setDefaultEncoding(options.encoding);
    this.#unfollow = whenAborted(mounted.closing, this.#onClosing);
    // Now, not when Node constructs the stream a little later: a volume that is closed meanwhile waits for it.
    let whole: Promise<void> = Promise.resolve();
    this.#started = new Promise<void>((resolve, reject) => {
      whole = run((context) => this.#replace(context, resolve));
      whole.catch(reject);
    });
    this.#started.catch(() => {}); // told when the stream is constructed
    this.#replacing = whole;
  }

  /** Whether the file is still to be made. */
  get pending(): boolean {
    return this.#content === undefined;
  }

  override _construct(callback: Callback): void {
    this.#do(this.#started, (error) => {
      // A stream that is destroyed meanwhile has its error already; Node would make an AggregateError of two.
      callback(this.destroyed ? null : error);
      if (error !== null || this.destroyed) return;
      this.emit('open', noDescriptor);
      this.emit('ready');
    });
  }

  /** What is being ended has everything it needs to finish. */
  readonly #onClosing = (): void => {
    if (this.writableEnded) return;
    const hint = 'end streams before the volume is closed';
    this.destroy(new VolsealError('ERR_VOLSEAL_CLOSED', 'the volume was closed', { hint }));
  };

  #replace(context: Context | undefined, ready: () => void): Promise<void> {
    return replacing(this.#mounted, this.path, this.#options.exclusive, (destination) =>
      this.#hold(destination, context, ready),
    );
  }

  /** Keeps the place of the file until the stream has finished or failed. */
  async #hold(destination: Destination, context: Context | undefined, ready: () => void): Promise<void> {
    const content = await NewContent.start(this.#mounted, destination, { ...this.#options, context });
    try {
      await new Promise<void>((resolve, reject) => {
        this.#content = content;
        this.#end = (error) => (error === undefined ? resolve() : reject(error));
        ready();
      });
      await content.commit();
    } catch (error) {
      await content.abort();
      throw error;
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#put([chunk], callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    this.#put(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  #put(chunks: readonly Buffer[], callback: Callback): void {
    for (const chunk of chunks) this.bytesWritten += chunk.length;
    this.#do((this.#content as NewContent).write(chunks), callback);
  }

  override _final(callback: Callback): void {
    this.#end?.();
    this.#do(this.#replacing, callback);
  }

  #do(work: Promise<void>, callback: (error: Error | null) => void): void {
    this.#work = work;
    work.then(
      () => callback(null),
      (error: unknown) => callback(stateError(error, { syscall: 'open', path: this.path }) as Error),
    );
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const clean = async (): Promise<void> => {
      await this.#work.catch(() => {});
      // Destroyed before it was constructed it has to be constructed first.
      await this.#started.catch(() => {});
      this.#end?.(error ?? new Error('the stream was destroyed'));
      await this.#replacing.catch(() => {}); // whoever destroyed it knows why
      this.#unfollow();
    };
    void clean().then(() => callback(error));
  }

  /** Ends the stream; `callback` is told when it has closed. */
  close(callback?: Callback): void {
    if (callback !== undefined) {
      if (this.closed) process.nextTick(callback);
      else this.once('close', () => callback(this.errored));
    }
    this.end();
  }
}

export function newContentStream(
  mounted: Mounted,
  path: string,
  options: NewContentStreamOptions,
  run: RunCall,
): NewContentStream {
  return followSignal(new NewContentStream(mounted, path, options, run), options.signal);
}
