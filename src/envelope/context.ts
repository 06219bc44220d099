/** The encryption context: its canonical bytes, and what a reader may demand of it (docs/format/v1.md §5). */

import { bytesEqual, concatBytes, readU16, u16, utf8 } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import type { Context } from '../kms/provider.ts';
import { maxContextBytes, maxContextKeyBytes, maxContextPairs, maxContextValueBytes } from '../limits.ts';
import { invalidArgument } from '../options.ts';

const noContext: Context = {};
const emptyEncoded = Uint8Array.of(0, 0);

function checkText(what: string, text: unknown, minBytes: number, maxBytes: number): Uint8Array {
  // A lone surrogate has no UTF-8: it would silently become another string.
  if (typeof text !== 'string' || !text.isWellFormed())
    throw invalidArgument(`${what} must be well-formed text`);
  const bytes = utf8(text);
  if (bytes.length < minBytes || bytes.length > maxBytes) {
    throw invalidArgument(`${what} must have ${minBytes} to ${maxBytes} bytes of UTF-8, has ${bytes.length}`);
  }
  return bytes;
}

/** @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` */
export function encodeContext(context: Context = noContext): Uint8Array {
  // Of a Map, an array or a FormData the pairs would be lost without a word.
  if (context === null || typeof context !== 'object' || Symbol.iterator in context) {
    throw invalidArgument('context must be a plain object of strings', 'for a Map: Object.fromEntries(map)');
  }
  const entries = Object.entries(context);
  if (entries.length === 0) return emptyEncoded;
  if (entries.length > maxContextPairs)
    throw invalidArgument(`context has ${entries.length} pairs, at most ${maxContextPairs} fit`);
  const pairs = entries.map(([key, value]) => ({
    key: checkText(`context key ${JSON.stringify(key)}`, key, 1, maxContextKeyBytes),
    value: checkText(`context value of ${JSON.stringify(key)}`, value, 0, maxContextValueBytes),
  }));
  pairs.sort((a, b) => Buffer.compare(a.key, b.key));
  const parts = pairs.flatMap(({ key, value }) => [u16(key.length), key, u16(value.length), value]);
  const encoded = concatBytes(u16(pairs.length), ...parts);
  if (encoded.length > maxContextBytes) {
    throw invalidArgument(`context takes ${encoded.length} bytes, at most ${maxContextBytes} fit`);
  }
  return encoded;
}

// Made when the first context is read: it costs more than the parsing.
let decoder: InstanceType<typeof TextDecoder> | undefined;

/** The pairs behind canonical bytes, or undefined when the bytes are not canonical. */
export function parseContext(encoded: Uint8Array): Context | undefined {
  if (encoded.length < 2 || encoded.length > maxContextBytes) return undefined;
  const count = readU16(encoded, 0);
  if (count > maxContextPairs) return undefined;
  const context: Record<string, string> = Object.create(null) as Record<string, string>;
  if (count === 0) return encoded.length === 2 ? context : undefined;
  decoder ??= new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let at = 2;
  let previous: Uint8Array | undefined;
  const next = (minBytes: number, maxBytes: number): Uint8Array | undefined => {
    if (at + 2 > encoded.length) return undefined;
    const length = readU16(encoded, at);
    if (length < minBytes || length > maxBytes || at + 2 + length > encoded.length) return undefined;
    at += 2 + length;
    return encoded.subarray(at - length, at);
  };
  for (let i = 0; i < count; i++) {
    const key = next(1, maxContextKeyBytes);
    const value = next(0, maxContextValueBytes);
    if (key === undefined || value === undefined) return undefined;
    if (previous !== undefined && Buffer.compare(previous, key) >= 0) return undefined;
    previous = key;
    try {
      context[decoder.decode(key)] = decoder.decode(value);
    } catch {
      return undefined;
    }
  }
  return at === encoded.length ? context : undefined;
}

/**
 * Whether an authenticated context is what the caller demands: every demanded pair present and equal, and nothing
 * else when `exact`. No demand, no check.
 */
export function checkContext(stored: Context, demanded: Context | undefined, exact: boolean): void {
  if (demanded === undefined && !exact) return;
  const wanted = demanded ?? noContext;
  encodeContext(wanted);
  const wrong = Object.entries(wanted).find(
    ([key, value]) => !Object.hasOwn(stored, key) || !sameText(stored[key], value),
  );
  const extra = exact ? Object.keys(stored).find((key) => !Object.hasOwn(wanted, key)) : undefined;
  if (wrong === undefined && extra === undefined) return;
  const which = JSON.stringify(wrong?.[0] ?? extra);
  throw new VolsealError(
    'ERR_VOLSEAL_CONTEXT_MISMATCH',
    wrong === undefined
      ? `the data was sealed with more context than was given: ${which}`
      : `the data was sealed for another context: ${which} is not what was given`,
    { hint: 'give the context that the data was sealed with; volseal inspect shows it' },
  );
}

function sameText(a: string | undefined, b: string): boolean {
  return a !== undefined && bytesEqual(utf8(a), utf8(b));
}
