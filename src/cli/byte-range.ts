/** Byte ranges as HTTP writes them: inclusive, `A-B`, `A-` or `-N` (RFC 9110, section 14.1.2). */

import { invalidArgument } from '../options.ts';

export type ByteRange =
  | {
      readonly kind: 'from';
      readonly first: number /** Inclusive; undefined is the end. */;
      readonly last: number | undefined;
    }
  | { readonly kind: 'suffix'; readonly length: number };

/** @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` */
export function parseByteRange(text: string): ByteRange {
  const match = /^(\d*)-(\d*)$/.exec(text);
  const [, a = '', b = ''] = match ?? [];
  if (match === null || (a === '' && b === '')) {
    throw invalidArgument(
      `--range ${text} is not a byte range`,
      'bytes count from 0, both ends included: 0-99, 100- or -100 (the last 100)',
    );
  }
  if (a === '') return { kind: 'suffix', length: wholeNumber(text, b) };
  const first = wholeNumber(text, a);
  const last = b === '' ? undefined : wholeNumber(text, b);
  if (last !== undefined && last < first) throw invalidArgument(`--range ${text} ends before it begins`);
  return { kind: 'from', first, last };
}

function wholeNumber(text: string, digits: string): number {
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value;
  throw invalidArgument(`--range ${text} is past what can be counted`);
}

/**
 * The first byte and the last, inclusive, of a range in data of `size` bytes; a range that reaches past the end is cut.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` where HTTP says 416: there is no such byte
 */
export function locateByteRange(range: ByteRange, size: number): { first: number; last: number } {
  const first = range.kind === 'suffix' ? Math.max(0, size - range.length) : range.first;
  const last = range.kind === 'suffix' ? size - 1 : Math.min(range.last ?? size - 1, size - 1);
  if (first <= last) return { first, last };
  throw noSuchByte(size);
}

export function noSuchByte(size: number): ReturnType<typeof invalidArgument> {
  return invalidArgument(`the range is outside the data, which has ${size} bytes`, 'bytes count from 0');
}
