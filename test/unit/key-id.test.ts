/** The text form of key ids, against base32 done bit by bit. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hex } from '../../src/bytes.ts';
import { formatKeyId, parseKeyId } from '../../src/key-id.ts';
import { referenceKeyIdText } from '../reference/keys.ts';

const keyId = fc.uint8Array({ minLength: 16, maxLength: 16 });

test('round trip, in the form of the reference', () => {
  fc.assert(
    fc.property(keyId, (bytes) => {
      const text = formatKeyId(bytes);
      expect(text).toBe(referenceKeyIdText(bytes));
      expect(text).toMatch(/^[A-Z2-7]{4}(-[A-Z2-7]{4}){7}$/);
      expect(hex(parseKeyId(text) as Uint8Array)).toBe(hex(bytes));
    }),
  );
});

test('known answers', () => {
  // Computed with Python's base64 and hashlib.
  expect(formatKeyId(new Uint8Array(16))).toBe('AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-ACHD-2GND');
  expect(formatKeyId(Uint8Array.from({ length: 16 }, (_, i) => i))).toBe(
    'AAAQ-EAYE-AUDA-OCAJ-BIFQ-YDIO-B4LZ-A3YZ',
  );
});

test('any one changed character is noticed', () => {
  fc.assert(
    fc.property(
      keyId,
      fc.nat(),
      fc.constantFrom(...'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'),
      (bytes, at, character) => {
        const text = formatKeyId(bytes);
        const i = at % text.length;
        fc.pre(text[i] !== '-' && text[i] !== character);
        expect(parseKeyId(text.slice(0, i) + character + text.slice(i + 1))).toBeUndefined();
      },
    ),
  );
});

test('anything else is not a key id', () => {
  const good = formatKeyId(new Uint8Array(16).fill(7));
  const wrong = [
    '',
    good.toLowerCase(),
    good.replaceAll('-', ''),
    good.replace('-', ' '),
    `${good}-`,
    `${good}\n`,
    ` ${good}`,
    good.slice(0, -1),
    good.slice(5),
    `${good.slice(0, -1)}1`,
  ];
  expect(wrong.filter((text) => parseKeyId(text) !== undefined)).toEqual([]);
  fc.assert(fc.property(fc.string({ maxLength: 60 }), (text) => parseKeyId(text) === undefined));
});
