/** Segment arithmetic against BigInt, up to the largest numbers that a JavaScript number counts exactly. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { bodyBytes, bodyShape, locate, segmentCount, segmentLayout } from '../../../src/floe/layout.ts';
import { plainBytes, sealedBytes } from '../../../src/floe/whole.ts';
import { maxSealedBytes, maxSegments } from '../../../src/limits.ts';

const ceilDiv = (a: bigint, b: bigint): bigint => (a + b - 1n) / b;

const layout = fc
  .record({
    nonceBytes: fc.constantFrom(12, 24),
    segmentBytes: fc.oneof(
      fc.integer({ min: 45, max: 300 }),
      fc.constantFrom(4_096, 16_384, 65_536, 1_048_576, 4_194_304),
      fc.integer({ min: 45, max: 4_194_304 }),
    ),
  })
  .map(({ segmentBytes, nonceBytes }) => segmentLayout(segmentBytes, nonceBytes));

/** Sizes everywhere, and around the powers of two where 32-bit operations and doubles would go wrong. */
const size = fc.oneof(
  fc.nat({ max: 1_000 }),
  fc
    .tuple(
      fc.constantFrom(2 ** 31, 2 ** 32, 2 ** 40, 2 ** 52, 2 ** 53 - 2),
      fc.integer({ min: -100, max: 100 }),
    )
    .map(([center, distance]) => Math.min(center + distance, Number.MAX_SAFE_INTEGER)),
  fc.maxSafeNat(),
);

/** Multiples of whole segments and their neighbours. */
const atBorders = layout.chain((one) =>
  fc.record({
    one: fc.constant(one),
    plainBytes: fc
      .tuple(
        fc.nat({ max: Math.min(maxSegments, Math.floor(2 ** 52 / one.segmentBytes)) }),
        fc.constantFrom(-1, 0, 1),
      )
      .map(([segments, distance]) => Math.max(0, segments * one.plainSegmentBytes + distance)),
  }),
);

const sized = fc.oneof(fc.record({ one: layout, plainBytes: size }), atBorders);

test('bodyBytes is what counting segments with BigInt gives, or too large', () => {
  fc.assert(
    fc.property(sized, ({ one, plainBytes: plain }) => {
      const segments = plain === 0 ? 1n : ceilDiv(BigInt(plain), BigInt(one.plainSegmentBytes));
      const total = BigInt(plain) + segments * BigInt(one.overheadBytes);
      if (segments > BigInt(maxSegments) || total > BigInt(maxSealedBytes)) {
        expect(() => bodyBytes(one, plain)).toThrow(
          expect.objectContaining({ code: 'ERR_VOLSEAL_TOO_LARGE' }),
        );
        return;
      }
      expect(BigInt(bodyBytes(one, plain))).toBe(total);
      expect(BigInt(segmentCount(one, plain))).toBe(segments);
    }),
    { numRuns: 2_000 },
  );
});

test('bodyShape is the inverse of bodyBytes', () => {
  fc.assert(
    fc.property(sized, ({ one, plainBytes: plain }) => {
      let sealed: number;
      try {
        sealed = bodyBytes(one, plain);
      } catch {
        return;
      }
      const shape = bodyShape(one, sealed);
      expect(shape?.plainBytes).toBe(plain);
      expect(shape?.segments).toBe(segmentCount(one, plain));
      const last = plain - (segmentCount(one, plain) - 1) * one.plainSegmentBytes;
      expect(shape?.lastSegmentBytes).toBe(last + one.overheadBytes);
    }),
    { numRuns: 2_000 },
  );
});

test('bodyShape of any size: impossible sizes have none, the others are whole segments and a last one', () => {
  fc.assert(
    fc.property(layout, size, (one, sealed) => {
      const full = BigInt(one.segmentBytes);
      const segments = ceilDiv(BigInt(sealed), full);
      const last = BigInt(sealed) - (segments - 1n) * full;
      const possible =
        sealed > 0 &&
        last >= BigInt(one.overheadBytes) &&
        segments <= BigInt(maxSegments) &&
        sealed <= maxSealedBytes;
      const shape = bodyShape(one, sealed);
      if (!possible) {
        expect(shape).toBeUndefined();
        return;
      }
      expect(shape).toEqual({
        segments: Number(segments),
        lastSegmentBytes: Number(last),
        plainBytes: Number(BigInt(sealed) - segments * BigInt(one.overheadBytes)),
      });
    }),
    { numRuns: 2_000 },
  );
});

test('more plaintext never takes less room', () => {
  fc.assert(
    fc.property(layout, fc.nat({ max: 2 ** 39 }), fc.nat({ max: 10_000 }), (one, plain, more) => {
      expect(bodyBytes(one, plain + more)).toBeGreaterThanOrEqual(bodyBytes(one, plain) + more);
    }),
  );
});

test('locate finds the segment and the place in it', () => {
  fc.assert(
    fc.property(sized, ({ one, plainBytes: offset }) => {
      const { position, offsetInSegment } = locate(one, offset);
      expect(BigInt(position)).toBe(BigInt(offset) / BigInt(one.plainSegmentBytes));
      expect(BigInt(offsetInSegment)).toBe(BigInt(offset) % BigInt(one.plainSegmentBytes));
    }),
    { numRuns: 2_000 },
  );
});

test('every size of small bodies, one after the other', () => {
  const one = segmentLayout(40, 12);
  expect(one).toEqual({ segmentBytes: 40, overheadBytes: 32, plainSegmentBytes: 8 });
  const sizes = Array.from({ length: 26 }, (_, plain) => bodyBytes(one, plain));
  expect(sizes.slice(0, 10)).toEqual([32, 33, 34, 35, 36, 37, 38, 39, 40, 73]);
  // A body of n whole segments and an empty last one is readable too; every other size has no body.
  const emptyLast = [1, 2, 3].map((segments) => segments * 40 + 32);
  const readable = new Set([...sizes, ...emptyLast]);
  for (let sealed = -1; sealed <= (sizes.at(-1) as number); sealed++) {
    expect([sealed, bodyShape(one, sealed) !== undefined]).toEqual([sealed, readable.has(sealed)]);
  }
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, '5' as unknown as number])(
  '%s is not a size',
  (value) => {
    const one = segmentLayout(65_536, 12);
    expect(bodyShape(one, value)).toBeUndefined();
    expect(() => bodyBytes(one, value)).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }),
    );
    expect(() => sealedBytes(value)).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }),
    );
  },
);

test.each([
  [39, 12],
  [0, 12],
  [-40, 12],
  [40.5, 12],
  [Number.NaN, 12],
  [4_194_305, 12],
  [2 ** 32, 12],
  [44, 24],
])('segments of %s bytes with %i-byte nonces are refused', (segmentBytes, nonceBytes) => {
  expect(() => segmentLayout(segmentBytes, nonceBytes)).toThrow(
    expect.objectContaining({
      code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      message: `segmentBytes must be a whole number from ${nonceBytes === 12 ? 40 : 45} to 4194304`,
    }),
  );
});

test('the smallest and the largest segments are taken', () => {
  expect(segmentLayout(40, 12).plainSegmentBytes).toBe(8);
  expect(segmentLayout(45, 24).plainSegmentBytes).toBe(1);
  expect(segmentLayout(4_194_304, 24).plainSegmentBytes).toBe(4_194_304 - 44);
});

test('sizes of whole messages, for users', () => {
  expect(sealedBytes(0)).toBe(74 + 32);
  expect(sealedBytes(0, { suite: 'xchacha20-poly1305' })).toBe(74 + 44);
  expect(sealedBytes(65_504)).toBe(74 + 65_536);
  expect(sealedBytes(65_505)).toBe(74 + 65_536 + 33);
  expect(plainBytes(74 + 65_536 + 33)).toBe(65_505);
  expect(plainBytes(74 + 65_536 + 32)).toBe(65_504);
  for (const impossible of [-1, 0, 73, 74, 74 + 31, 74 + 65_536 + 1, 74 + 65_536 + 31]) {
    expect(() => plainBytes(impossible)).toThrow(expect.objectContaining({ code: 'ERR_VOLSEAL_TRUNCATED' }));
  }
});
