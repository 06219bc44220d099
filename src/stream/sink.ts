/** Where the bulk engine writes to. */

import type { FileHandle } from 'node:fs/promises';
import { finished, type Writable } from 'node:stream';

import { VolsealError } from '../errors.ts';
import { releaseParts } from '../memory.ts';
import { writeFully } from './file-bytes.ts';

export interface Sink {
  /** Takes the parts over: they may be gone when the promise resolves. */
  write(parts: readonly Uint8Array[]): Promise<void>;
}

/** A file from its start, or a pipe or device. */
export class FileSink implements Sink {
  readonly #handle: FileHandle;
  #position: number | null;
  /** Pipes have no positions: writes must follow each other. */
  #previous: Promise<void> = Promise.resolve();

  constructor(handle: FileHandle, seekable: boolean) {
    this.#handle = handle;
    this.#position = seekable ? 0 : null;
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    if (this.#position === null) {
      this.#previous = this.#previous.then(() => this.#writeAt(parts, null));
      return this.#previous;
    }
    const position = this.#position;
    for (const part of parts) this.#position += part.length;
    return this.#writeAt(parts, position);
  }

  async #writeAt(parts: readonly Uint8Array[], position: number | null): Promise<void> {
    await writeFully(this.#handle, parts, position);
    releaseParts(parts);
  }
}

/** A Node stream; writes wait while it is full, and fail as soon as it is gone. */
export class WritableSink implements Sink {
  readonly #writable: Writable;
  readonly #onGone: (error: unknown) => void;
  /** A batch comes while another one still waits: they must not mix. */
  #previous: Promise<void> = Promise.resolve();
  #failure: { readonly error: unknown } | undefined;
  #waiting: ((error: unknown) => void) | undefined;
  #drained: (() => void) | undefined;

  /** @param onGone told once when the stream fails or is closed, also while nothing is being written */
  constructor(writable: Writable, onGone: (error: unknown) => void) {
    this.#writable = writable;
    this.#onGone = onGone;
    writable.on('drain', this.#onDrain).on('error', this.fail).on('close', this.#onClose);
    if (writable.destroyed) this.#onClose();
  }

  readonly #onDrain = (): void => this.#drained?.();

  readonly #onClose = (): void => {
    const closed = new VolsealError(
      'ERR_VOLSEAL_IO',
      'the destination was closed before everything was written',
      {
        hint: 'whoever reads it went away',
      },
    );
    this.fail(this.#writable.errored ?? closed);
  };

  /** Ends all waiting with this error. */
  readonly fail = (error: unknown): void => {
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    this.#waiting?.(error);
    this.#onGone(error);
  };

  /** Stops listening to the stream. */
  dispose(): void {
    this.#writable.off('drain', this.#onDrain).off('error', this.fail).off('close', this.#onClose);
  }

  write(parts: readonly Uint8Array[]): Promise<void> {
    this.#previous = this.#previous.then(() => this.#write(parts));
    return this.#previous;
  }

  async #write(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (this.#failure !== undefined) throw this.#failure.error;
      if (part.length > 0 && !this.#writable.write(part))
        await this.#wait((resolve) => (this.#drained = resolve));
    }
  }

  /** Ends the stream and waits until it has written everything. Standard output and error cannot be ended. */
  async end(): Promise<void> {
    await this.#previous;
    if (this.#failure !== undefined) throw this.#failure.error;
    this.#writable.off('close', this.#onClose);
    await this.#wait((resolve, reject) => {
      if (this.#writable === process.stdout || this.#writable === process.stderr) {
        this.#writable.write('', (error) => (error ? reject(error) : resolve()));
      } else {
        finished(this.#writable, { readable: false }, (error) => (error ? reject(error) : resolve()));
        this.#writable.end();
      }
    });
  }

  /** No Promise.race with one promise for the stream's whole life: that would hold something for every wait. */
  #wait(start: (resolve: () => void, reject: (error: unknown) => void) => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = reject;
      start(resolve, reject);
    });
  }
}
