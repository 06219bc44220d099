/** What can be written: text, bytes, or anything that gives them piece by piece, as `fs.promises.writeFile` takes it. */

import { abortError, throwIfAborted } from '../../options.ts';
import { whenAborted } from '../../stream/follow-signal.ts';
import { argumentType } from '../handle/argument-errors.ts';
import { bytesOf, encodeText } from '../handle/arguments.ts';

type Piece = string | NodeJS.ArrayBufferView;
export type WritableData = Piece | Iterable<Piece> | AsyncIterable<Piece>;

const expected = 'of type string or an instance of Buffer, TypedArray, or DataView';

/** The data as bytes when it is there as a whole. Views are not copied. */
export function wholeData(data: unknown, encoding: unknown): Uint8Array | undefined {
  if (typeof data === 'string') return encodeText(data, encoding);
  if (ArrayBuffer.isView(data)) return bytesOf(data);
  if (isIterable(data)) return undefined;
  throw argumentType('data', expected, data);
}

function isIterable(data: unknown): data is Iterable<unknown> | AsyncIterable<unknown> {
  if (data === null || typeof data !== 'object') return false;
  return Symbol.asyncIterator in data || Symbol.iterator in data;
}

/**
 * The pieces of data that comes bit by bit. Ends with the signal also while it waits for its source, which is told by
 * `return`.
 */
export async function* pieces(
  data: unknown,
  encoding: unknown,
  signals: readonly (AbortSignal | undefined)[],
): AsyncGenerator<Uint8Array, void, void> {
  const source = iteratorOf(data as Iterable<unknown> | AsyncIterable<unknown>);
  const given = signals.filter((signal) => signal !== undefined);
  let done = false;
  try {
    for (;;) {
      for (const signal of given) throwIfAborted(signal);
      const item = await unlessAborted(Promise.resolve(source.next()), given);
      if (item.done === true) {
        done = true;
        return;
      }
      const { value } = item;
      if (typeof value !== 'string' && !ArrayBuffer.isView(value))
        throw argumentType('data', expected, value);
      yield typeof value === 'string' ? encodeText(value, encoding) : bytesOf(value);
    }
  } finally {
    // Not awaited: a source that hangs would hang the call that was aborted because of it.
    if (!done) void Promise.resolve(source.return?.()).catch(() => {});
  }
}

function iteratorOf(
  data: Iterable<unknown> | AsyncIterable<unknown>,
): Iterator<unknown> | AsyncIterator<unknown> {
  return Symbol.asyncIterator in data ? data[Symbol.asyncIterator]() : data[Symbol.iterator]();
}

function unlessAborted<T>(work: Promise<T>, signals: readonly AbortSignal[]): Promise<T> {
  if (signals.length === 0) return work;
  return new Promise<T>((resolve, reject) => {
    const stops = signals.map((signal) => whenAborted(signal, () => reject(abortError(signal))));
    void work.then(resolve, reject).finally(() => {
      for (const stop of stops) stop();
    });
  });
}
