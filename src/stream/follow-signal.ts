/** Streams that an AbortSignal destroys. */

import type { Stream } from 'node:stream';

import { abortError } from '../options.ts';

/** Destroys the stream with `ERR_VOLSEAL_ABORTED` when the signal aborts, and forgets the signal when the stream closes. */
export function followSignal<T extends Stream & { destroy(error: Error): unknown }>(stream: T, signal: AbortSignal | undefined): T {
  if (signal === undefined) return stream;
  const onAbort = (): void => {
    stream.destroy(abortError(signal));
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener('abort', onAbort, { once: true });
  stream.once('close', () => signal.removeEventListener('abort', onAbort));
  return stream;
}
