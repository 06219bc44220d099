/**
 * Headers changed on purpose by someone without a key: every checksum matches again, in one half or in both. The order
 * of the verdicts is that of docs/format/v1.md §7.
 */

import { beforeAll, describe, expect, it } from 'vitest';

import { type Attack, expectAttack, type Verdict } from './expectations.ts';
import { flip, type Halves, put, rechecksum, resizeCopy } from './forge.ts';
import { partOf, viewOf } from './sealed-map.ts';
import { makeSubject, type Subject } from './subjects.ts';

let subject: Subject;

beforeAll(async () => {
  subject = await makeSubject({ plainBytes: 100, context: { tenant: 'acme' } });
});

/** A field set to a value, or its first byte flipped. */
interface Change {
  readonly field: string;
  readonly to?: readonly number[];
  readonly what?: string;
}

interface Verdicts {
  readonly verdict: Verdict;
  /** Default: the same. */
  readonly inspected?: Verdict;
}

const conflict: Verdicts = { verdict: 'ERR_VOLSEAL_HEADER_CONFLICT' };
const invalid: Verdicts = { verdict: 'ERR_VOLSEAL_HEADER_INVALID' };
const unknownFeature: Verdicts = { verdict: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE' };
const unknownSuite: Verdicts = { verdict: 'ERR_VOLSEAL_UNSUPPORTED_SUITE' };
const keyMissing: Verdicts = { verdict: 'ERR_VOLSEAL_KEY_MISSING', inspected: 'opens' };
const wrongKey: Verdicts = { verdict: 'ERR_VOLSEAL_WRONG_KEY', inspected: 'opens' };
const headerTampered: Verdicts = { verdict: 'ERR_VOLSEAL_HEADER_TAMPERED', inspected: 'opens' };
const damaged: Verdicts = { verdict: 'ERR_VOLSEAL_HEADER_DAMAGED' };
const otherHalf: Verdicts = { verdict: 'opens' };

const u32 = (value: number): number[] => [...new Uint8Array(new Uint32Array([value]).buffer)].toReversed();
const u64 = (value: bigint): number[] => [...new Uint8Array(new BigUint64Array([value]).buffer)].toReversed();
const tiny = u32(2_048);
const notSectors = u32(4_608 + 1);

/** The change, what it is in one half, and what in both. */
const table: readonly [Change, Verdicts, Verdicts][] = [
  // Before the checksum is looked at.
  [{ field: 'magic' }, otherHalf, { verdict: 'ERR_VOLSEAL_NOT_SEALED' }],
  [{ field: 'version', to: [0, 2] }, otherHalf, { verdict: 'ERR_VOLSEAL_UNSUPPORTED_VERSION' }],
  [{ field: 'version', to: [0, 0] }, otherHalf, { verdict: 'ERR_VOLSEAL_UNSUPPORTED_VERSION' }],
  [{ field: 'half index', to: [2] }, otherHalf, damaged],
  [{ field: 'region size', to: [10] }, otherHalf, damaged],
  [{ field: 'region size', to: [17] }, otherHalf, damaged],
  [{ field: 'region size', to: [255] }, otherHalf, damaged],
  // The structure.
  [{ field: 'body kind', to: [0] }, unknownFeature, unknownFeature],
  [{ field: 'body kind', to: [3] }, unknownFeature, unknownFeature],
  [{ field: 'body kind', to: [2], what: 'one that has not this suite' }, unknownSuite, unknownSuite],
  [{ field: 'reserved', to: [1] }, unknownFeature, unknownFeature],
  [{ field: 'flags', to: [0, 1], what: 'location binding' }, unknownFeature, unknownFeature],
  [{ field: 'flags', to: [0x80, 0] }, unknownFeature, unknownFeature],
  [{ field: 'generation', to: u64(0n) }, invalid, invalid],
  [{ field: 'generation', to: u64(2n ** 53n) }, invalid, invalid],
  [{ field: 'generation', to: u64(2n ** 64n - 1n) }, invalid, invalid],
  [{ field: 'AEAD id', to: [1], what: 'a suite of a later FLOE' }, unknownSuite, unknownSuite],
  [{ field: 'AEAD id', to: [0xf2], what: 'the suite of mutable bodies' }, unknownSuite, unknownSuite],
  [{ field: 'AEAD id', to: [0xf1], what: 'the other suite' }, conflict, wrongKey],
  [{ field: 'KDF id', to: [1] }, unknownSuite, unknownSuite],
  [{ field: 'segment length', to: u32(0) }, invalid, invalid],
  [{ field: 'segment length', to: u32(31) }, invalid, invalid],
  [{ field: 'segment length', to: tiny, what: 'below 4,096' }, invalid, invalid],
  [{ field: 'segment length', to: notSectors, what: 'no multiple of 512' }, invalid, invalid],
  [{ field: 'segment length', to: u32(4_194_304 + 512) }, invalid, invalid],
  [{ field: 'segment length', to: u32(0xffffffff) }, invalid, invalid],
  [{ field: 'segment length', to: u32(8_192), what: 'another allowed one' }, conflict, wrongKey],
  [{ field: 'IV length', to: u32(0) }, invalid, invalid],
  [{ field: 'IV length', to: u32(0xffffffff) }, invalid, invalid],
  [{ field: 'syncSeq' }, invalid, invalid],
  [{ field: 'bodyBytes' }, invalid, invalid],
  [{ field: 'acc' }, invalid, invalid],
  [{ field: 'context length', to: [0xff, 0xff] }, invalid, invalid],
  [{ field: 'context length', to: [0x20, 0x01], what: 'over 8,192' }, invalid, invalid],
  [{ field: 'context length', to: [0, 0] }, invalid, invalid],
  [{ field: 'context length', to: [0, 1] }, invalid, invalid],
  [{ field: 'context', to: [0, 0], what: 'no pairs, bytes left over' }, invalid, invalid],
  [{ field: 'context', to: [0, 33], what: 'too many pairs' }, invalid, invalid],
  [{ field: 'context', to: [0xff, 0xff] }, invalid, invalid],
  [{ field: 'context', to: [0, 1, 0, 0], what: 'an empty key' }, invalid, invalid],
  [{ field: 'context', to: [0, 1, 0xff, 0xff], what: 'a key past its end' }, invalid, invalid],
  [{ field: 'context', to: [0, 1, 0, 6, 0xc0], what: 'no UTF-8' }, invalid, invalid],
  [{ field: 'location length', to: [0, 1] }, invalid, invalid],
  [{ field: 'location length', to: [0xff, 0xff] }, invalid, invalid],
  [{ field: 'slot count', to: [0] }, invalid, invalid],
  [{ field: 'slot count', to: [2] }, invalid, invalid],
  [{ field: 'slot count', to: [9] }, invalid, invalid],
  [{ field: 'slot count', to: [255] }, invalid, invalid],
  [{ field: 'slot 0 length', to: [0, 0] }, invalid, invalid],
  [{ field: 'slot 0 length', to: [0, 21] }, invalid, invalid],
  [{ field: 'slot 0 length', to: [0xff, 0xff] }, invalid, invalid],
  [{ field: 'slot 0 type', to: [1], what: 'a volume key with a hint' }, invalid, invalid],
  [{ field: 'slot 0 type', to: [128], what: 'an external provider with a hint' }, invalid, invalid],
  [{ field: 'slot 0 type', to: [3], what: 'a recovery key' }, conflict, keyMissing],
  [{ field: 'slot 0 hint length', to: [0] }, invalid, invalid],
  [{ field: 'slot 0 hint length', to: [33] }, invalid, invalid],
  [{ field: 'slot 0 hint length', to: [255] }, invalid, invalid],
  [{ field: 'slot 0 hint', to: [0x0a], what: 'not a character of a label' }, invalid, invalid],
  [{ field: 'slot 0 key version', to: u32(1) }, invalid, invalid],
  // Two good halves.
  [{ field: 'file id' }, conflict, wrongKey],
  [{ field: 'FLOE IV' }, conflict, wrongKey],
  [{ field: 'header tag' }, conflict, wrongKey],
  [{ field: 'context', to: [0, 1, 0, 6, 0x54], what: 'another key' }, conflict, wrongKey],
  [{ field: 'slot 0 key id' }, conflict, keyMissing],
  // The slot.
  [{ field: 'slot 0 nonce' }, conflict, wrongKey],
  [{ field: 'slot 0 ciphertext' }, conflict, wrongKey],
  [{ field: 'slot 0 tag' }, conflict, wrongKey],
  [{ field: 'slot 0 commitment' }, conflict, wrongKey],
  // The MAC.
  [{ field: 'generation', to: u64(2n) }, headerTampered, headerTampered],
  [{ field: 'generation', to: u64(2n ** 53n - 1n) }, headerTampered, headerTampered],
  [{ field: 'slot 0 hint', to: [0x62], what: 'another label' }, conflict, headerTampered],
  [{ field: 'MAC' }, headerTampered, headerTampered],
];

function changed(change: Change, halves: Halves): Uint8Array {
  let sealed = subject.sealed;
  for (const half of halves) {
    const { offset } = partOf(subject.map, half, change.field);
    sealed = change.to === undefined ? flip(sealed, offset) : put(sealed, offset, Uint8Array.from(change.to));
  }
  // The length of the copy, on which the checksum hangs, is as it was.
  return rechecksum(sealed, subject.map.regionBytes, halves);
}

describe.each(table)('%o', (change, inOne, inBoth) => {
  it.each([
    ['half 0', [0], inOne],
    ['half 1', [1], inOne],
    ['both halves', [0, 1], inBoth],
  ] as const)('in %s', async (where, halves, { verdict, inspected = verdict }) => {
    const attack: Attack = {
      name: `${change.field} in ${where}`,
      sealed: changed(change, halves),
      verdict,
      inspected: verdict === 'opens' ? 'opens' : inspected,
    };
    expect(attack.sealed, 'it is changed').not.toEqual(subject.sealed);
    await expectAttack(attack, subject);
  });
});

describe('what never changes, in a half of a higher generation', () => {
  const identity: readonly Change[] = [
    { field: 'file id' },
    { field: 'AEAD id', to: [0xf1] },
    { field: 'segment length', to: u32(8_192) },
    { field: 'FLOE IV' },
    { field: 'header tag' },
    { field: 'context', to: [0, 1, 0, 6, 0x54] },
    { field: 'region size', to: [13] },
  ];

  it.each(identity)('$field', async (change) => {
    // The region size of half 0 says where half 1 is.
    const halves = change.field === 'region size' ? ([1] as const) : ([0, 1] as const);
    for (const half of halves) {
      const { offset } = partOf(subject.map, half, 'generation');
      const newer = put(changed(change, [half]), offset, Uint8Array.from(u64(2n)));
      const sealed = rechecksum(newer, subject.map.regionBytes, [half]);
      const name = `${change.field} in half ${half}`;
      await expectAttack({ name, sealed, ...conflict, inspected: conflict.verdict }, subject);
    }
  });
});

describe('the length of a copy', () => {
  const both = (sealed: Uint8Array, edit: (sealed: Uint8Array, start: number) => Uint8Array): Uint8Array =>
    edit(edit(sealed, 0), subject.map.regionBytes / 2);

  it('one byte more than its slots take', async () => {
    const sealed = both(subject.sealed, (bytes, start) =>
      resizeCopy(bytes, start, start + subject.map.copyBytes - 36, 0, Uint8Array.of(0)),
    );
    await expectAttack(
      {
        name: 'longer',
        sealed,
        verdict: 'ERR_VOLSEAL_HEADER_INVALID',
        inspected: 'ERR_VOLSEAL_HEADER_INVALID',
      },
      subject,
    );
  });

  it('one byte less than its slots take', async () => {
    const sealed = both(subject.sealed, (bytes, start) =>
      resizeCopy(bytes, start, start + subject.map.copyBytes - 37, 1, new Uint8Array(0)),
    );
    await expectAttack(
      {
        name: 'shorter',
        sealed,
        verdict: 'ERR_VOLSEAL_HEADER_INVALID',
        inspected: 'ERR_VOLSEAL_HEADER_INVALID',
      },
      subject,
    );
  });

  it.each([0, 1, 15, 36, 52, 2_049, 65_536, 0x7fffffff, 0xffffffff])(
    '%d: the half is damaged, whatever its checksum would be',
    async (copyBytes) => {
      const sealed = both(subject.sealed, (bytes, start) =>
        put(bytes, start + 12, Uint8Array.from(u32(copyBytes))),
      );
      await expectAttack({ name: 'both', sealed, ...damaged, inspected: damaged.verdict }, subject);
      const one = put(subject.sealed, 12, Uint8Array.from(u32(copyBytes)));
      await expectAttack({ name: 'one', sealed: one, ...otherHalf, inspected: 'opens' }, subject);
    },
  );
});

describe('a region size that is not the one of the file', () => {
  const withRegion = (log2: number, halves: Halves): Uint8Array => {
    let { sealed } = subject;
    for (const half of halves)
      sealed = put(sealed, partOf(subject.map, half, 'region size').offset, Uint8Array.of(log2));
    return rechecksum(sealed, subject.map.regionBytes, halves);
  };

  it('smaller, in half 0: nothing authentic lies where half 1 would be', async () => {
    await expectAttack(
      { name: 'smaller', sealed: withRegion(11, [0]), ...headerTampered, inspected: 'opens' },
      subject,
    );
  });

  it('larger than the file, in half 0', async () => {
    const sealed = withRegion(16, [0]);
    await expectAttack(
      { name: 'larger', sealed, verdict: 'ERR_VOLSEAL_TRUNCATED', inspected: 'ERR_VOLSEAL_TRUNCATED' },
      subject,
    );
  });

  it('another one, in half 1', async () => {
    await expectAttack(
      { name: 'half 1', sealed: withRegion(13, [1]), ...conflict, inspected: conflict.verdict },
      subject,
    );
  });

  it("the copies say each other's half", async () => {
    const half = subject.map.regionBytes / 2;
    const swapped = Uint8Array.from(subject.sealed);
    swapped.set(subject.sealed.subarray(half, 2 * half), 0);
    swapped.set(subject.sealed.subarray(0, half), half);
    await expectAttack({ name: 'swapped', sealed: swapped, ...damaged, inspected: damaged.verdict }, subject);
    const twice = Uint8Array.from(subject.sealed);
    twice.set(subject.sealed.subarray(0, half), half);
    await expectAttack({ name: 'half 0 twice', sealed: twice, ...otherHalf, inspected: 'opens' }, subject);
    twice.set(subject.sealed.subarray(half, 2 * half), 0);
    twice.set(subject.sealed.subarray(half, 2 * half), half);
    await expectAttack({ name: 'half 1 twice', sealed: twice, ...otherHalf, inspected: 'opens' }, subject);
  });

  it('the map is that of a file of 4,096 bytes of header', () => {
    expect(viewOf(subject.sealed).getUint8(11)).toBe(12);
  });
});
