/** What FLOE seals, the reference opens, and the other way round: over sizes, segment sizes, suites and associated data. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Suite } from '../../../src/aead/suite.ts';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { FloeDecryptor } from '../../../src/floe/decryptor.ts';
import { FloeEncryptor } from '../../../src/floe/encryptor.ts';
import { floeHeaderBytes } from '../../../src/floe/layout.ts';
import { floeDecrypt, floeEncrypt, sealedBytes } from '../../../src/floe/whole.ts';
import {
  referenceDecrypt,
  referenceEncrypt,
  referenceOpenSegment,
  referenceStart,
} from '../../reference/floe.ts';

const aeadIds = { 'aes-256-gcm': 0, 'xchacha20-poly1305': 0xf1 } as const;
const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });

const message = fc
  .record({
    suite: fc.constantFrom<Suite>('aes-256-gcm', 'xchacha20-poly1305'),
    segmentBytes: fc.oneof(fc.integer({ min: 45, max: 200 }), fc.constantFrom(512, 4_096)),
    key: bytesOf(32),
    associatedData: fc.uint8Array({ maxLength: 60 }),
  })
  .chain((one) => {
    const step = one.segmentBytes - (one.suite === 'aes-256-gcm' ? 32 : 44);
    // Whole segments and one byte to either side are where finality is decided.
    const length = fc.oneof(
      fc.nat({ max: 3 * step }),
      fc
        .tuple(fc.integer({ min: 0, max: 3 }), fc.constantFrom(-1, 0, 1))
        .map(([n, distance]) => Math.max(0, n * step + distance)),
    );
    return length.chain((plainBytes) => fc.record({ one: fc.constant(one), plain: bytesOf(plainBytes) }));
  });

test('floeEncrypt → the reference, floeDecrypt', () => {
  fc.assert(
    fc.property(message, ({ one, plain }) => {
      const { key, ...options } = one;
      const sealed = floeEncrypt(key, plain, options);
      expect(sealed).toHaveLength(sealedBytes(plain.length, options));
      expect(hex(referenceDecrypt(key, sealed, one.associatedData))).toBe(hex(plain));
      expect(hex(floeDecrypt(key, sealed, { associatedData: one.associatedData }))).toBe(hex(plain));
    }),
  );
});

test('the reference → floeDecrypt, with an empty last segment after whole ones as well', () => {
  fc.assert(
    fc.property(
      message,
      bytesOf(32),
      fc.boolean(),
      fc.nat({ max: 20 }),
      ({ one, plain }, iv, emptyLast, maskBits) => {
        const { key, suite, segmentBytes, associatedData } = one;
        const aeadId = aeadIds[suite];
        const nonce = (position: bigint): Uint8Array =>
          new Uint8Array(aeadId === 0 ? 12 : 24).fill(Number(position));
        const sealed = referenceEncrypt(key, plain, {
          aeadId,
          segmentBytes,
          iv,
          nonce,
          associatedData,
          maskBits,
          emptyLast,
        });
        expect(hex(floeDecrypt(key, sealed, { associatedData, rotationMaskBits: maskBits }))).toBe(
          hex(plain),
        );
      },
    ),
  );
});

test('segments sealed in any order, at once or from pieces, make the same message', () => {
  fc.assert(
    fc.property(message, fc.infiniteStream(fc.nat()), ({ one, plain }, cuts) => {
      const { key, ...options } = one;
      const encryptor = FloeEncryptor.start(key, options);
      const step = encryptor.plainSegmentBytes;
      const segments = Math.max(1, Math.ceil(plain.length / step));
      const sealed: Uint8Array[] = [];
      for (let position = segments - 1; position >= 0; position--) {
        const piece = plain.subarray(position * step, (position + 1) * step);
        const cut = piece.length === 0 ? 0 : (cuts.next().value as number) % piece.length;
        const parts = encryptor.sealSegmentParts(
          [piece.subarray(0, cut), piece.subarray(cut)],
          position,
          position === segments - 1,
        );
        sealed[position] = concatBytes(...parts);
      }
      const whole = concatBytes(encryptor.header, ...sealed);
      expect(hex(referenceDecrypt(key, whole, one.associatedData))).toBe(hex(plain));
    }),
  );
});

test('a segment in pieces opens as the whole segment does', () => {
  fc.assert(
    fc.property(message, fc.array(fc.nat(), { maxLength: 4 }), ({ one, plain }, cuts) => {
      const { key, ...options } = one;
      const sealed = floeEncrypt(key, plain, options);
      const decryptor = FloeDecryptor.start(key, sealed.subarray(0, floeHeaderBytes), {
        associatedData: one.associatedData,
      });
      const segment = sealed.subarray(floeHeaderBytes, floeHeaderBytes + one.segmentBytes);
      const final = sealed.length - floeHeaderBytes <= one.segmentBytes;
      const borders = [
        0,
        ...cuts.map((cut) => cut % segment.length).toSorted((a, b) => a - b),
        segment.length,
      ];
      const pieces = borders.slice(1).map((end, i) => segment.subarray(borders[i] as number, end));
      const opened = concatBytes(...decryptor.openSegmentParts(pieces, 0, final));
      expect(hex(opened)).toBe(hex(decryptor.openSegment(segment, 0, final)));
      expect(hex(opened)).toBe(hex(plain.subarray(0, opened.length)));
      expect(opened).toHaveLength(Math.min(plain.length, decryptor.plainSegmentBytes));
    }),
  );
});

test('positions past 32 and up to 40 bits, on both sides of every change of the segment key', () => {
  const key = new Uint8Array(32).fill(9);
  const borders = [2 ** 20, 2 ** 31, 2 ** 32, 2 ** 33, 2 ** 39, 2 ** 40];
  const positions = borders
    .flatMap((border) => [border - 1, border])
    .filter((position) => position < 2 ** 40);
  for (const suite of ['aes-256-gcm', 'xchacha20-poly1305'] as const) {
    const encryptor = FloeEncryptor.start(key, { segmentBytes: 64, suite });
    const decryptor = FloeDecryptor.start(key, encryptor.header);
    const state = referenceStart(key, encryptor.header, new Uint8Array(0));
    for (const position of positions) {
      const plain = new Uint8Array(encryptor.plainSegmentBytes).fill(position % 251);
      const sealed = encryptor.sealSegment(plain, position, false);
      expect(hex(referenceOpenSegment(state, sealed, BigInt(position), false))).toBe(hex(plain));
      expect(hex(decryptor.openSegment(sealed, position, false))).toBe(hex(plain));
      const elsewhere = positions.filter((other) => other !== position);
      for (const other of elsewhere) {
        expect(() => decryptor.openSegment(sealed, other, false)).toThrow(
          expect.objectContaining({ code: 'ERR_VOLSEAL_TAMPERED' }),
        );
      }
    }
  }
});

test('no two messages and no two segments share a nonce or an IV', () => {
  const key = new Uint8Array(32).fill(3);
  const seen = new Set<string>();
  for (let i = 0; i < 50; i++) {
    const sealed = floeEncrypt(key, new Uint8Array(80), { segmentBytes: 40 });
    seen.add(Buffer.from(sealed.subarray(10, 42)).toString('hex'));
    for (let at = floeHeaderBytes; at < sealed.length; at += 40)
      seen.add(Buffer.from(sealed.subarray(at + 4, at + 16)).toString('hex'));
  }
  expect(seen.size).toBe(50 * 11);
});
