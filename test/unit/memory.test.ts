/** Memory outside the heap: taken without a shared pool, and given back only where nobody else can see it. */

import { expect, test } from 'vitest';
import { releaseParts, uninitialised } from '../../src/memory.ts';

const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';

test.each([0, 1, 100, 4_096, 65_536])('%i bytes have memory of their own', (bytes) => {
  const array = uninitialised(bytes);
  expect(array).toHaveLength(bytes);
  expect([array.byteOffset, array.buffer.byteLength]).toEqual([0, bytes]);
  expect(Object.getPrototypeOf(array)).toBe(Uint8Array.prototype);
});

test('large parts are given back, where the runtime can', () => {
  const large = new Uint8Array(4_096).fill(1);
  releaseParts([large]);
  expect(large).toHaveLength(canTransfer ? 0 : 4_096);
});

test('parts that share their memory, and small ones, are left alone', () => {
  const shared = new Uint8Array(8_192).fill(1);
  const parts = [
    shared.subarray(0, 4_096),
    shared.subarray(4_096),
    new Uint8Array(4_095).fill(1),
    Buffer.from('x'.repeat(3_000)),
  ];
  const fixed = new Uint8Array(new SharedArrayBuffer(4_096));
  releaseParts([...parts, fixed]);
  expect([...parts, fixed].map(({ length }) => length)).toEqual([4_096, 4_096, 4_095, 3_000, 4_096]);
  expect(shared.every((byte) => byte === 1)).toBe(true);
});
