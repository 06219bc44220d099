/** Wycheproof's HKDF sets through HKDF-SHA-256 and the two Expand functions. */

import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { expand32, expandSha384, hkdfSha256 } from '../../../src/aead/kdf.ts';
import { Secret } from '../../../src/secret.ts';
import { describeVectors } from '../../shared-vectors.ts';

interface Case {
  readonly tcId: number;
  readonly ikm: string;
  readonly salt: string;
  readonly info: string;
  readonly size: number;
  readonly okm: string;
  readonly result: 'valid' | 'invalid';
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const hexOf = (value: Uint8Array): string => Buffer.from(value).toString('hex');

function readCases(path: string): readonly Case[] {
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as {
    testGroups: readonly { tests: readonly Case[] }[];
  };
  return testGroups.flatMap(({ tests }) => tests);
}

/** RFC 5869 §2.2. */
function extract(hash: 'sha256' | 'sha384', { ikm, salt }: Case): Uint8Array {
  return createHmac(hash, bytes(salt)).update(bytes(ikm)).digest();
}

describeVectors('wycheproof', 'Wycheproof HKDF sets', (folder) => {
  test('HKDF-SHA-256: 83 valid cases, and 3 that ask for too much', () => {
    const cases = readCases(`${folder}hkdf_sha256_test.json`);
    const derive = ({ ikm, salt, info, size }: Case): string =>
      hexOf(hkdfSha256(new Secret(bytes(ikm)), bytes(salt), bytes(info), size));
    const valid = cases.filter(({ result }) => result === 'valid');
    const invalid = cases.filter(({ result }) => result === 'invalid');
    expect([valid.length, invalid.length]).toEqual([83, 3]);
    expect(valid.filter((one) => derive(one) !== one.okm).map(({ tcId }) => tcId)).toEqual([]);
    for (const one of invalid) expect(() => derive(one)).toThrow(RangeError);
  });

  test('Expand-SHA-256, whose first block is the start of every output: 83 cases', () => {
    const cases = readCases(`${folder}hkdf_sha256_test.json`).filter(({ result }) => result === 'valid');
    const wrong = cases.filter((one) => {
      const block = hexOf(expand32(new Secret(extract('sha256', one)), bytes(one.info)).bytes());
      return !block.startsWith(one.okm.slice(0, 64));
    });
    expect(cases).toHaveLength(83);
    expect(wrong.map(({ tcId }) => tcId)).toEqual([]);
    expect(cases.filter(({ size }) => size >= 32)).toHaveLength(65);
  });

  test('Expand-SHA-384, as FLOE uses it: 80 cases, with `info` in one part and in several', () => {
    const cases = readCases(`${folder}hkdf_sha384_test.json`).filter(({ result }) => result === 'valid');
    const wrong = cases.filter((one) => {
      const key = new Secret(extract('sha384', one));
      const info = bytes(one.info);
      const length = Math.min(one.size, 48);
      const cut = info.length >> 1;
      const whole = expandSha384(key, [info], length);
      const parts = expandSha384(key, [info.subarray(0, cut), new Uint8Array(0), info.subarray(cut)], length);
      return hexOf(whole) !== one.okm.slice(0, 2 * length) || hexOf(parts) !== hexOf(whole);
    });
    expect(cases).toHaveLength(80);
    expect(wrong.map(({ tcId }) => tcId)).toEqual([]);
    expect(cases.filter(({ size }) => size >= 48)).toHaveLength(27);
  });

  test('SHA-512 is in the set and in no derivation of volseal: its 83 cases do not apply', () => {
    expect(readCases(`${folder}hkdf_sha512_test.json`)).toHaveLength(83);
  });
});
