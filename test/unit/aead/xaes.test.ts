/** XAES-256-GCM: the specification's own vectors, and a reference on noble. */

import { shake128 } from '@noble/hashes/sha3.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { openXaes, sealXaes } from '../../../src/aead/xaes.ts';
import { concatBytes } from '../../../src/bytes.ts';
import { Secret } from '../../../src/secret.ts';
import { referenceXaesOpen, referenceXaesSeal } from '../../reference/xaes.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);
const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

function seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plain: Uint8Array): Uint8Array {
  const { ciphertext, tag } = sealXaes(new Secret(key), nonce, aad, [plain]);
  return concatBytes(...ciphertext, tag);
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const plain = openXaes(new Secret(key), nonce, aad, [sealed.subarray(0, -16)], sealed.subarray(-16));
  return plain === undefined ? undefined : concatBytes(...plain);
}

// c2sp.org/XAES-256-GCM, "Test vectors": without and with the carry of the CMAC subkey.
test.each([
  [0x01, '', 'ce546ef63c9cc60765923609b33a9a1974e96e52daf2fcf7075e2271'],
  [0x03, 'c2sp.org/XAES-256-GCM', '986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d'],
])('published vector with key bytes %i', (keyByte, aad, sealedHex) => {
  const key = new Uint8Array(32).fill(keyByte);
  const nonce = ascii('ABCDEFGHIJKLMNOPQRSTUVWX');
  const sealed = seal(Uint8Array.from(key), nonce, ascii(aad), ascii('XAES-256-GCM'));
  expect(hexOf(sealed)).toBe(sealedHex);
  expect(open(key, nonce, ascii(aad), sealed)).toEqual(ascii('XAES-256-GCM'));
});

test('the accumulated hash of 10,000 random cases', () => {
  const random = shake128.create();
  const hash = shake128.create();
  const length = (): number => random.xof(1)[0] as number;
  expect(hexOf(shake128(new Uint8Array(0), { dkLen: 16 }))).toBe('7f9c2ba4e88f827d616045507605853e');
  for (let i = 0; i < 10_000; i++) {
    const key = random.xof(32);
    const nonce = random.xof(24);
    const plainBytes = length();
    const plain = plainBytes === 0 ? new Uint8Array(0) : random.xof(plainBytes);
    const aadBytes = length();
    const aad = aadBytes === 0 ? new Uint8Array(0) : random.xof(aadBytes);
    const sealed = seal(key, nonce, aad, plain);
    hash.update(sealed);
    if (i % 100 === 0) expect(open(key, nonce, aad, sealed)).toEqual(plain);
  }
  expect(hexOf(hash.xof(32))).toBe('e6b9edf2df6cec60c8cbd864e2211b597fb69a529160cd040d56c0c210081939');
});

const input = fc.record({
  key: fc.uint8Array({ minLength: 32, maxLength: 32 }),
  nonce: fc.uint8Array({ minLength: 24, maxLength: 24 }),
  aad: fc.uint8Array({ maxLength: 100 }),
  plain: fc.uint8Array({ maxLength: 100 }),
});

test('agrees with the reference in both directions', () => {
  fc.assert(
    fc.property(input, ({ key, nonce, aad, plain }) => {
      const sealed = referenceXaesSeal(key, nonce, aad, plain);
      expect(seal(Uint8Array.from(key), nonce, aad, plain)).toEqual(sealed);
      expect(open(Uint8Array.from(key), nonce, aad, sealed)).toEqual(plain);
      expect(referenceXaesOpen(key, nonce, aad, sealed)).toEqual(plain);
    }),
  );
});

test('a flipped bit anywhere does not open', () => {
  fc.assert(
    fc.property(input, fc.nat(), ({ key, nonce, aad, plain }, at) => {
      const parts = [key, nonce, aad, referenceXaesSeal(key, nonce, aad, plain)] as const;
      const joined = concatBytes(...parts);
      const bit = at % (joined.length * 8);
      joined[bit >> 3] = (joined[bit >> 3] as number) ^ (1 << (bit & 7));
      let from = 0;
      const [badKey, badNonce, badAad, badSealed] = parts.map(({ length }) =>
        joined.slice(from, (from += length)),
      ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      expect(open(badKey, badNonce, badAad, badSealed)).toBeUndefined();
    }),
  );
});
