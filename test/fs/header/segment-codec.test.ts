/** Segments of mutable bodies: round trips, a twin on noble, and every place and role in which they must not open. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Suite } from '../../../src/aead/suite.ts';
import { bytesEqual, concatBytes, hex, readU32 } from '../../../src/bytes.ts';
import { FloeDecryptor } from '../../../src/floe/decryptor.ts';
import { FloeEncryptor } from '../../../src/floe/encryptor.ts';
import { SegmentCodec } from '../../../src/fs/header/segment-codec.ts';
import { Secret } from '../../../src/secret.ts';
import { referenceEncrypt, referenceOpenSegment, referenceStart } from '../../reference/floe.ts';

const suites: readonly Suite[] = ['aes-256-gcm', 'xchacha20-poly1305'];
const aeadIds: Readonly<Record<Suite, number>> = { 'aes-256-gcm': 0xf2, 'xchacha20-poly1305': 0xf1 };
const segmentBytes = 4_096;
const plainSegmentBytes = segmentBytes - 44;
const rawKey = Uint8Array.from({ length: 32 }, (_, i) => i + 1);
const keyOf = (): Secret => new Secret(Uint8Array.from(rawKey));
const associatedData = Buffer.from('what the file is');

const makeCodec = (suite: Suite): SegmentCodec =>
  SegmentCodec.create(keyOf(), { suite, segmentBytes, associatedData });
const reopened = ({ floeHeader }: SegmentCodec): SegmentCodec =>
  SegmentCodec.open(keyOf(), Uint8Array.from(floeHeader), associatedData) as SegmentCodec;
const sealed = (codec: SegmentCodec, plain: Uint8Array, position: number, final: boolean): Uint8Array =>
  concatBytes(...codec.seal([plain], position, final));
const plainOf = (bytes: number): Uint8Array => Uint8Array.from({ length: bytes }, (_, i) => i * 7 + (i >> 8));

const positions = fc.oneof(
  fc.nat({ max: 5 }),
  fc.constantFrom(2 ** 20 - 1, 2 ** 20, 2 ** 31, 2 ** 32 + 3, 2 ** 40 - 1),
);

describe.each(suites)('%s', (suite) => {
  test('what is sealed opens again, here and in another codec, in pieces and again over the same place', () => {
    const codec = makeCodec(suite);
    const other = reopened(codec);
    const input = fc.record({
      position: positions,
      final: fc.boolean(),
      plainBytes: fc.oneof(
        fc.constantFrom(0, 1, plainSegmentBytes - 1, plainSegmentBytes),
        fc.nat({ max: plainSegmentBytes }),
      ),
      cuts: fc.array(fc.nat({ max: plainSegmentBytes }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(input, ({ cuts, final, plainBytes, position }) => {
        const plain = plainOf(final ? plainBytes : plainSegmentBytes);
        const borders = [0, ...cuts.map((cut) => Math.min(cut, plain.length)), plain.length].sort(
          (a, b) => a - b,
        );
        const pieces = borders.slice(1).map((end, i) => plain.subarray(borders[i], end));
        const parts = codec.seal(pieces, position, final);
        const whole = concatBytes(...parts);
        expect(whole).toHaveLength(plain.length + 44);
        expect(readU32(whole, 0)).toBe(final ? whole.length : 0xffffffff);
        const before = hex(whole);
        for (const opener of [codec, other, reopened(codec)]) {
          const opened = opener.open(whole, position, final) as Uint8Array;
          expect(bytesEqual(opened, plain)).toBe(true);
        }
        expect(hex(whole)).toBe(before);
        const again = concatBytes(...codec.seal([plain], position, final));
        expect(bytesEqual(again.subarray(4, 28), whole.subarray(4, 28))).toBe(false);
        expect(bytesEqual(again.subarray(4), whole.subarray(4))).toBe(false);
        expect(bytesEqual(codec.open(again, position, final) as Uint8Array, plain)).toBe(true);
      }),
    );
  });

  test('the twin on noble opens what the codec seals', () => {
    const codec = makeCodec(suite);
    const state = referenceStart(rawKey, codec.floeHeader, associatedData);
    expect(codec.floeHeader[0]).toBe(aeadIds[suite]);
    for (const position of [0, 1, 2 ** 20 - 1, 2 ** 20, 2 ** 33 + 5]) {
      for (const [plain, final] of [
        [plainOf(plainSegmentBytes), false],
        [plainOf(100), true],
        [plainOf(0), true],
      ] as const) {
        const opened = referenceOpenSegment(
          state,
          sealed(codec, plain, position, final),
          BigInt(position),
          final,
        );
        expect(bytesEqual(opened, plain)).toBe(true);
      }
    }
  });

  test('the codec opens what the twin seals, under any nonce', () => {
    const plain = plainOf(3 * plainSegmentBytes + 17);
    const message = referenceEncrypt(rawKey, plain, {
      aeadId: aeadIds[suite],
      segmentBytes,
      iv: new Uint8Array(32).fill(5),
      nonce: (position) => Uint8Array.from({ length: 24 }, (_, i) => Number(position) * 31 + i),
      associatedData,
    });
    const codec = SegmentCodec.open(keyOf(), message.slice(0, 74), associatedData) as SegmentCodec;
    const opened = [0, 1, 2, 3].map((position) => {
      const at = 74 + position * segmentBytes;
      return codec.open(message.subarray(at, at + segmentBytes), position, position === 3) as Uint8Array;
    });
    expect(bytesEqual(concatBytes(...opened), plain)).toBe(true);
  });

  test('segments under more keys than are kept are sealed and opened in any order', () => {
    const codec = makeCodec(suite);
    const twin = referenceStart(rawKey, codec.floeHeader, associatedData);
    const all = new Map<number, Uint8Array>();
    const visits = fc.array(fc.tuple(fc.nat({ max: 11 }), fc.boolean()), { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(visits, (steps) => {
        for (const [epoch, write] of steps) {
          const position = epoch * 2 ** 20 + 7;
          const plain = Uint8Array.of(epoch);
          const bytes = write || !all.has(epoch) ? sealed(codec, plain, position, true) : all.get(epoch);
          all.set(epoch, bytes as Uint8Array);
          expect(codec.open(bytes as Uint8Array, position, true)).toEqual(Buffer.from(plain));
        }
      }),
      { numRuns: 20 },
    );
    for (const [epoch, bytes] of all) {
      const position = BigInt(epoch * 2 ** 20 + 7);
      expect(referenceOpenSegment(twin, bytes, position, true)).toEqual(Uint8Array.of(epoch));
    }
  });

  test('only in its file, its position and its role', () => {
    const [codec, foreign] = [makeCodec(suite), makeCodec(suite)];
    const whole = sealed(codec, plainOf(plainSegmentBytes), 3, false);
    const last = sealed(codec, plainOf(plainSegmentBytes), 3, true);
    expect(codec.open(whole, 3, false)).toBeDefined();
    expect(codec.open(last, 3, true)).toBeDefined();
    for (const position of [0, 2, 4, 3 + 2 ** 20, 3 + 2 ** 32, 2 ** 40 - 1]) {
      expect(codec.open(whole, position, false)).toBeUndefined();
      expect(codec.open(last, position, true)).toBeUndefined();
    }
    expect(codec.open(whole, 3, true)).toBeUndefined();
    expect(codec.open(last, 3, false)).toBeUndefined();
    // Nor when the length field is made to say what the role wants.
    const posing = (bytes: Uint8Array, prefix: readonly number[]): Uint8Array =>
      concatBytes(Uint8Array.from(prefix), bytes.subarray(4));
    expect(codec.open(posing(whole, [0, 0, 0x10, 0]), 3, true)).toBeUndefined();
    expect(codec.open(posing(last, [255, 255, 255, 255]), 3, false)).toBeUndefined();
    expect(foreign.open(whole, 3, false)).toBeUndefined();
    const elsewhere = SegmentCodec.create(keyOf(), {
      suite,
      segmentBytes,
      associatedData: Buffer.from('another file'),
    });
    expect(elsewhere.open(whole, 3, false)).toBeUndefined();
  });

  test('not changed anywhere, not cut, not longer', () => {
    const codec = makeCodec(suite);
    const last = sealed(codec, plainOf(20), 1, true);
    for (let bit = 0; bit < last.length * 8; bit++) {
      const changed = Uint8Array.from(last);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect(codec.open(changed, 1, true)).toBeUndefined();
    }
    for (let length = 0; length < last.length; length++)
      expect(codec.open(last.subarray(0, length), 1, true)).toBeUndefined();
    expect(codec.open(concatBytes(last, Uint8Array.of(0)), 1, true)).toBeUndefined();
    const whole = sealed(codec, plainOf(plainSegmentBytes), 1, false);
    for (const length of [0, 3, 4, 5, 20, 28, 43, 44, 45, segmentBytes - 1])
      expect(codec.open(whole.subarray(0, length), 1, false)).toBeUndefined();
    expect(codec.open(concatBytes(whole, Uint8Array.of(0)), 1, false)).toBeUndefined();
    expect(codec.open(whole, 1, false)).toBeDefined();
  });

  test('zeros are no segment: a hole is corruption, whatever its length field', () => {
    const codec = makeCodec(suite);
    for (const position of [0, 1, 2 ** 20]) {
      expect(codec.open(new Uint8Array(segmentBytes), position, false)).toBeUndefined();
      for (const length of [0, 1, 44, 100, segmentBytes])
        expect(codec.open(new Uint8Array(length), position, true)).toBeUndefined();
    }
    const marked = new Uint8Array(segmentBytes).fill(255, 0, 4);
    expect(codec.open(marked, 0, false)).toBeUndefined();
    const lastMarked = new Uint8Array(100).fill(100, 3, 4);
    expect(codec.open(lastMarked, 0, true)).toBeUndefined();
  });

  test('segments of the other suite and of a write-once body do not open, under the same key and context', () => {
    const codec = makeCodec(suite);
    const other = makeCodec(suites.find((name) => name !== suite) as Suite);
    expect(other.open(sealed(codec, plainOf(9), 0, true), 0, true)).toBeUndefined();
    const encryptor = FloeEncryptor.start(rawKey, { suite, segmentBytes, associatedData });
    const once = encryptor.sealSegment(plainOf(9), 0, true);
    expect(codec.open(once, 0, true)).toBeUndefined();
  });

  test('a header that does not belong to key and associated data opens no codec', () => {
    const { floeHeader } = makeCodec(suite);
    expect(SegmentCodec.open(keyOf(), floeHeader, associatedData)).toBeDefined();
    expect(SegmentCodec.open(keyOf(), floeHeader, Buffer.from('another file'))).toBeUndefined();
    expect(SegmentCodec.open(new Secret(new Uint8Array(32)), floeHeader, associatedData)).toBeUndefined();
    for (const at of [10, 41, 42, 73]) {
      const changed = Uint8Array.from(floeHeader);
      changed[at] = (changed[at] as number) ^ 1;
      expect(SegmentCodec.open(keyOf(), changed, associatedData)).toBeUndefined();
    }
  });
});

test('suites that are not for mutable bodies are refused by name, and the mutable one by FLOE', () => {
  const encryptor = FloeEncryptor.start(rawKey, { segmentBytes, associatedData });
  expect(() => SegmentCodec.open(keyOf(), encryptor.header, associatedData)).toThrow(
    expect.objectContaining({
      code: 'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      message: 'aes-256-gcm (AEAD id 0) is no suite of a mutable body',
    }),
  );
  const { floeHeader } = makeCodec('aes-256-gcm');
  expect(() => FloeDecryptor.start(rawKey, floeHeader, { associatedData })).toThrow(
    expect.objectContaining({
      code: 'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      message: 'xaes-256-gcm (AEAD id 242) is no suite of a write-once body',
    }),
  );
});

test('a caller that miscounts is stopped before anything is sealed', () => {
  const codec = makeCodec('aes-256-gcm');
  const internal = expect.objectContaining({ code: 'ERR_VOLSEAL_INTERNAL' }) as Error;
  expect(() => codec.seal([plainOf(plainSegmentBytes - 1)], 0, false)).toThrow(internal);
  expect(() => codec.seal([plainOf(plainSegmentBytes), Uint8Array.of(1)], 0, false)).toThrow(internal);
  expect(() => codec.seal([plainOf(plainSegmentBytes + 1)], 0, true)).toThrow(internal);
  for (const position of [-1, 0.5, 2 ** 40, Number.NaN]) {
    expect(() => codec.seal([plainOf(1)], position, true)).toThrow('position');
    expect(() => codec.open(new Uint8Array(100), position, true)).toThrow('position');
  }
});

test('after a wipe it seals and opens nothing', () => {
  const codec = makeCodec('aes-256-gcm');
  const last = sealed(codec, plainOf(9), 0, true);
  codec.wipe();
  expect(() => codec.seal([plainOf(1)], 0, true)).toThrow('wiped');
  expect(() => codec.open(last, 0, true)).toThrow('wiped');
});

test('what a call gives out is not touched by the calls after it', () => {
  const codec = makeCodec('aes-256-gcm');
  const parts = Array.from({ length: 20 }, (_, position) =>
    codec.seal([Uint8Array.of(position)], position, true),
  );
  const opened = parts.map(
    (each, position) => codec.open(concatBytes(...each), position, true) as Uint8Array,
  );
  expect(opened.map((plain) => [...plain])).toEqual(Array.from({ length: 20 }, (_, i) => [i]));
  expect(new Set(parts.map(([head]) => hex(head as Uint8Array))).size).toBe(20);
});
