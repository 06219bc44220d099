/** What `readFile` and `writeFile` of a handle do, apart from where they begin. */

import { throwIfAborted } from '../../options.ts';
import { argumentType, fileTooLarge } from './argument-errors.ts';
import { bytesOf, encodeText } from './arguments.ts';
import type { HandleTarget } from './handle-target.ts';

/** Read or written at a time, with a look at the signal in between. */
const stepBytes = 1_048_576;
const mostBufferBytes = 2 ** 31 - 1;

/** All from `plainOffset` to the end of the file as it is now. @throws `ERR_FS_FILE_TOO_LARGE`, `ERR_VOLSEAL_ABORTED` */
export async function readToEnd(
  file: HandleTarget,
  plainOffset: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  throwIfAborted(signal);
  const size = Math.max(0, file.plainBytes - plainOffset);
  if (size > mostBufferBytes) throw fileTooLarge(size);
  // Of a file that is empty one byte is asked for: whatever cannot be read says so then.
  const buffer = Buffer.allocUnsafeSlow(Math.max(1, size));
  let filled = 0;
  do {
    const length = Math.min(stepBytes, buffer.length - filled);
    const count = await file.read(buffer, filled, length, plainOffset + filled);
    if (count === 0) break;
    filled += count;
    throwIfAborted(signal);
  } while (filled < size);
  return buffer.subarray(0, filled);
}

export type FileContent =
  | string
  | NodeJS.ArrayBufferView
  | Iterable<string | NodeJS.ArrayBufferView>
  | AsyncIterable<string | NodeJS.ArrayBufferView>;

/** The content in pieces of at most a MiB. @throws `ERR_INVALID_ARG_TYPE`, `ERR_VOLSEAL_ABORTED` */
export async function* contentPieces(
  content: unknown,
  encoding: BufferEncoding | null | undefined,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  throwIfAborted(signal);
  for await (const part of partsOf(content)) {
    throwIfAborted(signal);
    const bytes = encodePart(part, encoding);
    for (let from = 0; from < bytes.length; from += stepBytes) {
      yield bytes.subarray(from, from + stepBytes);
      throwIfAborted(signal);
    }
  }
}

function encodePart(part: unknown, encoding: BufferEncoding | null | undefined): Uint8Array {
  if (typeof part === 'string') return encodeText(part, encoding);
  if (ArrayBuffer.isView(part)) return bytesOf(part);
  throw wrongContent(part);
}

function partsOf(content: unknown): Iterable<unknown> | AsyncIterable<unknown> {
  if (typeof content === 'string' || ArrayBuffer.isView(content)) return [content];
  if (content !== null && typeof content === 'object') {
    if (Symbol.asyncIterator in content) return content as AsyncIterable<unknown>;
    if (Symbol.iterator in content) return content as Iterable<unknown>;
  }
  throw wrongContent(content);
}

function wrongContent(value: unknown): Error {
  return argumentType(
    'data',
    'of type string or an instance of Buffer, TypedArray, or DataView, or an iterable of them',
    value,
  );
}
