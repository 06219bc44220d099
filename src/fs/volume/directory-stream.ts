/** A directory being read entry by entry, shaped as `fs.Dir`. */

import type { Dirent } from 'node:fs';

type Callback<T> = (error: Error | null, result?: T) => void;

export class VolumeDirectory {
  /** As it was given to `opendir`. */
  readonly path: string;
  readonly #entries: readonly Dirent[];
  #next = 0;
  #closed = false;

  /** @param entries what was there when it was opened: others may be there by the time they are asked for, as always */
  constructor(path: string, entries: readonly Dirent[]) {
    this.path = path;
    this.#entries = entries;
  }

  /** The next entry, null after the last one. Errors: `ERR_DIR_CLOSED`. */
  read(): Promise<Dirent | null>;
  read(callback: Callback<Dirent | null>): void;
  read(callback?: Callback<Dirent | null>): Promise<Dirent | null> | void {
    return answer(() => this.readSync(), callback);
  }

  readSync(): Dirent | null {
    this.#checkOpen();
    return this.#entries[this.#next++] ?? null;
  }

  close(): Promise<void>;
  close(callback: Callback<void>): void;
  close(callback?: Callback<void>): Promise<void> | void {
    return answer(() => this.closeSync(), callback);
  }

  closeSync(): void {
    this.#checkOpen();
    this.#closed = true;
  }

  /** Closes the directory when it ends. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Dirent, void, void> {
    try {
      for (let entry = this.readSync(); entry !== null; entry = this.readSync()) yield entry;
    } finally {
      this.#closed = true;
    }
  }

  entries(): AsyncGenerator<Dirent, void, void> {
    return this[Symbol.asyncIterator]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
  }

  #checkOpen(): void {
    if (!this.#closed) return;
    throw Object.assign(new Error('Directory handle was closed'), { code: 'ERR_DIR_CLOSED' });
  }
}

function answer<T>(work: () => T, callback: Callback<T> | undefined): Promise<T> | void {
  if (callback === undefined) return new Promise((resolve) => resolve(work()));
  let result: T;
  try {
    result = work();
  } catch (error) {
    process.nextTick(callback, error);
    return;
  }
  process.nextTick(callback, null, result);
}
