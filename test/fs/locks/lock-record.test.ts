import fc from 'fast-check';
import { expect, it } from 'vitest';

import { encodeLockRecord, maxLockBytes, parseLockRecord } from '../../../src/fs/locks/lock-record.ts';

const digits = (count: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...'0123456789abcdef'), { minLength: count, maxLength: count })
    .map((all) => all.join(''));
const id = fc.integer({ min: 1, max: 0xffff_ffff });
const record = fc.record({
  holder: fc.record({
    bootId: fc.oneof(fc.constant(''), digits(32)),
    pid: id,
    threadId: id,
    startTime: fc.oneof(fc.constant(''), fc.nat().map(String)),
    pidNamespace: fc.oneof(fc.constant(''), fc.nat().map(String)),
  }),
  token: digits(32),
});

it('what is encoded is parsed, and fits', () => {
  fc.assert(
    fc.property(record, (value) => {
      const bytes = encodeLockRecord(value);
      expect(bytes.length).toBeLessThan(maxLockBytes);
      expect(parseLockRecord(bytes)).toEqual(value);
    }),
  );
});

it('what is cut off, zeroed or changed into something else is no record', () => {
  fc.assert(
    fc.property(record, fc.nat(), (value, at) => {
      const bytes = encodeLockRecord(value);
      const cut = at % bytes.length;
      expect(parseLockRecord(bytes.subarray(0, cut))).toBeUndefined();
      expect(parseLockRecord(new Uint8Array(bytes.length))).toBeUndefined();
    }),
  );
  const base = {
    volsealLock: 1,
    bootId: '',
    pidNamespace: '4026531836',
    pid: 1,
    threadId: 1,
    startTime: '5',
    token: 'a'.repeat(32),
  };
  const encode = (value: unknown): Uint8Array => Buffer.from(`${JSON.stringify(value)}\n`);
  expect(parseLockRecord(encode(base))).toBeDefined();
  const wrong: Record<string, unknown>[] = [
    { volsealLock: 2 },
    { bootId: 'A'.repeat(32) },
    { bootId: 7 },
    { pid: 0 },
    { pid: '1' },
    { pid: -1 },
    { threadId: 1.5 },
    { threadId: 2 ** 32 },
    { startTime: '-1' },
    { startTime: 5 },
    { pidNamespace: undefined },
    { pidNamespace: 'pid:[1]' },
    { token: '../../etc/passwd' },
    { token: `${'a'.repeat(31)}/` },
    { token: undefined },
  ];
  for (const change of wrong) expect(parseLockRecord(encode({ ...base, ...change }))).toBeUndefined();
  for (const text of ['', '\n', '{}\n', '[{}]\n', 'null}\n', '{"volsealLock":1']) {
    expect(parseLockRecord(Buffer.from(text))).toBeUndefined();
  }
});
