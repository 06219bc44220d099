/** Finding the header: two copies, one of them torn, both of them, contradictions, and inputs that are no such thing. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { findHeader, type HeaderRegion, headerBytesNeeded } from '../../../src/envelope/region.ts';
import { VolsealError } from '../../../src/errors.ts';
import {
  type ReferenceCopy,
  referenceContext,
  referenceCopy,
  referenceRegion,
} from '../../reference/header.ts';
import { referenceNewRegion, referenceParts } from '../../reference/sealed.ts';

const dataKey = new Uint8Array(32).fill(0xdd);
const regionSizes = [2_048, 4_096, 8_192, 16_384, 32_768, 65_536] as const;

function contentFor(regionBytes: number, fileByte = 0xf1): ReferenceCopy {
  return referenceParts({
    ikm: Uint8Array.from({ length: 32 }, (_, i) => i * i),
    label: 'v1',
    dataKey,
    fileId: new Uint8Array(16).fill(fileByte),
    iv: new Uint8Array(32).fill(0x11),
    slotNonce: new Uint8Array(24).fill(0x22),
    segmentNonce: () => new Uint8Array(12),
    aeadId: 0,
    segmentBytes: 4_096,
    regionBytes,
    context: [['tenant', 'a']],
    plain: new Uint8Array(0),
  }).copy;
}

const content = contentFor(4_096);
const body = new Uint8Array(70_000).fill(0xbb);
const half = (changes: Partial<ReferenceCopy>): Uint8Array =>
  referenceCopy({ ...content, ...changes }, dataKey);
const region = (first: Partial<ReferenceCopy>, second: Partial<ReferenceCopy>): Uint8Array =>
  concatBytes(
    referenceRegion(half({ halfIndex: 0, ...first }), half({ halfIndex: 1, ...second }), 4_096),
    body,
  );

/** What comes of an input, in a form that can be compared. */
function outcomeOf(bytes: Uint8Array): unknown {
  try {
    const found = findHeader(bytes);
    return [
      found.regionBytes,
      found.header.halfIndex,
      found.header.generation,
      found.goodCopies.length,
      found.states,
    ];
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    return error.code;
  }
}

/** As a stream does: asks for more until it has what it asks for, or all there is. */
function readAsNeeded(input: Uint8Array): Uint8Array {
  let have = input.subarray(0, 0);
  for (let turns = 0; turns < 10; turns++) {
    const needed = headerBytesNeeded(have);
    expect(needed).toBeLessThanOrEqual(65_536);
    if (have.length >= Math.min(needed, input.length)) return have;
    have = input.subarray(0, needed);
  }
  throw new Error('it asks for more again and again');
}

const refused = (code: string): unknown =>
  expect.objectContaining({ code: `ERR_VOLSEAL_${code}`, hint: expect.stringMatching(/\w/) as string });

describe.each(regionSizes)('a region of %i bytes', (regionBytes) => {
  const copy = contentFor(regionBytes);
  const input = concatBytes(referenceNewRegion(copy, dataKey), body);
  const damage = (...offsets: number[]): Uint8Array => {
    const damaged = Uint8Array.from(input);
    for (const offset of offsets) damaged.fill(0x55, offset, offset + 512);
    return damaged;
  };

  test('both copies', () => {
    expect(outcomeOf(input)).toEqual([regionBytes, 0, 1, 2, ['good', 'good']]);
    expect(readAsNeeded(input)).toHaveLength(regionBytes);
  });

  test('the first one destroyed, its prefix included: the second is found at its place', () => {
    expect(outcomeOf(damage(0))).toEqual([regionBytes, 1, 1, 1, ['absent', 'good']]);
    expect(readAsNeeded(damage(0))).toHaveLength(65_536);
  });

  test('the first one damaged behind its prefix', () => {
    const damaged = Uint8Array.from(input);
    damaged[30] = 0x55;
    expect(outcomeOf(damaged)).toEqual([regionBytes, 1, 1, 1, ['damaged', 'good']]);
  });

  test('the first one naming any other region size', () => {
    for (const exponent of [0, 10, 11, 12, 13, 14, 15, 16, 17, 255]) {
      if (2 ** exponent === regionBytes) continue;
      const damaged = Uint8Array.from(input);
      damaged[11] = exponent;
      expect([exponent, outcomeOf(damaged)]).toEqual([exponent, [regionBytes, 1, 1, 1, ['damaged', 'good']]]);
      expect(outcomeOf(readAsNeeded(damaged))).toEqual(outcomeOf(damaged));
    }
  });

  test('the second one destroyed', () => {
    expect(outcomeOf(damage(regionBytes / 2))).toEqual([regionBytes, 0, 1, 1, ['good', 'absent']]);
  });

  test('both destroyed, or both damaged', () => {
    expect(outcomeOf(damage(0, regionBytes / 2))).toBe('ERR_VOLSEAL_NOT_SEALED');
    const damaged = Uint8Array.from(input);
    damaged[30] = 0x55;
    damaged[regionBytes / 2 + 30] = 0x55;
    expect(outcomeOf(damaged)).toBe('ERR_VOLSEAL_HEADER_DAMAGED');
  });

  test('cut anywhere behind its magic, it is truncated; before, it may be anything', () => {
    const cuts = [
      0,
      7,
      8,
      15,
      16,
      17,
      200,
      400,
      regionBytes / 2,
      regionBytes / 2 + 1,
      regionBytes / 2 + 400,
      regionBytes - 1,
    ];
    for (const length of cuts) {
      const expected = length < 8 ? 'ERR_VOLSEAL_NOT_SEALED' : 'ERR_VOLSEAL_TRUNCATED';
      expect([length, outcomeOf(input.subarray(0, length))]).toEqual([length, expected]);
    }
    expect(outcomeOf(input.subarray(0, regionBytes))).toEqual([regionBytes, 0, 1, 2, ['good', 'good']]);
  });

  test('cut behind a first copy that is destroyed, it is what the second one tells', () => {
    const withoutFirst = damage(0);
    const middle = regionBytes / 2;
    const outcomes: [number, string][] = [
      [middle - 1, 'NOT_SEALED'],
      [middle + 7, 'NOT_SEALED'],
      [middle + 8, 'TRUNCATED'],
      [middle + 15, 'TRUNCATED'],
      [middle + 16, 'TRUNCATED'],
      [middle + 200, 'TRUNCATED'],
    ];
    for (const [length, code] of outcomes) {
      expect([length, outcomeOf(withoutFirst.subarray(0, length))]).toEqual([length, `ERR_VOLSEAL_${code}`]);
    }
    expect(outcomeOf(withoutFirst.subarray(0, regionBytes - 1))).toBe('ERR_VOLSEAL_TRUNCATED');
    const both = Uint8Array.from(withoutFirst);
    both[middle + 30] = 0x55;
    expect(outcomeOf(both.subarray(0, regionBytes - 1))).toBe('ERR_VOLSEAL_TRUNCATED');
    expect(outcomeOf(both.subarray(0, regionBytes))).toBe('ERR_VOLSEAL_HEADER_DAMAGED');
  });
});

describe('two good copies', () => {
  test('the higher generation is the header, in either half', () => {
    expect(outcomeOf(region({ generation: 3n }, { generation: 2n }))).toEqual([
      4_096,
      0,
      3,
      2,
      ['good', 'good'],
    ]);
    expect(outcomeOf(region({ generation: 3n }, { generation: 4n }))).toEqual([
      4_096,
      1,
      4,
      2,
      ['good', 'good'],
    ]);
  });

  test('slots may differ between generations', () => {
    const slots = [...content.slots, ...content.slots];
    const found: HeaderRegion = findHeader(region({ generation: 1n }, { generation: 2n, slots }));
    expect(found.header.slots).toHaveLength(2);
    expect(found.goodCopies.map(({ generation }) => generation)).toEqual([1, 2]);
  });

  const otherFloe = Uint8Array.from(content.floeHeader);
  otherFloe[20] = 0xff;
  test.each<[string, Partial<ReferenceCopy>]>([
    ['another file id', { fileId: new Uint8Array(16).fill(9) }],
    ['another FLOE header', { floeHeader: otherFloe }],
    ['another context', { context: referenceContext([['tenant', 'b']]) }],
    ['another region size', { regionBytes: 8_192 }],
  ])('with %s contradict each other, whatever their generations', (_name, changes) => {
    for (const generation of [1n, 2n, 3n]) {
      expect(() => findHeader(region({ generation: 2n }, { ...changes, generation }))).toThrow(
        refused('HEADER_CONFLICT'),
      );
      expect(() =>
        findHeader(
          region(
            { ...changes, regionBytes: 4_096, generation: 2n },
            { generation, regionBytes: changes.regionBytes ?? 4_096 },
          ),
        ),
      ).toThrow(refused('HEADER_CONFLICT'));
    }
  });

  test('with another kind of body contradict each other', () => {
    // The one suite that both kinds have.
    const floeHeader = concatBytes(Uint8Array.of(0xf1), content.floeHeader.subarray(1));
    const state = concatBytes(new Uint8Array(15), Uint8Array.of(44), new Uint8Array(32));
    for (const generation of [1n, 2n, 3n]) {
      const writeOnce = { floeHeader, generation: 2n };
      const mutable = { floeHeader, generation, bodyKind: 2, state };
      expect(findHeader(region(mutable, mutable)).header.bodyKind).toBe(2);
      expect(() => findHeader(region(writeOnce, mutable))).toThrow(refused('HEADER_CONFLICT'));
      expect(() => findHeader(region(mutable, writeOnce))).toThrow(refused('HEADER_CONFLICT'));
    }
  });

  test('of one generation with other slots contradict each other', () => {
    expect(() => findHeader(region({}, { slots: [...content.slots, ...content.slots] }))).toThrow(
      refused('HEADER_CONFLICT'),
    );
  });

  test('the same half twice is one copy: its index is wrong in the other place', () => {
    const first = half({ halfIndex: 0 });
    expect(outcomeOf(concatBytes(referenceRegion(first, first, 4_096), body))).toEqual([
      4_096,
      0,
      1,
      1,
      ['good', 'damaged'],
    ]);
    const second = half({ halfIndex: 1 });
    expect(outcomeOf(concatBytes(referenceRegion(second, second, 4_096), body))).toEqual([
      4_096,
      1,
      1,
      1,
      ['damaged', 'good'],
    ]);
    expect(outcomeOf(concatBytes(referenceRegion(second, first, 4_096), body))).toBe(
      'ERR_VOLSEAL_HEADER_DAMAGED',
    );
  });

  test('a copy that is malformed under a good checksum is told, not passed over', () => {
    expect(() => findHeader(region({ generation: 0n }, {}))).toThrow(refused('HEADER_INVALID'));
    expect(() => findHeader(region({}, { generation: 0n }))).toThrow(refused('HEADER_INVALID'));
    expect(() => findHeader(region({}, { flags: 1 }))).toThrow(refused('UNSUPPORTED_FEATURE'));
  });
});

describe('other versions', () => {
  test('both halves of a later version: named', () => {
    expect(() => findHeader(region({ version: 2 }, { version: 2 }))).toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_UNSUPPORTED_VERSION',
        message: 'it is in format version 2',
        hint: expect.stringContaining('upgrade') as string,
      }),
    );
  });

  test('a first half of a later version, nothing readable behind it', () => {
    const input = concatBytes(half({ halfIndex: 0, version: 7 }), new Uint8Array(4_096));
    expect(() => findHeader(input)).toThrow(refused('UNSUPPORTED_VERSION'));
    expect(() => findHeader(input.subarray(0, 20))).toThrow(refused('UNSUPPORTED_VERSION'));
    expect(outcomeOf(readAsNeeded(input))).toBe('ERR_VOLSEAL_UNSUPPORTED_VERSION');
  });

  test('a version number that was damaged in one half only: the other half is used', () => {
    expect(outcomeOf(region({ version: 2 }, {}))).toEqual([4_096, 1, 1, 1, ['damaged', 'good']]);
    expect(outcomeOf(region({}, { version: 2 }))).toEqual([4_096, 0, 1, 1, ['good', 'damaged']]);
  });
});

describe('no header', () => {
  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['text', Buffer.from('# a plaintext file\n'.repeat(10_000))],
    ['zeros', new Uint8Array(70_000)],
    [
      'a PNG',
      concatBytes(Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a), new Uint8Array(5_000)),
    ],
    ['the body without its header', body],
  ])('%s', (_name, bytes) => {
    expect(() => findHeader(bytes)).toThrow(refused('NOT_SEALED'));
  });

  test('a copy at a place that its own region size does not give it is none', () => {
    const stray = new Uint8Array(70_000);
    stray.set(half({ halfIndex: 1, regionBytes: 4_096 }), 8_192);
    expect(outcomeOf(stray)).toBe('ERR_VOLSEAL_HEADER_DAMAGED');
  });
});

test('the second copy ends within its half: what stands in the body is no part of it', () => {
  // A copy too long for its half, whose rest stands in the first bytes of the body.
  const long = half({
    halfIndex: 1,
    regionBytes: 65_536,
    context: referenceContext([
      ['k', 'x'.repeat(1_000)],
      ['l', 'x'.repeat(1_000)],
    ]),
  });
  expect(long.length).toBeGreaterThan(2_048);
  const input = new Uint8Array(70_000);
  input.set(half({ halfIndex: 0 }), 0);
  input.set(long, 2_048);
  expect(outcomeOf(input)).toEqual([4_096, 0, 1, 1, ['good', 'damaged']]);
  expect(outcomeOf(readAsNeeded(input))).toEqual(outcomeOf(input));
});

describe('any bytes', () => {
  const place = fc.constantFrom(0, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768);
  const copies = [0, 1].flatMap((halfIndex) => [
    ...regionSizes.map((regionBytes) => half({ halfIndex, regionBytes })),
    half({ halfIndex, generation: 2n }),
    half({ halfIndex, version: 2 }),
    half({ halfIndex, bodyKind: 9 }),
    half({ halfIndex, fileId: new Uint8Array(16) }),
    half({ halfIndex }).subarray(0, 100),
  ]);
  const planted = fc.array(
    fc.record({
      at: place,
      copy: fc.constantFrom(...copies),
      flip: fc.option(fc.nat({ max: 400 }), { nil: undefined, freq: 3 }),
    }),
    { maxLength: 4 },
  );
  const input = fc
    .record({
      length: fc.oneof(fc.nat({ max: 5_000 }), fc.nat({ max: 70_000 })),
      fill: fc.constantFrom(0, 0xbb),
      planted,
    })
    .map((one) => {
      const bytes = new Uint8Array(70_000).fill(one.fill);
      for (const { at, copy, flip } of one.planted) {
        bytes.set(copy, at);
        if (flip !== undefined) bytes[at + flip] = (bytes[at + flip] as number) ^ 0x10;
      }
      return bytes.subarray(0, one.length);
    });

  test('are a header or one of our errors, the same with as much as was asked for as with all of it', () => {
    const outcomes = new Set<unknown>();
    fc.assert(
      fc.property(fc.oneof(input, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const outcome = outcomeOf(bytes.subarray(0, 65_536));
        outcomes.add(Array.isArray(outcome) ? 'found' : outcome);
        expect(outcomeOf(readAsNeeded(bytes))).toEqual(outcome);
        expect(outcomeOf(Uint8Array.from(bytes.subarray(0, 65_536)))).toEqual(outcome);
      }),
      { numRuns: 1_500 },
    );
    // The inputs are not all of one kind.
    expect(outcomes.size).toBeGreaterThanOrEqual(5);
  });

  test('a header that is found lies within the bytes, and its copies are those that were planted', () => {
    const known = new Set(copies.map((copy) => hex(copy.subarray(0, -36))));
    fc.assert(
      fc.property(input, (bytes) => {
        let found: HeaderRegion;
        try {
          found = findHeader(bytes);
        } catch {
          return;
        }
        expect(found.regionBytes).toBeLessThanOrEqual(bytes.length);
        for (const copy of found.goodCopies) expect(known.has(hex(copy.macInput))).toBe(true);
        expect(found.goodCopies).toContain(found.header);
        expect(Math.max(...found.goodCopies.map(({ generation }) => generation))).toBe(
          found.header.generation,
        );
      }),
      { numRuns: 500 },
    );
  });
});
