/** A Stage as a pair of Web streams, shaped as CompressionStream is. */

import { abortError, invalidArgument } from '../options.ts';
import { whenAborted } from './follow-signal.ts';
import type { Stage } from './stage.ts';

/** What can be written: as to a CompressionStream. */
export type BytesSource = ArrayBuffer | ArrayBufferView;

export interface WebPair {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BytesSource>;
}

/** A promise and its ends. */
interface Gate {
  readonly promise: Promise<void>;
  open(): void;
  fail(error: unknown): void;
}

function gate(): Gate {
  let open!: () => void;
  let fail!: (error: unknown) => void;
  const promise = new Promise<void>((resolve, reject) => {
    open = resolve;
    fail = reject;
  });
  promise.catch(() => {}); // whoever waits sees it; nobody waiting is fine
  return { promise, open, fail };
}

/**
 * Pull-driven: a chunk is converted while the reader asks for output, and `write` resolves when all of its chunk has
 * been taken in. So at most one written chunk and one segment are held.
 */
export function webPair(stage: Stage, signal?: AbortSignal): WebPair {
  let input = gate();
  let taken: Gate | undefined;
  let failure: { error: unknown } | undefined;
  let unfollow: (() => void) | undefined;

  const fail = (error: unknown): void => {
    if (failure !== undefined) return;
    failure = { error };
    unfollow?.();
    stage.close(error);
    input.fail(error);
    taken?.fail(error);
    readableController.error(error);
    writableController.error(error);
  };

  const onAbort = (): void => fail(abortError(signal as AbortSignal));

  const give = (change: () => void): Promise<void> => {
    if (failure !== undefined) return Promise.reject(failure.error);
    change();
    taken = gate();
    const { promise } = taken;
    input.open();
    return promise;
  };

  let readableController!: ReadableStreamDefaultController<Uint8Array>;
  let writableController!: WritableStreamDefaultController;

  const readable = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        readableController = controller;
      },
      async pull(controller) {
        try {
          for (;;) {
            const pulled = stage.pull();
            if (pulled instanceof Promise) {
              await pulled;
              if (failure !== undefined) return;
            } else if (pulled === 'more') {
              const consumed = taken;
              taken = undefined;
              input = gate();
              consumed?.open();
              await input.promise;
            } else if (pulled === 'done') {
              stage.close();
              unfollow?.();
              taken?.open();
              controller.close();
              return;
            } else {
              let gave = false;
              for (const piece of pulled) {
                if (piece.length === 0) continue;
                controller.enqueue(piece);
                gave = true;
              }
              if (gave) return;
            }
          }
        } catch (error) {
          fail(error);
        }
      },
      cancel(reason) {
        fail(reason);
      },
    },
    { highWaterMark: 0 },
  );

  const writable = new WritableStream<BytesSource>({
    start(controller) {
      writableController = controller;
    },
    write(chunk) {
      try {
        const bytes = toBytes(chunk);
        return give(() => stage.push(bytes));
      } catch (error) {
        fail(error); // the reader has to hear of it too
        throw error;
      }
    },
    close: () => give(() => stage.end()),
    abort(reason) {
      fail(reason);
    },
  });

  if (signal?.aborted === true) onAbort();
  else if (signal !== undefined) unfollow = whenAborted(signal, onAbort);
  return { readable, writable };
}

function toBytes(chunk: unknown): Uint8Array {
  if (chunk instanceof Uint8Array) return chunk;
  if (ArrayBuffer.isView(chunk)) return new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (chunk instanceof ArrayBuffer) return new Uint8Array(chunk);
  throw invalidArgument(
    'chunks must be ArrayBuffers or views of them',
    'encode text with a TextEncoderStream first',
  );
}
