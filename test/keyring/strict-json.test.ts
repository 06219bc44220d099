/** The strict JSON of keyrings, with JSON.parse as its slow twin. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VolsealError } from '../../src/errors.ts';
import { type Json, parseStrictJson } from '../../src/keyring/v1/strict-json.ts';

const parse = (text: string | Uint8Array): Json =>
  parseStrictJson(typeof text === 'string' ? Uint8Array.from(Buffer.from(text)) : text, 'it');

/** As JSON.parse gives it. */
function plain(value: Json): unknown {
  if (value instanceof Map) {
    const object: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [name, member] of value as ReadonlyMap<string, Json>) object[name] = plain(member);
    return object;
  }
  return Array.isArray(value) ? value.map((item) => plain(item as Json)) : value;
}

/** JSON.parse with objects that have no prototype, so that `__proto__` is a member as any other. */
const twin = (text: string): unknown => plainTwin(JSON.parse(text));
function plainTwin(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainTwin);
  if (value === null || typeof value !== 'object') return value;
  const object = Object.create(null) as Record<string, unknown>;
  for (const name of Object.keys(value)) object[name] = plainTwin((value as Record<string, unknown>)[name]);
  return object;
}

const outcome = (text: string): unknown => {
  try {
    return { value: plain(parse(text)) };
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_KEYRING_INVALID') return 'refused';
    throw error;
  }
};

const names = fc.oneof(
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('__proto__', 'constructor', 'a', '"\\'),
);
const values = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true, maxDepth: 5 },
    fc.boolean(),
    fc.nat(),
    fc.constantFrom(0, 1, Number.MAX_SAFE_INTEGER),
    names,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(names, tie('value'), { maxKeys: 4 }),
  ),
})).value;

test('what JSON.stringify writes of such values is read as JSON.parse reads it, however it is spaced', () => {
  fc.assert(
    fc.property(values, fc.constantFrom(0, 1, 3, '\t', '\r\n'), (value, space) => {
      const text = JSON.stringify(value, null, space);
      expect(plain(parse(text))).toEqual(twin(text));
    }),
    { numRuns: 300 },
  );
});

test('any change of a document is refused, or read as JSON.parse reads it', () => {
  const pieces = [
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '"',
    '\\',
    '\\u',
    '0',
    '1.5',
    '-',
    'e9',
    'true',
    ' ',
    '\u0000',
    '"a":1,',
  ];
  const anyPiece = fc.oneof(fc.constantFrom(...pieces), fc.string({ maxLength: 3 }));
  fc.assert(
    fc.property(values, fc.nat(), fc.nat(4), anyPiece, (value, at, removed, piece) => {
      const text = JSON.stringify(value);
      const start = at % (text.length + 1);
      const changed = (text.slice(0, start) + piece + text.slice(start + removed)).toWellFormed();
      const seen = outcome(changed);
      if (seen !== 'refused') expect(seen).toEqual({ value: twin(changed) });
    }),
    { numRuns: 2_000 },
  );
});

test('any bytes at all end in a value or in our refusal', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        parse(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_VOLSEAL_KEYRING_INVALID' });
      }
    }),
    { numRuns: 500 },
  );
});

test.each([
  ['nothing', ''],
  ['space alone', ' \n'],
  ['a byte-order mark', '\ufeff{}'],
  ['two members of one name', '{"a":1,"a":1}'],
  ['two members of one name, one of them escaped', '{"a":1,"\\u0061":2}'],
  ['two members of one name, further in', '[{"x":{"b":1,"c":2,"b":3}}]'],
  ['null', 'null'],
  ['a fraction', '1.0'],
  ['an exponent', '1e3'],
  ['a negative number', '-1'],
  ['a leading zero', '01'],
  ['a number past 2^53 - 1', '9007199254740992'],
  ['a number of a million digits', '9'.repeat(1_000_000)],
  ['NaN', 'NaN'],
  ['a comma at the end of a list', '[1,]'],
  ['a comma at the end of an object', '{"a":1,}'],
  ['a comma alone', '[,]'],
  ['a name without quotes', '{a:1}'],
  ['single quotes', "{'a':1}"],
  ['a comment', '{}//'],
  ['something after it', '{}{}'],
  ['an unclosed object', '{"a":1'],
  ['an unclosed text', '"a'],
  ['an escaped quote at the end', '"\\"'],
  ['a backslash at the end', '"\\'],
  ['a raw line feed in text', '"\n"'],
  ['an escape that JSON does not have', '"\\x41"'],
  ['half an escape', '"\\u00"'],
  ['a lone surrogate', '"\\ud800"'],
  ['a word cut short', 'tru'],
  ['nesting of nine', '[[[[[[[[[]]]]]]]]]'],
  ['nesting of half a million', '['.repeat(500_000)],
  ['objects in objects in objects', '{"a":'.repeat(100_000)],
])('%s is refused', (_name, text) => {
  expect(outcome(text)).toBe('refused');
});

test('bytes that are not UTF-8 are refused, as a name and as text', () => {
  for (const bytes of [
    [0x22, 0xff, 0x22],
    [0x22, 0xc0, 0x80, 0x22],
    [0x22, 0xed, 0xa0, 0x80, 0x22],
    [0x22, 0xe2, 0x82, 0x22],
  ]) {
    expect(() => parse(Uint8Array.from(bytes))).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_KEYRING_INVALID' }),
    );
  }
});

test('eight levels, every escape and the largest number pass', () => {
  expect(plain(parse('[[[[[[[[]]]]]]]]'))).toEqual([[[[[[[[]]]]]]]]);
  expect(parse('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00"')).toBe('"\\/\b\f\n\r\té😀');
  expect(parse(' 9007199254740991\n')).toBe(Number.MAX_SAFE_INTEGER);
});
