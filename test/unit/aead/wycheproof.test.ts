/** Wycheproof's AES-GCM and XChaCha20-Poly1305 sets through the suites, on every backend and under every form of key. */

import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { aes256Gcm, openAesGcm, sealAesGcm } from '../../../src/aead/aes-gcm.ts';
import type { SegmentAead } from '../../../src/aead/suite.ts';
import { makeXChaCha, nobleBackend, nodeBackend, xchacha20Poly1305 } from '../../../src/aead/xchacha.ts';
import { concatBytes } from '../../../src/bytes.ts';
import { Secret } from '../../../src/secret.ts';
import { describeVectors } from '../../shared-vectors.ts';

interface Case {
  readonly tcId: number;
  readonly comment: string;
  readonly key: string;
  readonly iv: string;
  readonly aad: string;
  readonly msg: string;
  readonly ct: string;
  readonly tag: string;
  readonly result: 'valid' | 'invalid';
}

interface Group {
  readonly ivSize: number;
  readonly keySize: number;
  readonly tagSize: number;
  readonly tests: readonly Case[];
}

const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));

function readGroups(path: string): readonly Group[] {
  return (JSON.parse(readFileSync(path, 'utf8')) as { testGroups: readonly Group[] }).testGroups;
}

function casesOf(groups: readonly Group[]): readonly Case[] {
  return groups.flatMap(({ tests }) => tests);
}

/** Seals and opens one case; gives what went wrong, so that one failure names all cases concerned. */
function problemsOf(aead: Pick<SegmentAead, 'seal' | 'open'>, one: Case): string[] {
  const problems: string[] = [];
  const [nonce, aad, plain, ciphertext, tag] = [one.iv, one.aad, one.msg, one.ct, one.tag].map(bytes) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const opened = aead.open(new Secret(bytes(one.key)), nonce, aad, [ciphertext], tag);
  if (one.result === 'invalid') {
    if (opened !== undefined) problems.push(`case ${one.tcId} (${one.comment}) must not open`);
    return problems;
  }
  if (opened === undefined || !Buffer.from(concatBytes(...opened)).equals(plain)) {
    problems.push(`case ${one.tcId} (${one.comment}) does not open`);
  }
  const sealed = aead.seal(new Secret(bytes(one.key)), nonce, aad, [plain]);
  if (
    !Buffer.from(concatBytes(...sealed.ciphertext)).equals(ciphertext) ||
    !Buffer.from(sealed.tag).equals(tag)
  ) {
    problems.push(`case ${one.tcId} (${one.comment}) seals to something else`);
  }
  return problems;
}

describeVectors('wycheproof', 'Wycheproof AEAD sets', (folder) => {
  const rawKeys: Pick<SegmentAead, 'seal' | 'open'> = {
    seal: (key, ...rest) => sealAesGcm(key.bytes(), ...rest),
    open: (key, ...rest) => openAesGcm(key.bytes(), ...rest),
  };
  const keyObjects: Pick<SegmentAead, 'seal' | 'open'> = {
    seal: (key, ...rest) => sealAesGcm(createSecretKey(key.bytes()), ...rest),
    open: (key, ...rest) => openAesGcm(createSecretKey(key.bytes()), ...rest),
  };

  test.each([
    ['the suite', aes256Gcm],
    ['raw keys', rawKeys],
    ['key objects', keyObjects],
  ])('AES-256-GCM with 96-bit nonces: all 66 cases, by %s', (_name, aead) => {
    const groups = readGroups(`${folder}aes_gcm_test.json`);
    const ours = groups.filter(
      ({ ivSize, keySize, tagSize }) => ivSize === 96 && keySize === 256 && tagSize === 128,
    );
    const cases = casesOf(ours);
    expect(cases).toHaveLength(66);
    expect(cases.filter(({ result }) => result === 'invalid')).toHaveLength(27);
    expect(cases.flatMap((one) => problemsOf(aead, one))).toEqual([]);
    // Keys of 128 and 192 bits and nonces of other lengths, which no format of volseal has.
    expect(casesOf(groups)).toHaveLength(66 + 250);
  });

  test.each([
    ['the suite', xchacha20Poly1305],
    ['node:crypto', makeXChaCha(() => nodeBackend)],
    ['noble', makeXChaCha(() => nobleBackend)],
  ])('XChaCha20-Poly1305 with 192-bit nonces: all 306 cases, by %s', (_name, aead) => {
    const groups = readGroups(`${folder}xchacha20_poly1305_test.json`);
    const cases = casesOf(groups.filter(({ ivSize, tagSize }) => ivSize === 192 && tagSize === 128));
    expect(cases).toHaveLength(306);
    expect(cases.filter(({ result }) => result === 'invalid')).toHaveLength(60);
    expect(cases.flatMap((one) => problemsOf(aead, one))).toEqual([]);
    // Nonces of other lengths, which the set marks invalid and a segment cannot have.
    expect(casesOf(groups)).toHaveLength(306 + 9);
  });
});
