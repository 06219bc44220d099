/** The overloads of `FileHandle.read`, `write` and their kin, brought to one form. */

import { checkOptions } from '../../options.ts';
import { argumentType, argumentValue, checkInteger, checkSignal, outOfRange } from './argument-errors.ts';

/** Where a call reads to or writes from. */
export interface Transfer<T> {
  /** What the caller passed, for the result. */
  readonly given: T;
  /** The same memory as bytes. */
  readonly bytes: Uint8Array;
  readonly offset: number;
  readonly length: number;
  /** Plaintext offset in the file; {@link ownPosition} for the handle's own. */
  readonly position: number;
}

/** Stands for "where the handle is", which the transfer then moves. Node has the same value. */
export const ownPosition = -1;

export interface ReadOptions {
  /** First byte of the buffer to fill. Default 0. */
  offset?: number | null | undefined;
  /** Bytes to read. Default: what the buffer has room for. */
  length?: number | null | undefined;
  /** Plaintext offset in the file. Default: the handle's own position, which moves. */
  position?: number | bigint | null | undefined;
}

export interface WriteOptions {
  offset?: number | null | undefined;
  length?: number | null | undefined;
  position?: number | null | undefined;
}

const transferOptionNames = ['offset', 'length', 'position'] as const;
const defaultReadBytes = 16_384;

/** The view's memory as bytes, without a copy. */
export function bytesOf(view: ArrayBufferView): Uint8Array {
  return view instanceof Uint8Array ? view : new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}

/** `read(buffer, offset, length, position)`, `read(buffer, options)`, `read(options)`, `read()`. */
export function readTransfer(
  first: unknown,
  second: unknown,
  third: unknown,
  fourth: unknown,
): Transfer<NodeJS.ArrayBufferView> {
  let given = first;
  let offset = second;
  let length = third;
  let position = fourth;
  if (!ArrayBuffer.isView(given)) {
    const options = optionsOf('read', given, 'options', ['buffer', ...transferOptionNames]);
    ({ buffer: given, offset, length, position } = options);
    given ??= Buffer.alloc(defaultReadBytes);
    if (!ArrayBuffer.isView(given)) {
      throw argumentType('buffer', 'an instance of Buffer, TypedArray, or DataView', given);
    }
  } else if (typeof offset === 'object' && offset !== null) {
    ({ offset, length, position } = optionsOf('read', offset, 'options', transferOptionNames));
  }
  const bytes = bytesOf(given);
  const from = offset === undefined || offset === null ? 0 : checkInteger('offset', offset, 0);
  const most = bytes.length - from;
  const wanted = length === undefined || length === null ? most : checkInteger('length', length);
  if (wanted !== 0) {
    if (bytes.length === 0) throw argumentValue('buffer', 'no bytes', 'is empty and cannot be written');
    if (wanted < 0) throw outOfRange('length', '>= 0', wanted);
    if (wanted > most) throw outOfRange('length', `<= ${most}`, wanted);
  }
  return {
    given: given as NodeJS.ArrayBufferView,
    bytes,
    offset: from,
    length: wanted,
    position: readPosition(position),
  };
}

/** `write(buffer, offset, length, position)`, `write(buffer, options)`, `write(string, position, encoding)`. */
export function writeTransfer(
  first: unknown,
  second: unknown,
  third: unknown,
  fourth: unknown,
): Transfer<NodeJS.ArrayBufferView | string> {
  if (typeof first === 'string') {
    const bytes = encodeText(first, third);
    return { given: first, bytes, offset: 0, length: bytes.length, position: writePosition(second) };
  }
  if (!ArrayBuffer.isView(first)) {
    throw argumentType('buffer', 'of type string or an instance of Buffer, TypedArray, or DataView', first);
  }
  const bytes = bytesOf(first);
  let offset = second;
  let length = third;
  let position = fourth;
  if (typeof offset === 'object' && offset !== null) {
    ({ offset, length, position } = optionsOf('write', offset, 'options', transferOptionNames));
  }
  const given = first as NodeJS.ArrayBufferView;
  if (bytes.length === 0) return { given, bytes, offset: 0, length: 0, position: ownPosition };
  const from = offset === undefined || offset === null ? 0 : checkInteger('offset', offset, 0);
  if (from > bytes.length) throw outOfRange('offset', `<= ${bytes.length}`, from);
  const most = bytes.length - from;
  const wanted = length === undefined || length === null ? most : checkInteger('length', length);
  if (wanted > most) throw outOfRange('length', `<= ${most}`, wanted);
  if (wanted < 0) throw outOfRange('length', '>= 0', wanted);
  return { given, bytes, offset: from, length: wanted, position: writePosition(position) };
}

/** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
export function readPosition(position: unknown): number {
  if (position === undefined || position === null) return ownPosition;
  if (typeof position !== 'bigint') return checkPosition(position, 'an integer or bigint');
  if (position < -1n || position > 2n ** 63n - 1n) throw outOfRange('position', '>= -1', position);
  // No file is that long, so that any offset beyond its end does.
  return Number(position < BigInt(Number.MAX_SAFE_INTEGER) ? position : Number.MAX_SAFE_INTEGER);
}

/** @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
export function writePosition(position: unknown): number {
  return position === undefined || position === null ? ownPosition : checkPosition(position, 'an integer');
}

function checkPosition(position: unknown, expected: string): number {
  if (typeof position !== 'number') throw argumentType('position', expected, position);
  return checkInteger('position', position, ownPosition);
}

/**
 * Text as bytes.
 * @throws `ERR_UNKNOWN_ENCODING`; `ERR_INVALID_ARG_VALUE` for half a byte of hex, which would be dropped silently
 */
export function encodeText(text: string, encoding: unknown): Uint8Array {
  if (encoding !== undefined && encoding !== null && typeof encoding !== 'string') {
    throw argumentType('encoding', 'of type string', encoding);
  }
  const name = (encoding ?? 'utf8') as BufferEncoding;
  if (name.toLowerCase() === 'hex' && text.length % 2 !== 0) {
    throw argumentValue('encoding', "'hex'", `is invalid for data of length ${text.length}`);
  }
  return Buffer.from(text, name);
}

/** An options object with known names only; nothing stands for none. */
function optionsOf(
  what: string,
  options: unknown,
  name: string,
  known: readonly string[],
): Record<string, unknown> {
  if (options === undefined || options === null) return {};
  if (typeof options !== 'object') throw argumentType(name, 'of type object', options);
  checkOptions(what, options, known);
  return options as Record<string, unknown>;
}

export interface EncodingOptions extends Record<string, unknown> {
  encoding?: BufferEncoding | null | undefined;
  signal?: AbortSignal | undefined;
}

/**
 * Options that may also be just an encoding, as of `readFile` and `writeFile`.
 * @throws `ERR_INVALID_ARG_VALUE`, `ERR_INVALID_ARG_TYPE`, `ERR_VOLSEAL_UNKNOWN_OPTION`
 */
export function encodingOptions(what: string, options: unknown, known: readonly string[]): EncodingOptions {
  const given =
    typeof options === 'string' ? { encoding: options } : optionsOf(what, options, 'options', known);
  const { encoding, signal } = given;
  if (encoding !== undefined && encoding !== null && !Buffer.isEncoding(encoding as string)) {
    const received = typeof encoding === 'string' ? `'${encoding.slice(0, 28)}'` : `a ${typeof encoding}`;
    throw argumentValue('encoding', received, 'is invalid encoding');
  }
  if (signal !== undefined) checkSignal(signal);
  return given;
}
