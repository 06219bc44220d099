/** A Stage as a Node stream, shaped as zlib's are. */

import { Transform, type TransformCallback } from 'node:stream';

import type { Stage } from './stage.ts';

/**
 * A Transform whose conversion stops in the middle of a chunk while the reader is full: one written chunk may be as
 * large as the caller likes without its whole output being queued.
 */
export class StageTransform extends Transform {
  readonly #stage: Stage;
  #pending: TransformCallback | undefined;
  #ending = false;
  #running = false;
  #full = false;
  /** The reader asked and has not been given anything since: it will not ask again. */
  #asked = false;

  constructor(stage: Stage) {
    super();
    this.#stage = stage;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    this.#stage.push(chunk);
    this.#pending = callback;
    void this.#run();
  }

  override _flush(callback: TransformCallback): void {
    this.#stage.end();
    this.#ending = true;
    this.#pending = callback;
    void this.#run();
  }

  override _read(size: number): void {
    this.#full = false;
    this.#asked = true;
    // Without a write in progress the Transform itself knows what to do: ask for the next one.
    if (this.#pending === undefined) super._read(size);
    else void this.#run();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#stage.close(error ?? undefined);
    const pending = this.#pending;
    this.#pending = undefined;
    callback(error);
    // Only then do the callbacks of waiting writes, and of `end`, hear that the stream is gone.
    if (pending !== undefined) process.nextTick(pending, error);
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    try {
      while (!this.#full && !this.destroyed && this.#pending !== undefined) {
        const pulled = this.#stage.pull();
        if (pulled instanceof Promise) {
          await pulled;
        } else if (pulled === 'more' || pulled === 'done') {
          if (pulled === 'done' && this.#ending) this.#stage.close();
          this.#settle(null);
        } else {
          this.#give(pulled);
        }
      }
    } catch (error) {
      this.#settle(error as Error);
    } finally {
      this.#running = false;
    }
  }

  #give(pieces: readonly Uint8Array[]): void {
    try {
      for (const piece of pieces) {
        if (piece.length === 0) continue;
        this.#asked = false;
        // `push` may ask for more before it returns.
        if (!this.push(piece) && !this.#asked) this.#full = true;
      }
    } catch (error) {
      // A listener threw: the other pieces are not given, so nothing may follow them.
      if (this.destroyed) throwUncaught(error);
      else this.destroy(error as Error);
    }
  }

  #settle(error: Error | null): void {
    const callback = this.#pending;
    this.#pending = undefined;
    try {
      callback?.(error);
      // The Transform keeps the callback back while its buffer is full, until the reader asks again, which it did already.
      if (error === null && this.#asked) super._read(0);
    } catch (thrown) {
      throwUncaught(thrown);
    }
  }
}

/** What a listener or a callback of a write throws is not an error of the stream. */
function throwUncaught(error: unknown): void {
  process.nextTick(() => {
    throw error;
  });
}
