/** The local wrap of a data key beside the reference, and its commitment. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import {
  localWrapBytes,
  unwrapLocal,
  type WrapKeys,
  wrapKeys,
  wrapLocal,
} from '../../../src/kms/local-wrap.ts';
import { Secret } from '../../../src/secret.ts';
import { referenceExpand, referenceUnwrap, referenceWrap } from '../../reference/keys.ts';
import { referenceXaesSeal } from '../../reference/xaes.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const keysOf = (kek: Uint8Array): WrapKeys => wrapKeys(new Secret(Uint8Array.from(kek)));
const input = fc.record({
  kek: bytesOf(32),
  dataKey: bytesOf(32),
  nonce: bytesOf(24),
  aad: fc.uint8Array({ maxLength: 150 }),
});

test('wrapped here it opens with the reference, and the other way round', () => {
  fc.assert(
    fc.property(input, ({ kek, dataKey, nonce, aad }) => {
      const wrapped = wrapLocal(keysOf(kek), dataKey, aad);
      expect(wrapped).toHaveLength(104);
      expect(hex(referenceUnwrap(kek, wrapped, aad))).toBe(hex(dataKey));
      const theirs = referenceWrap(kek, dataKey, nonce, aad);
      expect(hex(unwrapLocal(keysOf(kek), theirs, aad) as Uint8Array)).toBe(hex(dataKey));
    }),
  );
});

test('every byte of a wrap counts', () => {
  const kek = new Uint8Array(32).fill(1);
  const aad = Buffer.from('aad');
  const wrapped = wrapLocal(keysOf(kek), new Uint8Array(32).fill(2), aad);
  for (let bit = 0; bit < wrapped.length * 8; bit++) {
    const changed = Uint8Array.from(wrapped);
    changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
    expect([bit, unwrapLocal(keysOf(kek), changed, aad)]).toEqual([bit, undefined]);
  }
  for (const length of [0, 72, 103, 105]) {
    const other = new Uint8Array(length);
    other.set(wrapped.subarray(0, length));
    expect(unwrapLocal(keysOf(kek), other, aad)).toBeUndefined();
  }
  expect(localWrapBytes).toBe(104);
});

test('other associated data and other keys do not open it', () => {
  fc.assert(
    fc.property(
      input,
      bytesOf(32),
      fc.uint8Array({ maxLength: 150 }),
      ({ kek, dataKey, aad }, otherKek, otherAad) => {
        fc.pre(hex(kek) !== hex(otherKek) && hex(aad) !== hex(otherAad));
        const wrapped = wrapLocal(keysOf(kek), dataKey, aad);
        expect(unwrapLocal(keysOf(otherKek), wrapped, aad)).toBeUndefined();
        expect(unwrapLocal(keysOf(kek), wrapped, otherAad)).toBeUndefined();
      },
    ),
  );
});

test('a wrap that XAES-256-GCM alone would open is refused without its commitment', () => {
  const kek = new Uint8Array(32).fill(1);
  const otherKek = new Uint8Array(32).fill(2);
  const nonce = new Uint8Array(24).fill(3);
  const aad = Buffer.from('aad');
  const dataKey = new Uint8Array(32).fill(4);
  const authentic = referenceXaesSeal(referenceExpand(kek, 'volseal/v1/slot-enc'), nonce, aad, dataKey);
  const commitments = {
    zero: new Uint8Array(32),
    'of another key': referenceWrap(otherKek, dataKey, nonce, aad).subarray(72),
    'of other associated data': referenceWrap(kek, dataKey, nonce, Buffer.from('other')).subarray(72),
    'of another wrap': referenceWrap(kek, dataKey, new Uint8Array(24), aad).subarray(72),
  };
  for (const [name, commitment] of Object.entries(commitments)) {
    expect([name, unwrapLocal(keysOf(kek), concatBytes(nonce, authentic, commitment), aad)]).toEqual([
      name,
      undefined,
    ]);
  }
  const right = referenceWrap(kek, dataKey, nonce, aad).subarray(72);
  expect(hex(unwrapLocal(keysOf(kek), concatBytes(nonce, authentic, right), aad) as Uint8Array)).toBe(
    hex(dataKey),
  );
});

test('the commitment covers where the associated data ends', () => {
  // Without its length, moving the border between associated data and nonce would keep the commitment.
  const kek = new Uint8Array(32).fill(1);
  const wrapped = wrapLocal(keysOf(kek), new Uint8Array(32).fill(2), Buffer.from('abcdef'));
  expect(unwrapLocal(keysOf(kek), wrapped, Buffer.from('abcde'))).toBeUndefined();
  expect(unwrapLocal(keysOf(kek), wrapped, Buffer.from('abcdef'))).toBeDefined();
});

test('two wraps of one key have nothing in common', () => {
  const keys = keysOf(new Uint8Array(32).fill(1));
  const wraps = Array.from({ length: 100 }, () =>
    hex(wrapLocal(keys, new Uint8Array(32), Buffer.from('aad'))),
  );
  expect(new Set(wraps.map((wrapped) => wrapped.slice(0, 48))).size).toBe(100);
  expect(new Set(wraps.map((wrapped) => wrapped.slice(48, 112))).size).toBe(100);
});
