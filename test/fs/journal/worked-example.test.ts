/** The example at the end of docs/format/journal-v1.md is what the code makes, and what it reads. */

import { readFileSync } from 'node:fs';

import { expect, it } from 'vitest';

import { type JournalIdentity, macBytes, startBytes } from '../../../src/fs/journal/format.ts';
import { Secret } from '../../../src/secret.ts';
import { journalOf, layout, parse } from './journal-bytes.ts';

const counting = (from: number, length: number): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => from + i);

const floeHeader = new Uint8Array(74);
floeHeader.set(counting(0x20, 32), 10);
const identity: JournalIdentity = {
  fileId: counting(0x10, 16),
  floeHeader,
  layout,
  key: new Secret(counting(0, 32)),
};
const sealed = (fill: number, length: number): Uint8Array =>
  new Uint8Array(length).fill(fill).fill(0x01, length - 1);
const journal = journalOf(identity, [
  { syncSeq: 1, bodyBytes: 45, segments: [{ index: 0, parts: [sealed(0xa0, 45)] }] },
  { syncSeq: 2, bodyBytes: 47, segments: [{ index: 0, parts: [sealed(0xb0, 47)] }] },
]);

function lines(name: string, from: number, to: number): string[] {
  const shown: string[] = [];
  for (let at = from; at < to; at += 16) {
    const bytes = Buffer.from(journal.bytes.subarray(at, Math.min(to, at + 16)));
    const hex = bytes.toString('hex').replaceAll(/(..)(?=.)/g, '$1 ');
    shown.push(`${(at === from ? name : '').padEnd(10)}${hex}`);
  }
  return shown;
}

function show(): string {
  const shown = lines('start', 0, startBytes);
  for (const [i, at] of journal.borders.slice(0, -1).entries()) {
    const end = journal.borders[i + 1] as number;
    shown.push(...lines(`head ${i + 1}`, at, at + 28));
    shown.push(...lines('table', at + 28, at + 40));
    shown.push(...lines('segment', at + 40, end - macBytes));
    shown.push(...lines('MAC', end - macBytes, end));
  }
  return shown.join('\n');
}

it('the worked example is what the code writes', () => {
  const document = readFileSync(new URL('../../../docs/format/journal-v1.md', import.meta.url), 'utf8');
  const [, example] = /<!-- example -->\n\n```\n([\s\S]*?)\n```/.exec(document) ?? [];
  expect(example).toBe(show());
});

it('and what it reads', () => {
  expect(parse(identity, journal.bytes)).toMatchObject({
    start: 'ours',
    records: 2,
    state: { syncSeq: 2, bodyBytes: 47 },
    chainBytes: journal.bytes.length,
    tamperedAt: undefined,
  });
});
