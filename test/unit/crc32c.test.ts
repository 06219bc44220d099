/** CRC-32C: the check value, RFC 3720's examples, and the division done bit by bit. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { crc32c } from '../../src/crc32c.ts';
import { referenceCrc32c } from '../reference/crc32c.ts';

const ascending = Uint8Array.from({ length: 32 }, (_, i) => i);

test.each<[string, Uint8Array, number]>([
  ['the check value of the catalogue', Buffer.from('123456789'), 0xe3069283],
  ['nothing', new Uint8Array(0), 0],
  // RFC 3720 B.4, whose bytes stand in reverse there
  ['32 zeros', new Uint8Array(32), 0x8a9136aa],
  ['32 ones', new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ['32 ascending', ascending, 0x46dd794e],
  ['32 descending', ascending.toReversed(), 0x113fdb5c],
])('%s', (_name, bytes, expected) => {
  expect(crc32c(bytes)).toBe(expected);
  expect(referenceCrc32c(bytes)).toBe(expected);
});

test('any bytes, in any parts, are divided as bit by bit', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (parts) => {
      expect(crc32c(...parts)).toBe(referenceCrc32c(Buffer.concat(parts)));
    }),
    { numRuns: 300 },
  );
});

test('every burst of up to 32 bits is found', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 8, maxLength: 64 }),
      fc.nat(),
      fc.integer({ min: 1, max: 0xffffffff }),
      (bytes, at, burst) => {
        const changed = Uint8Array.from(bytes);
        const from = at % (bytes.length - 3);
        for (let i = 0; i < 4; i++)
          changed[from + i] = (changed[from + i] as number) ^ ((burst >>> (8 * i)) & 0xff);
        expect(crc32c(changed)).not.toBe(crc32c(bytes));
      },
    ),
  );
});
