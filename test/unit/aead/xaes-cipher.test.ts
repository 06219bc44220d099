/** XAES-256-GCM with kept subkeys gives what the plain one gives, draws its nonces as promised and stays within its bound. */

import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { XaesCipher, sealsPerSubkey } from '../../../src/aead/xaes-suite.ts';
import { concatBytes, hex } from '../../../src/bytes.ts';
import type * as Random from '../../../src/random.ts';
import { Secret } from '../../../src/secret.ts';
import { referenceXaesOpen, referenceXaesSeal } from '../../reference/xaes.ts';

const draws = vi.hoisted((): { single: number[]; pooled: number[] } => ({ single: [], pooled: [] }));

vi.mock('../../../src/random.ts', async (importOriginal) => {
  const original = await importOriginal<typeof Random>();
  return {
    randomSecret(bytes: number): Uint8Array {
      draws.single.push(bytes);
      return original.randomSecret(bytes);
    },
    fillRandom(target: Uint8Array): void {
      draws.pooled.push(target.length);
      original.fillRandom(target);
    },
  };
});

const secretOf = (byte: number): Secret => new Secret(new Uint8Array(32).fill(byte));
const aad = Uint8Array.of(1, 2, 3);

interface Sealed {
  readonly nonce: Uint8Array;
  readonly ciphertext: Uint8Array;
  readonly tag: Uint8Array;
}

function seal(cipher: XaesCipher, key: Secret, plain: Uint8Array): Sealed {
  const nonce = new Uint8Array(24);
  const { ciphertext, tag } = cipher.seal(key, nonce, aad, [plain]);
  return { nonce, ciphertext: concatBytes(...ciphertext), tag };
}

const open = (
  cipher: XaesCipher,
  key: Secret,
  { nonce, ciphertext, tag }: Sealed,
): Uint8Array | undefined => {
  const plain = cipher.open(key, nonce, aad, [ciphertext], tag);
  return plain === undefined ? undefined : concatBytes(...plain);
};

const prefixOf = ({ nonce }: Sealed): string => hex(nonce.subarray(0, 12));

test('what it seals the reference opens, and the other way round, over several keys and more prefixes than it keeps', () => {
  const step = fc.record({
    keyByte: fc.integer({ min: 1, max: 3 }),
    prefix: fc.nat({ max: 11 }),
    plain: fc.uint8Array({ maxLength: 40 }),
    by: fc.constantFrom('cipher', 'reference'),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const cipher = new XaesCipher(5);
      const keys = new Map([1, 2, 3].map((byte) => [byte, secretOf(byte)] as const));
      for (const { by, keyByte, plain, prefix } of steps) {
        const key = keys.get(keyByte) as Secret;
        const rawKey = new Uint8Array(32).fill(keyByte);
        if (by === 'cipher') {
          const sealed = seal(cipher, key, plain);
          const joined = concatBytes(sealed.ciphertext, sealed.tag);
          expect(referenceXaesOpen(rawKey, sealed.nonce, aad, joined)).toEqual(plain);
          expect(open(cipher, key, sealed)).toEqual(plain);
          continue;
        }
        const nonce = concatBytes(new Uint8Array(12).fill(prefix), new Uint8Array(12).fill(plain.length));
        const joined = referenceXaesSeal(rawKey, nonce, aad, plain);
        const sealed = { nonce, ciphertext: joined.subarray(0, -16), tag: joined.subarray(-16) };
        expect(open(cipher, key, sealed)).toEqual(plain);
        const other = keys.get((keyByte % 3) + 1) as Secret;
        expect(open(cipher, other, sealed)).toBeUndefined();
      }
    }),
  );
});

test('one prefix serves a bounded number of seals of one key; the rest of the nonce is new for each', () => {
  const cipher = new XaesCipher(3);
  const [first, second] = [secretOf(1), secretOf(2)];
  const sealed = Array.from({ length: 7 }, () => seal(cipher, first, new Uint8Array(10)));
  const prefixes = sealed.map(prefixOf);
  expect(prefixes.slice(0, 3)).toEqual([prefixes[0], prefixes[0], prefixes[0]]);
  expect(prefixes.slice(3, 6)).toEqual([prefixes[3], prefixes[3], prefixes[3]]);
  expect(new Set(prefixes).size).toBe(3);
  expect(new Set(sealed.map(({ nonce }) => hex(nonce))).size).toBe(7);
  expect(prefixOf(seal(cipher, second, new Uint8Array(1)))).not.toBe(prefixes[6]);
  // A prefix is never taken up again once another was in use.
  expect(prefixes).not.toContain(prefixOf(seal(cipher, first, new Uint8Array(1))));
  expect(sealsPerSubkey).toBe(2 ** 20);
});

test('the kept half is a kernel read of its own, the other half is drawn for each seal', () => {
  const cipher = new XaesCipher();
  const key = secretOf(1);
  draws.single.length = 0;
  draws.pooled.length = 0;
  for (let i = 0; i < 4; i++) seal(cipher, key, new Uint8Array(1));
  expect(draws).toEqual({ single: [12], pooled: [12, 12, 12, 12] });
});

test('two ciphers of one key do not share a prefix', () => {
  const key = secretOf(1);
  const prefixes = Array.from({ length: 20 }, () => prefixOf(seal(new XaesCipher(), key, new Uint8Array(1))));
  expect(new Set(prefixes).size).toBe(20);
});

test('a flipped bit of nonce, ciphertext or tag does not open, also with the subkey in the cache', () => {
  const cipher = new XaesCipher();
  const key = secretOf(1);
  const sealed = seal(cipher, key, Uint8Array.of(9, 9, 9));
  for (const field of ['nonce', 'ciphertext', 'tag'] as const) {
    for (let bit = 0; bit < sealed[field].length * 8; bit++) {
      const changed = Uint8Array.from(sealed[field]);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(open(cipher, key, { ...sealed, [field]: changed })).toBeUndefined();
    }
  }
  expect(open(cipher, key, sealed)).toEqual(Uint8Array.of(9, 9, 9));
});

test('after a wipe it derives anew', () => {
  const cipher = new XaesCipher();
  const key = secretOf(1);
  const sealed = seal(cipher, key, Uint8Array.of(1));
  cipher.wipe();
  expect(open(cipher, key, sealed)).toEqual(Uint8Array.of(1));
  expect(prefixOf(seal(cipher, key, Uint8Array.of(1)))).not.toBe(prefixOf(sealed));
});
