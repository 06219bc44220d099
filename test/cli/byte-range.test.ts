import fc from 'fast-check';
import { expect, test } from 'vitest';
import { locateByteRange, parseByteRange } from '../../src/cli/byte-range.ts';

const located = (text: string, size: number): readonly [number, number] => {
  const { first, last } = locateByteRange(parseByteRange(text), size);
  return [first, last];
};

test('the three forms', () => {
  expect(located('0-0', 10)).toEqual([0, 0]);
  expect(located('3-5', 10)).toEqual([3, 5]);
  expect(located('3-99', 10)).toEqual([3, 9]);
  expect(located('3-', 10)).toEqual([3, 9]);
  expect(located('-3', 10)).toEqual([7, 9]);
  expect(located('-99', 10)).toEqual([0, 9]);
});

test.each([
  '',
  '-',
  '5-3',
  'a-b',
  '1-2,4-5',
  '1 - 2',
  '+1-2',
  '0x1-2',
  '1e3-',
  '--1',
  '-1-2',
  '99999999999999999999-',
])('%j is no range', (text) => {
  expect(() => parseByteRange(text)).toThrow(
    expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }),
  );
});

test.each([
  ['10-', 10],
  ['0-', 0],
  ['-0', 10],
  ['-5', 0],
  ['9007199254740991-', 1],
])('%s has no byte in data of %i bytes', (text, size) => {
  expect(() => located(text, size)).toThrow(
    expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }),
  );
});

test('a range names the bytes that a slice of the data has', () => {
  const sizes = fc.nat({ max: 60 });
  fc.assert(
    fc.property(sizes, sizes, sizes, (size, a, b) => {
      const data = Array.from({ length: size }, (_, i) => i);
      for (const [text, wanted] of [
        [`${a}-${a + b}`, data.slice(a, a + b + 1)],
        [`${a}-`, data.slice(a)],
        [`-${a}`, a === 0 ? [] : data.slice(-a)],
      ] as const) {
        if (wanted.length === 0) expect(() => located(text, size)).toThrow('outside the data');
        else expect(located(text, size)).toEqual([wanted[0], wanted.at(-1)]);
      }
    }),
  );
});
