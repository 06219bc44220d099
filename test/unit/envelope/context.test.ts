/** The encryption context: one encoding for each set of pairs, bounds, and what a reader may demand. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex, u16 } from '../../../src/bytes.ts';
import { checkContext, encodeContext, parseContext } from '../../../src/envelope/context.ts';
import type { Context } from '../../../src/kms/provider.ts';
import { referenceContext } from '../../reference/header.ts';

const key = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });
const value = fc.string({ maxLength: 30, unit: 'binary' });
const pairs = fc.uniqueArray(fc.tuple(key, value), { maxLength: 8, selector: ([one]) => one });
const contextOf = (list: readonly (readonly [string, string])[]): Context => Object.fromEntries(list);
const invalid = expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' });

/** The bytes of pairs as given, canonical or not. */
function rawContext(
  list: readonly (readonly [Uint8Array, Uint8Array])[],
  count: number = list.length,
): Uint8Array {
  return concatBytes(u16(count), ...list.flatMap(([k, v]) => [u16(k.length), k, u16(v.length), v]));
}

const text = (string: string): Uint8Array => Buffer.from(string, 'utf8');

test('round trip in the bytes of the reference, whatever the order of the pairs', () => {
  fc.assert(
    fc.property(pairs, fc.nat(), (list, turn) => {
      const encoded = encodeContext(contextOf(list));
      expect(hex(encoded)).toBe(hex(referenceContext(list)));
      const cut = list.length === 0 ? 0 : turn % list.length;
      expect(hex(encodeContext(contextOf([...list.slice(cut), ...list.slice(0, cut)])))).toBe(hex(encoded));
      expect(new Map(Object.entries(parseContext(encoded) as Context))).toEqual(new Map(list));
    }),
  );
});

test('known bytes', () => {
  expect(hex(encodeContext())).toBe('0000');
  expect(hex(encodeContext({}))).toBe('0000');
  expect(hex(encodeContext({ tenant: 'a', app: 'é' }))).toBe('000200036170700002c3a9000674656e616e74000161');
});

test('keys are sorted by their UTF-8 bytes, not as JavaScript sorts text', () => {
  // U+FFFD is before U+1F600 in UTF-8 and behind it in UTF-16.
  const encoded = encodeContext({ '\u{1f600}': '1', '\ufffd': '2' });
  expect(Object.keys(parseContext(encoded) as Context)).toEqual(['\ufffd', '\u{1f600}']);
});

test('text is taken as given: not normalised, not trimmed, a byte order mark kept', () => {
  for (const one of ['é', 'e\u0301', ' a ', '\ufeffa', '\0', '__proto__', 'constructor', '1']) {
    const parsed = parseContext(encodeContext(contextOf([[one, one]]))) as Context;
    expect(Object.entries(parsed)).toEqual([[one, one]]);
  }
});

test('parsed pairs have no prototype to be mistaken for them', () => {
  const parsed = parseContext(encodeContext(contextOf([['__proto__', 'x']]))) as Context;
  expect(Object.getPrototypeOf(parsed)).toBeNull();
  expect('toString' in parsed).toBe(false);
});

describe('not canonical', () => {
  const a = [text('a'), text('1')] as const;
  const b = [text('b'), text('2')] as const;
  const long = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(0x61);
  const many = (count: number): (readonly [Uint8Array, Uint8Array])[] =>
    Array.from({ length: count }, (_, i) => [text(String(i).padStart(3, '0')), text('')] as const);

  test.each<[string, Uint8Array]>([
    ['no bytes', new Uint8Array(0)],
    ['one byte', new Uint8Array(1)],
    ['a byte after the end', concatBytes(rawContext([a]), new Uint8Array(1))],
    ['a byte after an empty one', new Uint8Array(3)],
    ['unsorted', rawContext([b, a])],
    ['a key twice', rawContext([a, a])],
    ['a key twice with another value', rawContext([a, [a[0], b[1]]])],
    ['an empty key', rawContext([[text(''), text('1')]])],
    ['a key of 129 bytes', rawContext([[long(129), text('')]])],
    ['a value of 1,025 bytes', rawContext([[text('a'), long(1_025)]])],
    ['33 pairs', rawContext(many(33))],
    ['a count above the pairs', rawContext([a], 2)],
    ['a count below the pairs', rawContext([a, b], 1)],
    ['65,535 pairs promised', rawContext([a], 65_535)],
    ['a key that is no UTF-8', rawContext([[Uint8Array.of(0xff), text('1')]])],
    ['a value that is no UTF-8', rawContext([[text('a'), Uint8Array.of(0xc3)]])],
    ['a surrogate in UTF-8', rawContext([[text('a'), Uint8Array.of(0xed, 0xa0, 0x80)]])],
    ['an overlong form', rawContext([[text('a'), Uint8Array.of(0xc0, 0x80)]])],
    [
      'more than 8,192 bytes',
      rawContext(Array.from({ length: 9 }, (_, i) => [text(String(i)), long(1_000)] as const)),
    ],
  ])('%s', (_name, encoded) => {
    expect(parseContext(encoded)).toBeUndefined();
  });

  test.each<[string, Uint8Array]>([
    ['32 pairs', rawContext(many(32))],
    ['a key of 128 bytes', rawContext([[long(128), text('')]])],
    ['a value of 1,024 bytes', rawContext([[text('a'), long(1_024)]])],
  ])('the most that is allowed is: %s', (_name, encoded) => {
    expect(parseContext(encoded)).toBeDefined();
  });

  test('whatever parses is the encoding of what it parses to', () => {
    const nearly = fc
      .tuple(
        fc.array(fc.tuple(fc.uint8Array({ maxLength: 3 }), fc.uint8Array({ maxLength: 3 })), {
          maxLength: 4,
        }),
        fc.nat({ max: 5 }),
      )
      .map(([list, count]) => rawContext(list, count));
    const cutOrFlipped = fc.tuple(pairs, fc.nat(), fc.nat({ max: 255 })).map(([list, at, mask]) => {
      const encoded = Uint8Array.from(encodeContext(contextOf(list)));
      const place = at % encoded.length;
      encoded[place] = (encoded[place] as number) ^ mask;
      return mask % 3 === 0 ? encoded.slice(0, place) : encoded;
    });
    fc.assert(
      fc.property(fc.oneof(nearly, cutOrFlipped, fc.uint8Array({ maxLength: 30 })), (encoded) => {
        const parsed = parseContext(encoded);
        if (parsed !== undefined) expect(hex(encodeContext(parsed))).toBe(hex(encoded));
      }),
      { numRuns: 1_000 },
    );
  });
});

describe('what a writer may give', () => {
  test.each<[string, unknown]>([
    ['null', null],
    ['text', 'tenant=a'],
    ['a number', 5],
    ['a Map, whose pairs would be lost', new Map([['tenant', 'a']])],
    ['an array', ['tenant', 'a']],
    ['a value that is no text', { tenant: 5 }],
    ['an undefined value', { tenant: undefined }],
    ['an empty key', { '': 'a' }],
    ['half a surrogate pair', { tenant: '\ud83d' }],
    ['half a surrogate pair as key', { '\ude00': 'a' }],
    ['a key of 129 bytes', { ['é'.repeat(64) + 'a']: '' }],
    ['a value of 1,025 bytes', { a: 'é'.repeat(512) + 'a' }],
    ['33 pairs', Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`k${i}`, '']))],
    [
      'more than 8,192 bytes',
      Object.fromEntries(Array.from({ length: 9 }, (_, i) => [`k${i}`, 'x'.repeat(1_000)])),
    ],
  ])('not %s', (_name, context) => {
    expect(() => encodeContext(context as Context)).toThrow(invalid);
  });

  test('the words name the pair, not its value', () => {
    expect(() => encodeContext({ tenant: 'secret'.repeat(300) })).toThrow(
      expect.objectContaining({
        message: 'context value of "tenant" must have 0 to 1024 bytes of UTF-8, has 1800',
      }),
    );
  });
});

describe('what a reader may demand', () => {
  const stored = parseContext(encodeContext({ app: 'shop', tenant: 'a' })) as Context;
  const mismatch = (message: string): unknown =>
    expect.objectContaining({
      code: 'ERR_VOLSEAL_CONTEXT_MISMATCH',
      message,
      hint: expect.stringContaining('inspect') as string,
    });

  test.each<[Context | undefined, boolean]>([
    [undefined, false],
    [{}, false],
    [{ tenant: 'a' }, false],
    [{ tenant: 'a', app: 'shop' }, false],
    [{ tenant: 'a', app: 'shop' }, true],
  ])('%j, exact %s: is met', (demanded, exact) => {
    expect(() => checkContext(stored, demanded, exact)).not.toThrow();
  });

  test.each<[Context | undefined, boolean, string]>([
    [{ tenant: 'b' }, false, 'the data was sealed for another context: "tenant" is not what was given'],
    [{ tenant: 'A' }, false, 'the data was sealed for another context: "tenant" is not what was given'],
    [
      { tenant: 'a', more: '' },
      false,
      'the data was sealed for another context: "more" is not what was given',
    ],
    [{ toString: 'x' }, false, 'the data was sealed for another context: "toString" is not what was given'],
    [{ tenant: 'a' }, true, 'the data was sealed with more context than was given: "app"'],
    [undefined, true, 'the data was sealed with more context than was given: "app"'],
    [{}, true, 'the data was sealed with more context than was given: "app"'],
  ])('%j, exact %s: is not met', (demanded, exact, message) => {
    expect(() => checkContext(stored, demanded, exact)).toThrow(mismatch(message));
  });

  test('the demand is checked as a writer’s context is', () => {
    expect(() => checkContext(stored, { tenant: 5 as unknown as string }, false)).toThrow(invalid);
  });

  test('text of other code points is another text, though it looks the same', () => {
    const accented = parseContext(encodeContext({ name: 'é' })) as Context;
    expect(() => checkContext(accented, { name: 'é' }, true)).not.toThrow();
    expect(() => checkContext(accented, { name: 'e\u0301' }, false)).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_CONTEXT_MISMATCH' }),
    );
  });

  test('stored values never show', () => {
    try {
      checkContext(parseContext(encodeContext({ tenant: 'theirs' })) as Context, { tenant: 'mine' }, true);
      expect.unreachable('must not be met');
    } catch (error) {
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('theirs');
    }
  });
});
