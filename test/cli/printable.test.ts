import fc from 'fast-check';
import { expect, test } from 'vitest';
import { count, formatBytes, formatDuration, printable } from '../../src/cli/printable.ts';

test('what a terminal would obey becomes visible', () => {
  expect(printable('a\nb\r\tc')).toBe(String.raw`a\nb\r\tc`);
  expect(printable('\u001b[31mred\u0007')).toBe(String.raw`\x1b[31mred\x07`);
  expect(printable('\u009b2J')).toBe(String.raw`\x9b2J`);
  expect(printable('exe.\u202egpj')).toBe(String.raw`exe.\u202egpj`);
  expect(printable('übergröße 文件 🔑 👩‍🚀')).toBe('übergröße 文件 🔑 👩‍🚀');
});

test('nothing that comes out is a control character, and text without any stays as it is', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const shown = printable(text);
      expect(shown).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
      if (!/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) expect(shown).toBe(text);
    }),
  );
});

test('sizes', () => {
  expect([0, 1, 2, 1_023, 1_024, 1_536, 1_048_576].map(formatBytes)).toEqual([
    '0 bytes',
    '1 byte',
    '2 bytes',
    '1023 bytes',
    '1.0 KiB',
    '1.5 KiB',
    '1.0 MiB',
  ]);
  expect(formatBytes(1_048_575)).toBe('1.0 MiB');
  expect(formatBytes(5 * 2 ** 40)).toBe('5.0 TiB');
  expect(formatBytes(2 ** 62)).toBe('4096.0 PiB');
});

test('durations and counts', () => {
  expect([0, 7, 59.6, 61, 3_599, 3_600, 36_061].map(formatDuration)).toEqual([
    '0:00',
    '0:07',
    '1:00',
    '1:01',
    '59:59',
    '1:00:00',
    '10:01:01',
  ]);
  expect([0, 1, 1_234].map((amount) => count(amount, 'file'))).toEqual(['0 files', '1 file', '1,234 files']);
});
