/**
 * A conversion of bytes that streams of every kind drive the same way: input is pushed in, output is pulled out one
 * segment at a time, so that a slow reader holds everything up.
 */

/**
 * - an array: output, in pieces
 * - `more`: nothing to give before the next `push` or `end`
 * - `done`: everything has been given
 * - a promise: nothing yet; ask again when it resolves
 */
export type Pulled = Uint8Array[] | 'more' | 'done' | Promise<void>;

export interface Stage {
  /** The chunk must not change until `pull` gives `more`. */
  push(chunk: Uint8Array): void;
  /** There is no more input. */
  end(): void;
  /** Throws, or rejects, what makes the whole conversion fail. Nothing may be asked of it afterwards. */
  pull(): Pulled;
  /** Wipes keys and drops what is queued; also after failures and when a consumer goes away. `error` is why, if it failed. */
  close(error?: unknown): void;
}
