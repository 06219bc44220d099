/** node:crypto, noble and the suites give the same bytes; pieces count as joined; what does not verify does not come out. */

import { gcm } from '@noble/ciphers/aes.js';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { aes256Gcm } from '../../../src/aead/aes-gcm.ts';
import { aeadById, aeadBySuite, suites } from '../../../src/aead/registry.ts';
import type { BodyUse, SegmentAead, Suite } from '../../../src/aead/suite.ts';
import {
  chooseChaChaBackend,
  makeXChaCha,
  nobleBackend,
  nodeBackend,
  xchacha20Poly1305,
} from '../../../src/aead/xchacha.ts';
import { xaes256Gcm } from '../../../src/aead/xaes-suite.ts';
import { concatBytes } from '../../../src/bytes.ts';
import { Secret } from '../../../src/secret.ts';
import { referenceXaesSeal } from '../../reference/xaes.ts';

type Noble = (
  key: Uint8Array,
  nonce: Uint8Array,
  associatedData: Uint8Array,
) => { encrypt(plain: Uint8Array): Uint8Array };

const referenceXaes: Noble = (key, nonce, associatedData) => ({
  encrypt: (plain) => referenceXaesSeal(key, nonce, associatedData, plain),
});

const implementations: readonly (readonly [string, SegmentAead, Noble])[] = [
  ['aes-256-gcm', aes256Gcm, gcm],
  ['xaes-256-gcm', xaes256Gcm, referenceXaes],
  ['xchacha20-poly1305', xchacha20Poly1305, xchacha20poly1305],
  ['xchacha20-poly1305 on node:crypto', makeXChaCha(() => nodeBackend), xchacha20poly1305],
  ['xchacha20-poly1305 on noble', makeXChaCha(() => nobleBackend), xchacha20poly1305],
];

const pieces = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 5 });
const aad = fc.uint8Array({ maxLength: 50 });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 });
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

/** The same bytes in other pieces. */
function recut(bytes: Uint8Array, at: number): Uint8Array[] {
  const cut = bytes.length === 0 ? 0 : at % bytes.length;
  return [bytes.subarray(0, cut), new Uint8Array(0), bytes.subarray(cut)];
}

test.each(implementations)(
  '%s seals what whole noble seals, and opens it, in whatever pieces',
  (_name, aead, noble) => {
    fc.assert(
      fc.property(
        key,
        bytesOf(aead.nonceBytes),
        aad,
        pieces,
        fc.nat(),
        (rawKey, nonce, associatedData, plain, at) => {
          const joined = concatBytes(...plain);
          const expected = noble(rawKey, nonce, associatedData).encrypt(joined);
          const secret = new Secret(Uint8Array.from(rawKey));
          const sealed = aead.seal(secret, nonce, associatedData, plain);
          expect(concatBytes(...sealed.ciphertext, sealed.tag)).toEqual(expected);
          expect(sealed.tag).toHaveLength(16);
          const opened = aead.open(
            secret,
            nonce,
            associatedData,
            recut(expected.subarray(0, -16), at),
            expected.subarray(-16),
          );
          expect(concatBytes(...(opened as Uint8Array[]))).toEqual(joined);
        },
      ),
    );
  },
);

test.each(implementations)(
  '%s: one flipped bit of key, nonce, associated data, ciphertext or tag does not open',
  (_name, aead) => {
    fc.assert(
      fc.property(
        key,
        bytesOf(aead.nonceBytes),
        aad,
        fc.uint8Array({ maxLength: 64 }),
        fc.nat(),
        (rawKey, nonce, ad, plain, at) => {
          const { ciphertext, tag } = aead.seal(new Secret(Uint8Array.from(rawKey)), nonce, ad, [plain]);
          const parts = [rawKey, nonce, ad, concatBytes(...ciphertext), tag];
          const joined = concatBytes(...parts);
          const bit = at % (joined.length * 8);
          joined[bit >> 3] = (joined[bit >> 3] as number) ^ (1 << (bit & 7));
          let from = 0;
          const [badKey, badNonce, badAd, badCiphertext, badTag] = parts.map(({ length }) =>
            joined.slice(from, (from += length)),
          ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
          expect(aead.open(new Secret(badKey), badNonce, badAd, [badCiphertext], badTag)).toBeUndefined();
        },
      ),
    );
  },
);

test('seal and open leave their inputs alone', () => {
  for (const [, aead] of implementations) {
    const inputs = [aead.keyBytes, aead.nonceBytes, 9, 100].map((length) => new Uint8Array(length).fill(7));
    const [rawKey, nonce, associatedData, plain] = inputs as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
    const secret = new Secret(rawKey);
    const { ciphertext, tag } = aead.seal(secret, nonce, associatedData, [plain]);
    const before = [...ciphertext, tag].map((part) => Uint8Array.from(part));
    aead.open(secret, nonce, associatedData, ciphertext, tag);
    expect([...ciphertext, tag].map((part) => Uint8Array.from(part))).toEqual(before);
    for (const part of inputs) expect(part.every((byte) => byte === 7)).toBe(true);
  }
});

test.each(implementations)('%s refuses tags of any other length than 16 bytes', (_name, aead) => {
  const secret = new Secret(new Uint8Array(32).fill(1));
  const nonce = new Uint8Array(aead.nonceBytes);
  const { ciphertext, tag } = aead.seal(secret, nonce, new Uint8Array(0), [Uint8Array.of(1, 2, 3)]);
  for (const length of [0, 4, 8, 12, 15]) {
    let opened: unknown;
    try {
      opened = aead.open(secret, nonce, new Uint8Array(0), ciphertext, tag.subarray(0, length));
    } catch {
      continue;
    }
    expect(opened).toBeUndefined();
  }
});

test('the backend is the one that the runtime has', () => {
  expect(chooseChaChaBackend().name).toBe('node');
  expect([nodeBackend.name, nobleBackend.name]).toEqual(['node', 'noble']);
});

test('the registry knows both suites by name and by id, the default first', () => {
  expect(suites).toEqual(['aes-256-gcm', 'xchacha20-poly1305']);
  expect(suites.map((suite) => aeadBySuite(suite).id)).toEqual([0, 0xf1]);
  expect([0, 0xf1].map((id) => aeadById(id).suite)).toEqual(suites);
  for (const { keyBytes, tagBytes, rotationMaskBits } of [aes256Gcm, xaes256Gcm, xchacha20Poly1305]) {
    expect([keyBytes, tagBytes, rotationMaskBits]).toEqual([32, 16, 20]);
  }
});

test('a mutable body has a cipher of 24-byte nonces under either name', () => {
  const mutable = suites.map((suite) => aeadBySuite(suite, 'mutable'));
  expect(mutable.map(({ id, cipher, nonceBytes }) => [id, cipher, nonceBytes])).toEqual([
    [0xf2, 'xaes-256-gcm', 24],
    [0xf1, 'xchacha20-poly1305', 24],
  ]);
  expect(mutable.map(({ id }) => aeadById(id, 'mutable'))).toEqual(mutable);
});

const refused = (message: string): unknown =>
  expect.objectContaining({
    code: 'ERR_VOLSEAL_UNSUPPORTED_SUITE',
    message: expect.stringContaining(message) as string,
    hint: expect.stringMatching(/\w/) as string,
  });

test.each<BodyUse>(['write-once', 'mutable'])(
  'unknown suites of a %s body are refused by name and by id',
  (use) => {
    expect(() => aeadBySuite('aes-128-gcm' as Suite, use)).toThrow(refused('unknown suite "aes-128-gcm"'));
    expect(() => aeadBySuite('xaes-256-gcm' as Suite, use)).toThrow(refused('unknown suite "xaes-256-gcm"'));
    for (const id of [1, 2, 0x7f, 0xf0, 0xf3, 0xff]) {
      expect(() => aeadById(id, use)).toThrow(refused(`unknown suite (AEAD id ${id})`));
    }
  },
);

test('the id of the other kind of body is refused by the name of its cipher', () => {
  expect(() => aeadById(0xf2)).toThrow(
    refused('xaes-256-gcm (AEAD id 242) is no suite of a write-once body'),
  );
  expect(() => aeadById(0, 'mutable')).toThrow(
    refused('aes-256-gcm (AEAD id 0) is no suite of a mutable body'),
  );
});
