/** docs/audit.md against the source: its files exist, its labels are all the labels, its numbers are computed here. */

import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

import { labels } from '../src/aead/kdf.ts';
import { aeadBySuite } from '../src/aead/registry.ts';
import { segmentLayout } from '../src/floe/layout.ts';
import { maxSegmentBytes, maxSegments, minEnvelopeSegmentBytes } from '../src/limits.ts';
import { readSources } from './arch/sources.ts';

const document = readFileSync(new URL('../docs/audit.md', import.meta.url), 'utf8');

it('names files and folders that exist', () => {
  const named = new Set(
    [...document.matchAll(/`((?:src|test)\/[^`]*)`/g)].map((match) => match[1] as string),
  );
  expect(named.size).toBeGreaterThan(25);
  const missing = [...named].filter(
    (path) => !existsSync(fileURLToPath(new URL(`../${path}`, import.meta.url))),
  );
  expect(missing).toEqual([]);
});

it('names every label of the source, and no other', () => {
  const inTable = Object.values(labels).map((label) => Buffer.from(label).toString('latin1'));
  const inSource = new Set(
    [...readSources('src').values()].flatMap((text) =>
      [...text.matchAll(/'(volseal\/v1\/[a-z-]+)'/g)].map((match) => match[1]),
    ),
  );
  const inDocument = new Set([...document.matchAll(/`(volseal\/v1\/[a-z-]+)`/g)].map((match) => match[1]));
  expect(inSource).toEqual(inDocument);
  expect([...inTable].filter((label) => !inSource.has(label))).toEqual([]);
});

it('names every source file that draws random values or derives keys', () => {
  const using = [...readSources('src')]
    .filter(([path]) => !path.startsWith('cli/'))
    .filter(([, text]) =>
      /import \{[^}]*\b(?:randomSecret|fillRandom|expand32|expandSha384|hkdfSha256)\b[^}]*\} from/.test(text),
    )
    .map(([path]) => path);
  expect(using.length).toBeGreaterThan(5);
  expect(using.filter((path) => !document.includes(`\`src/${path}\``))).toEqual([]);
});

const gcm = aeadBySuite('aes-256-gcm');
const xchacha = aeadBySuite('xchacha20-poly1305');
const power = (exponent: number): string => `2^${Math.round(exponent)}`;
const number = (value: number): string => value.toLocaleString('en-US');

/** Blocks of 16 bytes that the authenticator of one segment runs over: plaintext, 9 bytes of associated data, lengths. */
function authenticatedBlocks(plainBytes: number): number {
  return Math.ceil(plainBytes / 16) + Math.ceil(9 / 16) + 1;
}

/** One row of the table, computed. */
function wear(segmentBytes: number): string {
  const segments = 2 ** gcm.rotationMaskBits;
  const plainBytes = segmentLayout(segmentBytes, gcm.nonceBytes).plainSegmentBytes;
  const cipherBlocks = (Math.ceil(plainBytes / 16) + 1) * segments + 1;
  const polyBlocks = authenticatedBlocks(segmentLayout(segmentBytes, xchacha.nonceBytes).plainSegmentBytes);
  const cells = [
    number(segmentBytes),
    `${((plainBytes * segments) / 2 ** 30).toFixed(1)} GiB`,
    `2^${Math.log2(cipherBlocks).toFixed(1)}`,
    power(2 * Math.log2(cipherBlocks) - 129),
    power(Math.log2(authenticatedBlocks(plainBytes)) - 128),
    power(Math.log2(8 * polyBlocks) - 106),
  ];
  return `| ${cells.join(' | ')} |`;
}

/** log2 of the chance that `2^log2Count` random values of `bytes` bytes are not all different. */
const repeat = (log2Count: number, bytes: number): number => 2 * log2Count - 1 - 8 * bytes;

describe('the numbers', () => {
  it.each([minEnvelopeSegmentBytes, 16_384, 65_536, 1_048_576, maxSegmentBytes])(
    'wear at %i bytes',
    (segmentBytes) => {
      expect(document).toContain(wear(segmentBytes));
    },
  );

  it('chances of a repeat', () => {
    const row = (what: string): string =>
      document.split('\n').find((line) => line.startsWith(`| ${what} |`)) ?? '';
    const keysOfLargest = Math.log2(maxSegments) - gcm.rotationMaskBits;
    for (const { suite, nonceBytes, rotationMaskBits } of [gcm, xchacha]) {
      const forKey = repeat(rotationMaskBits, nonceBytes);
      expect(row(`segment nonce, \`${suite}\``)).toContain(
        `| ${nonceBytes} | ${power(rotationMaskBits)} for a segment key | ${power(forKey)} for a key, ${power(forKey + keysOfLargest)} for the largest message |`,
      );
    }
    expect(row('file id')).toContain(`${power(repeat(32, 16))} among 2^32 files`);
    expect(row('wrap nonce (XAES-256-GCM)')).toContain(
      `${power(repeat(32, 24))} for 2^32 files, ${power(repeat(48, 24))} for 2^48`,
    );
  });

  it('the limit that comes first', () => {
    expect(8_192 * maxSegments).toBe(2 ** 53);
    expect(4_096 * maxSegments).toBeLessThan(2 ** 53);
    expect(2 ** 22).toBe(maxSegmentBytes);
  });
});
