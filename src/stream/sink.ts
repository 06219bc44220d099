/** Where the bulk engine writes to. */

import { finished } from 'node:stream/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';

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

/** A Node stream; writes wait while it is full. */
export class WritableSink implements Sink {
  readonly #writable: Writable;
  readonly #gone: Promise<never>;
  #forget!: () => void;

  constructor(writable: Writable) {
    this.#writable = writable;
    this.#gone = new Promise((_, reject) => {
      const onClose = (): void => {
        reject(new VolsealError('ERR_VOLSEAL_IO', 'the destination was closed before everything was written'));
      };
      writable.once('error', reject);
      writable.once('close', onClose);
      this.#forget = () => writable.off('error', reject).off('close', onClose);
    });
    this.#gone.catch(() => {}); // only counts for those who wait
  }

  /** Stops listening to the stream. */
  dispose(): void {
    this.#forget();
  }

  async write(parts: readonly Uint8Array[]): Promise<void> {
    for (const part of parts) {
      if (part.length === 0) continue;
      if (this.#writable.destroyed) await this.#gone;
      if (this.#writable.write(part)) continue;
      await Promise.race([new Promise<void>((resolve) => this.#writable.once('drain', resolve)), this.#gone]);
    }
  }

  /** Ends the stream and waits until it has written everything. Standard output and error cannot be ended. */
  async end(): Promise<void> {
    if (this.#writable === process.stdout || this.#writable === process.stderr) {
      await Promise.race([new Promise<void>((resolve) => this.#writable.write('', () => resolve())), this.#gone]);
      return;
    }
    this.#writable.end();
    await finished(this.#writable, { readable: false });
  }
}
