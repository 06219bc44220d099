/** Checks of arguments: what is refused, and in which words. */

import { expect, test } from 'vitest';
import { abortError, checkBytes, checkKey, checkOptions, throwIfAborted } from '../../src/options.ts';

const known = ['keys', 'segmentBytes'];
const error = (code: string, message: string, hint?: string): unknown =>
  expect.objectContaining({ code: `ERR_VOLSEAL_${code}`, message, ...(hint === undefined ? {} : { hint }) });

test.each([{}, { keys: 1 }, { keys: 1, segmentBytes: undefined }, Object.create({ inherited: 1 }) as object])(
  'known options pass: %j',
  (options) => {
    expect(() => checkOptions('encrypt', options, known)).not.toThrow();
  },
);

test.each([undefined, null, 'keys', 7, true, () => {}])('%s is not an options object', (options) => {
  expect(() => checkOptions('encrypt', options, known)).toThrow(
    error('INVALID_ARGUMENT', 'encrypt needs an options object', 'it takes keys, segmentBytes'),
  );
});

test('an unknown option is named; one in other letters is corrected', () => {
  expect(() => checkOptions('encrypt', { kees: 1 }, known)).toThrow(
    error('UNKNOWN_OPTION', 'encrypt has no option "kees"', 'it takes keys, segmentBytes'),
  );
  expect(() => checkOptions('encrypt', { KEYS: 1 }, known)).toThrow(
    error('UNKNOWN_OPTION', 'encrypt has no option "KEYS"', 'did you mean keys?'),
  );
  expect(() => checkOptions('encrypt', { 'a\n"b': 1 }, known)).toThrow(
    error('UNKNOWN_OPTION', 'encrypt has no option "a\\n\\"b"'),
  );
});

test('names of Object.prototype are no options', () => {
  expect(() => checkOptions('encrypt', { constructor: 1 }, known)).toThrow(
    error('UNKNOWN_OPTION', 'encrypt has no option "constructor"'),
  );
  expect(() => checkOptions('encrypt', JSON.parse('{"__proto__":1}'), known)).toThrow(
    error('UNKNOWN_OPTION', 'encrypt has no option "__proto__"'),
  );
});

test('bytes are Uint8Arrays and Buffers, as they are', () => {
  for (const bytes of [new Uint8Array(3), Buffer.alloc(3)]) expect(checkBytes('x', bytes)).toBe(bytes);
});

test.each([
  'text',
  undefined,
  null,
  5,
  [1, 2],
  new ArrayBuffer(2),
  new Uint16Array(2),
  new DataView(new ArrayBuffer(2)),
  { length: 2 },
])('%s is not bytes', (value) => {
  expect(() => checkBytes('what is encrypted', value)).toThrow(
    error(
      'INVALID_ARGUMENT',
      'what is encrypted must be a Uint8Array or Buffer',
      'encode text first: Buffer.from(text, "utf8")',
    ),
  );
});

test('a key is copied', () => {
  const key = new Uint8Array(32).fill(1);
  const copy = checkKey('a key', key, 32);
  expect([...copy]).toEqual([...key]);
  expect(copy.buffer).not.toBe(key.buffer);
  const pooled = checkKey('a key', Buffer.from('k'.repeat(32)), 32);
  expect(pooled.buffer.byteLength).toBe(32);
});

test('an aborted signal throws what an abort is, with its reason as cause', () => {
  const controller = new AbortController();
  expect(() => throwIfAborted(undefined)).not.toThrow();
  expect(() => throwIfAborted(controller.signal)).not.toThrow();
  controller.abort('enough');
  const aborted = expect.objectContaining({
    name: 'AbortError',
    code: 'ERR_VOLSEAL_ABORTED',
    cause: 'enough',
    retryable: false,
  });
  expect(() => throwIfAborted(controller.signal)).toThrow(aborted);
  expect(abortError(controller.signal)).toEqual(aborted);
});
