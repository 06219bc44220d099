/**
 * What a crash can leave of a header: a sector of 512 bytes or more is old or new, and bad media may lose any of them.
 * One whole half is always enough.
 */

import { describe, expect, it } from 'vitest';

import { type Context, inspect, type KeyProvider } from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { referenceCrc32c } from '../reference/crc32c.ts';
import { type Attack, expectAttack } from './expectations.ts';
import { externalKeys } from './external-keys.ts';
import { flip, join, put } from './forge.ts';
import { openers } from './openers.ts';
import { rewritten, slotFor, slotsOf } from './rewrite.ts';
import { mapSealed, viewOf } from './sealed-map.ts';
import { makeSubject, plaintextOf, type Subject } from './subjects.ts';

const sectorBytes = 512;
const inMemory = openers.filter(({ name }) => name === 'decrypt');
/** Where nothing fails, a destination on a disk adds nothing but its syncs. */
const toMemory = openers.filter(({ name }) => !name.endsWith('to path'));

async function expectOpens(
  name: string,
  sealed: Uint8Array,
  subject: Subject,
  keys: readonly KeyProvider[],
  by = toMemory,
): Promise<void> {
  const attack: Attack = { name, sealed, verdict: 'opens', inspected: 'opens' };
  await expectAttack(attack, subject, { keys }, by);
}

describe('a half that was being rewritten', () => {
  const keys = [testKeys('a'), testKeys('b')];

  it.each([0, 1] as const)('half %d: any of its sectors old and any new', async (half) => {
    const subject = await makeSubject({ plainBytes: 3_000, context: { tenant: 'acme'.repeat(100) } });
    const slots = [...slotsOf(subject), ...['b', 'c', 'd', 'e'].map((label) => slotFor(subject, label))];
    const after = rewritten(subject, subject.sealed, half, { generation: 2n, slots });
    const start = (half * subject.map.regionBytes) / 2;
    const sectors = subject.map.regionBytes / 2 / sectorBytes;
    const isSame = (sector: number): boolean => {
      const at = start + sector * sectorBytes;
      return (
        Buffer.compare(
          after.subarray(at, at + sectorBytes),
          subject.sealed.subarray(at, at + sectorBytes),
        ) === 0
      );
    };
    expect(sectors).toBe(4);
    const generations = new Set<number>();
    for (let written = 0; written < 2 ** sectors; written++) {
      let torn = subject.sealed;
      const isNew = (sector: number): boolean => (written >> sector) % 2 === 1;
      for (let sector = 0; sector < sectors; sector++) {
        const at = start + sector * sectorBytes;
        if (isNew(sector)) torn = put(torn, at, after.subarray(at, at + sectorBytes));
      }
      await expectOpens(
        `sectors ${written.toString(2)}`,
        torn,
        subject,
        keys,
        written % 5 === 0 ? toMemory : inMemory,
      );
      const { generation } = await inspect(torn);
      const whole = Array.from({ length: sectors }, (_, sector) => isNew(sector) || isSame(sector)).every(
        Boolean,
      );
      expect(generation, `sectors ${written.toString(2)}`).toBe(whole ? 2 : 1);
      generations.add(generation);
    }
    expect([...generations]).toEqual([1, 2]);
  });

  it('a shorter copy over a longer one: what stays behind it in its half does not matter', async () => {
    const subject = await makeSubject({ plainBytes: 3_000 });
    const many = ['b', 'c', 'd', 'e', 'f'].map((label) => slotFor(subject, label));
    const before = rewritten(subject, subject.sealed, 0, { generation: 2n, slots: many });
    const after = rewritten(subject, before, 0, { generation: 3n, slots: slotsOf(subject) });
    const torn = put(before, 0, after.subarray(0, sectorBytes));
    expect((await inspect(torn)).generation).toBe(3);
    await expectOpens('shorter', torn, subject, [testKeys('a')]);
  });
});

const noise = plaintextOf('noise', 65_536);

interface Region {
  readonly regionBytes: number;
  readonly context?: Context;
  readonly moreKeys?: readonly KeyProvider[];
}

const longContext = (pairs: number): Context =>
  Object.fromEntries(Array.from({ length: pairs }, (_, i) => [`k${i}`, 'é'.repeat(500)]));

const regions: readonly Region[] = [
  { regionBytes: 4_096 },
  { regionBytes: 8_192, context: longContext(2) },
  { regionBytes: 16_384, context: longContext(5) },
  { regionBytes: 16_384, moreKeys: ['one', 'two'].map((name) => externalKeys(name, 1_900)) },
  { regionBytes: 32_768, context: longContext(8) },
  {
    regionBytes: 65_536,
    context: longContext(8),
    moreKeys: ['1', '2', '3', '4', '5', '6'].map((name) => externalKeys(name, 2_000)),
  },
];

describe.each(regions)('a region of $regionBytes bytes', ({ regionBytes, context, moreKeys }) => {
  const make = (): Promise<Subject> =>
    makeSubject({ plainBytes: 5_000, ...(context && { context }), ...(moreKeys && { moreKeys }) });

  it.each([0, 1] as const)('half %d lost entirely', async (half) => {
    const subject = await make();
    expect(subject.map.regionBytes).toBe(regionBytes);
    const start = (half * regionBytes) / 2;
    const losses: readonly [string, Uint8Array][] = [
      ['zeros', new Uint8Array(regionBytes / 2)],
      ['ones', new Uint8Array(regionBytes / 2).fill(0xff)],
      ['noise', noise.subarray(0, regionBytes / 2)],
    ];
    for (const [name, lost] of losses) {
      await expectOpens(name, put(subject.sealed, start, lost), subject, [subject.keys]);
    }
    for (const provider of moreKeys ?? []) {
      await expectOpens(
        'another slot',
        put(subject.sealed, start, losses[0]?.[1] as Uint8Array),
        subject,
        [provider],
        inMemory,
      );
    }
  });

  it.each([0, 1] as const)('each sector of half %d lost', async (half) => {
    const subject = await make();
    const start = (half * regionBytes) / 2;
    for (let at = start; at < start + subject.map.copyBytes; at += sectorBytes) {
      for (const lost of [new Uint8Array(sectorBytes), noise.subarray(0, sectorBytes)]) {
        await expectOpens(
          `sector at ${at}`,
          put(subject.sealed, at, lost),
          subject,
          [subject.keys],
          inMemory,
        );
      }
    }
  });

  it('half 0 naming another region size', async () => {
    const subject = await make();
    for (let log2 = 0; log2 < 20; log2++) {
      const sealed = put(subject.sealed, 11, Uint8Array.of(log2));
      // A reader of a stream asks for as much as the size says, and for more once that has turned out to be wrong.
      const by = log2 >= 11 && log2 <= 16 ? toMemory : inMemory;
      await expectOpens(`2^${log2}`, sealed, subject, [subject.keys], by);
    }
  });
});

describe('text of a context that looks like a header', () => {
  /** A copy of 2,048-byte regions with a right checksum, all of it UTF-8 once a byte stands in front of its magic. */
  function forgedCopy(genuine: Subject): Uint8Array {
    const copy = Uint8Array.from(genuine.sealed.subarray(2_048, 2_048 + genuine.map.copyBytes));
    // Random fields as a stranger would choose them: ASCII.
    const from = mapSealed(genuine.sealed).halves[1];
    for (const { name, offset, bytes } of from) {
      if (!/file id|FLOE IV|header tag|slot 0 (key id|nonce|ciphertext|tag|commitment)|MAC/.test(name))
        continue;
      copy.fill(0x41, offset - 2_048, offset - 2_048 + bytes);
    }
    copy[11] = 11;
    const crcAt = copy.length - 36;
    for (let i = 0; ; i++) {
      copy.set(Buffer.from(String(i).padStart(16, 'A')), 28);
      const crc = referenceCrc32c(join(copy.subarray(0, crcAt), copy.subarray(crcAt + 4)));
      viewOf(copy).setUint32(crcAt, crc);
      if (copy.subarray(crcAt, crcAt + 4).every((byte) => byte < 0x80)) return copy;
    }
  }

  it('does not take the place of half 1 when half 0 is lost', async () => {
    const forged = forgedCopy(await makeSubject({ plainBytes: 1 }));
    // The value of the second pair begins at 1,023, so that the copy begins at 1,024, where a small region has its half 1.
    const lookalike = Buffer.concat([Uint8Array.of(0xc3), forged]).toString('utf8');
    const context = { a: 'x'.repeat(1_023 - 180), b: lookalike };
    const subject = await makeSubject({ plainBytes: 5_000, context });
    expect(subject.map.regionBytes).toBe(4_096);
    expect(Buffer.compare(subject.sealed.subarray(1_024, 1_024 + forged.length), forged)).toBe(0);
    const options = { keys: [subject.keys] };
    const attack = { verdict: 'opens', inspected: 'opens' } as const;
    await expectAttack(
      { ...attack, name: 'first sector lost', sealed: put(subject.sealed, 0, new Uint8Array(sectorBytes)) },
      subject,
      options,
    );
    await expectAttack(
      { ...attack, name: 'checksum broken', sealed: flip(subject.sealed, 30) },
      subject,
      options,
    );
  });
});
