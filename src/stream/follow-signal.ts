/** What an AbortSignal ends. */

import type { Stream } from 'node:stream';

import { abortError } from '../options.ts';

interface Followers {
  readonly listeners: Set<() => void>;
  tell(): void;
}

const followersOf = new WeakMap<AbortSignal, Followers>();

/**
 * Calls the listener once when the signal aborts. However many follow a signal, it has one listener of ours: from the
 * eleventh on Node would warn of a leak, and one signal for all streams of a server is no leak.
 * @returns stops following
 */
export function whenAborted(signal: AbortSignal, listener: () => void): () => void {
  let followers = followersOf.get(signal);
  if (followers === undefined) {
    const listeners = new Set<() => void>();
    const tell = (): void => {
      for (const each of [...listeners]) each();
    };
    followers = { listeners, tell };
    followersOf.set(signal, followers);
  }
  const { listeners, tell } = followers;
  if (listeners.size === 0) signal.addEventListener('abort', tell, { once: true });
  listeners.add(listener);
  return () => {
    if (listeners.delete(listener) && listeners.size === 0) signal.removeEventListener('abort', tell);
  };
}

/** The outcome of the work, or `ERR_VOLSEAL_ABORTED` as soon as the signal aborts: not all work looks at its signal. */
export function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise<T>((resolve, reject) => {
    const unfollow = whenAborted(signal, () => reject(abortError(signal)));
    void Promise.resolve(work).then(resolve, reject).finally(unfollow);
    if (signal.aborted) reject(abortError(signal));
  });
}

/** Destroys the stream with `ERR_VOLSEAL_ABORTED` when the signal aborts, and forgets the signal when the stream closes. */
export function followSignal<T extends Stream & { destroy(error: Error): unknown }>(
  stream: T,
  signal: AbortSignal | undefined,
): T {
  if (signal === undefined) return stream;
  const onAbort = (): void => {
    stream.destroy(abortError(signal));
  };
  // Not at once: from Node 24 on `pipeline` refuses a stream that is destroyed already, and its error stays unheard.
  if (signal.aborted) process.nextTick(onAbort);
  else stream.once('close', whenAborted(signal, onAbort));
  return stream;
}
