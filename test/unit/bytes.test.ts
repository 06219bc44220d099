/** Integers against DataView, joining and comparing against Buffer. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ascii,
  bytesEqual,
  concatBytes,
  constantTimeEqual,
  hex,
  readU16,
  readU32,
  readU64,
  u16,
  u32,
  u64,
  utf8,
  writeU32,
  writeU64,
} from '../../src/bytes.ts';

const viewOf = (bytes: Uint8Array): DataView =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

test('16 and 32 bits, written and read at any place', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 0xffff }),
      fc.nat({ max: 0xffffffff }),
      fc.nat({ max: 9 }),
      (small, large, at) => {
        expect(viewOf(u16(small)).getUint16(0)).toBe(small);
        expect(viewOf(u32(large)).getUint32(0)).toBe(large);
        const place = new Uint8Array(20).fill(0xee);
        writeU32(place, large, at);
        expect(viewOf(place).getUint32(at)).toBe(large);
        expect(readU32(place, at)).toBe(large);
        expect(readU16(place, at)).toBe(large >>> 16);
        expect(place.filter((_, i) => i < at || i >= at + 4).every((byte) => byte === 0xee)).toBe(true);
      },
    ),
  );
});

test('64 bits: every safe integer, exactly', () => {
  const value = fc.oneof(
    fc.maxSafeNat(),
    fc.constantFrom(0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 1),
  );
  fc.assert(
    fc.property(value, fc.nat({ max: 9 }), (number, at) => {
      expect(viewOf(u64(number)).getBigUint64(0)).toBe(BigInt(number));
      const place = new Uint8Array(20).fill(0xee);
      writeU64(place, number, at);
      expect(readU64(place, at)).toBe(number);
      expect(place.filter((_, i) => i < at || i >= at + 8).every((byte) => byte === 0xee)).toBe(true);
    }),
  );
});

test('64 bits that a number cannot count exactly are undefined, never rounded', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 8, maxLength: 8 }), (bytes) => {
      const exact = viewOf(bytes).getBigUint64(0);
      const expected = exact <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(exact) : undefined;
      expect(readU64(bytes, 0)).toBe(expected);
    }),
  );
  expect(readU64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 0), 0)).toBeUndefined(); // 2^53
  expect(readU64(Uint8Array.of(0, 0x20, 0, 0, 0, 0, 0, 1), 0)).toBeUndefined();
  expect(readU64(new Uint8Array(8).fill(0xff), 0)).toBeUndefined();
});

test('concatBytes joins as Buffer.concat does, into memory of its own', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 20 }), { maxLength: 8 }), (parts) => {
      const joined = concatBytes(...parts);
      expect(hex(joined)).toBe(Buffer.concat(parts).toString('hex'));
      expect(parts.some((part) => part.length > 0 && part.buffer === joined.buffer)).toBe(false);
    }),
  );
});

test('equality, of public and of secret values', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 8 }), fc.uint8Array({ maxLength: 8 }), (a, b) => {
      const equal = hex(a) === hex(b);
      expect(bytesEqual(a, b)).toBe(equal);
      expect(constantTimeEqual(a, b)).toBe(equal);
      expect(bytesEqual(a, Uint8Array.from(a))).toBe(true);
      expect(constantTimeEqual(a, Uint8Array.from(a))).toBe(true);
    }),
  );
});

test('hex shows a view, not the memory around it', () => {
  expect(hex(Uint8Array.of(1, 2, 0xab, 4).subarray(1, 3))).toBe('02ab');
  expect(hex(new Uint8Array(0))).toBe('');
});

test('text', () => {
  expect([...utf8('é€')]).toEqual([0xc3, 0xa9, 0xe2, 0x82, 0xac]);
  expect([...ascii('AZ09')]).toEqual([0x41, 0x5a, 0x30, 0x39]);
});
