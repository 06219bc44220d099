/** A FLOE message that was changed: the right code, the same from every reader, and not one byte that was not authenticated. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Suite } from '../../../src/aead/suite.ts';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { VolsealError } from '../../../src/errors.ts';
import { FloeDecryptor } from '../../../src/floe/decryptor.ts';
import { floeHeaderBytes } from '../../../src/floe/layout.ts';
import { floeDecrypt, floeEncrypt } from '../../../src/floe/whole.ts';
import { BodyOpener } from '../../../src/stream/body-stages.ts';
import { ByteQueue } from '../../../src/stream/byte-queue.ts';

const key = new Uint8Array(32).fill(5);
const associatedData = Buffer.from('bound');
const segmentBytes = 64;

interface Outcome {
  /** undefined: opened without an error. */
  readonly code: string | undefined;
  readonly offset: number | undefined;
  readonly released: Uint8Array;
}

function outcomeOf(run: (release: (plain: Uint8Array) => void) => void): Outcome {
  const released: Uint8Array[] = [];
  try {
    run((plain) => released.push(plain));
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    return { code: error.code, offset: error.offset, released: concatBytes(...released) };
  }
  return { code: undefined, offset: undefined, released: concatBytes(...released) };
}

function openWhole(message: Uint8Array): Outcome {
  return outcomeOf((release) => release(floeDecrypt(key, message, { associatedData })));
}

/** As a stream does: the header, then segments while they come, finality by the end of the input. */
function openByStream(message: Uint8Array, pieceBytes: number): Outcome {
  return outcomeOf((release) => {
    const decryptor = FloeDecryptor.start(key, message.subarray(0, floeHeaderBytes), { associatedData });
    const queue = new ByteQueue();
    const opener = new BodyOpener(decryptor, queue, floeHeaderBytes);
    for (let at = floeHeaderBytes; at < message.length; at += pieceBytes) {
      queue.push(message.subarray(at, at + pieceBytes));
      for (let plain = opener.next(); plain !== undefined; plain = opener.next())
        release(concatBytes(...plain));
    }
    release(concatBytes(...opener.last()));
  });
}

describe.each<[Suite, number]>([
  ['aes-256-gcm', 32],
  ['xchacha20-poly1305', 44],
])('%s', (suite, overheadBytes) => {
  const step = segmentBytes - overheadBytes;
  const plain = Uint8Array.from({ length: 3 * step + 5 }, (_, i) => i);
  const other = floeEncrypt(key, plain, { associatedData, segmentBytes, suite });
  const whole = floeEncrypt(key, plain, { associatedData, segmentBytes, suite });
  const aligned = floeEncrypt(key, plain.subarray(0, 3 * step), { associatedData, segmentBytes, suite });
  const header = whole.subarray(0, floeHeaderBytes);
  const segmentsOf = (message: Uint8Array): Uint8Array[] => {
    const count = Math.ceil((message.length - floeHeaderBytes) / segmentBytes);
    return Array.from({ length: count }, (_, i) =>
      message.subarray(floeHeaderBytes + i * segmentBytes, floeHeaderBytes + (i + 1) * segmentBytes),
    );
  };
  const [s0, s1, s2, s3] = segmentsOf(whole) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const [o0, , , o3] = segmentsOf(other) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];

  test.each<[string, Uint8Array[], string, number]>([
    ['the first two swapped', [s1, s0, s2, s3], 'TAMPERED', 0],
    ['two in the middle swapped', [s0, s2, s1, s3], 'TAMPERED', 1],
    ['one twice', [s0, s1, s1, s2, s3], 'TAMPERED', 2],
    ['the first missing', [s1, s2, s3], 'TAMPERED', 0],
    ['one in the middle missing', [s0, s2, s3], 'TAMPERED', 1],
    ['the last missing', [s0, s1, s2], 'TRUNCATED', 2],
    ['only the last', [s3], 'TAMPERED', 0],
    ['the last in front', [s3, s0, s1, s2], 'TAMPERED', 0],
    ['the last twice', [s0, s1, s2, s3, s3], 'TRAILING_DATA', 3],
    ['a whole one after the last', [s0, s1, s2, s3, s0], 'TRAILING_DATA', 3],
    ['a segment of another message', [s0, s1, o0, s3], 'TAMPERED', 2],
    ['the last segment of another message', [s0, s1, s2, o3], 'TAMPERED', 3],
    ['no segment at all', [], 'TRUNCATED', 0],
    ['another message behind it', [s0, s1, s2, s3, other], 'TRAILING_DATA', 3],
  ])('%s', (_name, segments, code, releasedSegments) => {
    const message = concatBytes(header, ...segments);
    for (const pieceBytes of [1, 7, 64, 1_000]) {
      const outcome = openByStream(message, pieceBytes);
      expect([outcome.code, hex(outcome.released)]).toEqual([
        `ERR_VOLSEAL_${code}`,
        hex(plain.subarray(0, releasedSegments * step)),
      ]);
    }
    const outcome = openWhole(message);
    expect([outcome.code, outcome.released.length]).toEqual([`ERR_VOLSEAL_${code}`, 0]);
  });

  test('the segments of one message under the header of another', () => {
    expect(openWhole(concatBytes(other.subarray(0, floeHeaderBytes), s0, s1, s2, s3)).code).toBe(
      'ERR_VOLSEAL_TAMPERED',
    );
  });

  test.each([
    ['whose last segment is part-full', whole],
    ['whose last segment is full', aligned],
  ])('cut anywhere, a message %s is truncated, for every reader', (_name, message) => {
    for (let length = 0; length < message.length; length++) {
      const cut = message.subarray(0, length);
      expect([length, openWhole(cut).code]).toEqual([length, 'ERR_VOLSEAL_TRUNCATED']);
      if (length < floeHeaderBytes) continue;
      const outcome = openByStream(cut, 50);
      expect([length, outcome.code, outcome.offset]).toEqual([length, 'ERR_VOLSEAL_TRUNCATED', length]);
      expect(hex(plain).startsWith(hex(outcome.released))).toBe(true);
      expect(outcome.released.length % step).toBe(0);
    }
  });

  test.each([
    ['whose last segment is part-full', whole],
    ['whose last segment is full', aligned],
  ])(
    'with bytes after it, a message %s has trailing data, for every reader, at its true end',
    (_name, message) => {
      for (let extra = 1; extra <= 2 * segmentBytes + 1; extra++) {
        const longer = concatBytes(message, new Uint8Array(extra).fill(0xa5));
        expect([extra, openByStream(longer, 50)]).toMatchObject([
          extra,
          { code: 'ERR_VOLSEAL_TRAILING_DATA', offset: message.length },
        ]);
        expect([extra, openWhole(longer)]).toMatchObject([
          extra,
          { code: 'ERR_VOLSEAL_TRAILING_DATA', offset: message.length },
        ]);
      }
    },
  );

  test('every bit of the message flipped, one at a time: never opens, never releases a changed byte', () => {
    const codes = new Map<string, Set<string>>();
    const fieldOf = (at: number): string => {
      if (at < 2) return 'suite';
      if (at < 6) return 'segment length';
      if (at < 10) return 'IV length';
      if (at < floeHeaderBytes) return 'IV and header tag';
      const inSegment = (at - floeHeaderBytes) % segmentBytes;
      const last = at >= floeHeaderBytes + 3 * segmentBytes;
      return inSegment < 4 ? (last ? 'last prefix' : 'prefix') : 'nonce, ciphertext, tag';
    };
    for (let bit = 0; bit < whole.length * 8; bit++) {
      const at = bit >> 3;
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] as number) ^ (1 << (bit & 7));
      const outcome = openByStream(changed, 1_000);
      expect(openWhole(changed).code).toBe(outcome.code);
      expect(hex(plain).startsWith(hex(outcome.released))).toBe(true);
      const field = fieldOf(at);
      codes.set(field, (codes.get(field) ?? new Set()).add(String(outcome.code).replace('ERR_VOLSEAL_', '')));
    }
    expect(Object.fromEntries([...codes].map(([field, set]) => [field, [...set].toSorted()]))).toEqual({
      suite: ['UNSUPPORTED_SUITE'],
      'segment length': ['UNSUPPORTED_SUITE', 'WRONG_KEY'],
      'IV length': ['UNSUPPORTED_SUITE'],
      'IV and header tag': ['WRONG_KEY'],
      prefix: ['TAMPERED'],
      'nonce, ciphertext, tag': ['TAMPERED'],
      // A larger length, of up to a whole segment, is what a cut segment has in front.
      'last prefix': ['TAMPERED', 'TRUNCATED'],
    });
  });

  test('any splice of any pieces: whole and stream agree, and release nothing but a prefix', () => {
    const piece = fc.oneof(
      fc.constantFrom(s0, s1, s2, s3, o0, o3),
      fc.uint8Array({ maxLength: 90 }),
      fc
        .tuple(fc.constantFrom(s0, s3), fc.nat({ max: 64 }))
        .map(([segment, length]) => segment.subarray(0, length)),
    );
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 6 }),
        fc.integer({ min: 1, max: 200 }),
        (pieces, pieceBytes) => {
          const message = concatBytes(header, ...pieces);
          const streamed = openByStream(message, pieceBytes);
          const opened = openWhole(message);
          expect(opened.code).toBe(streamed.code);
          const untouched = hex(message) === hex(whole);
          expect(streamed.code === undefined).toBe(untouched);
          expect(hex(plain).startsWith(hex(streamed.released))).toBe(true);
          if (!untouched) expect(opened.released).toHaveLength(0);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('a segment opens at its own position and finality alone', () => {
    const decryptor = FloeDecryptor.start(key, header, { associatedData });
    const segments = [s0, s1, s2, s3];
    for (const [from, segment] of segments.entries()) {
      for (const position of [0, 1, 2, 3, 4]) {
        for (const final of [false, true]) {
          if (position === from && final === (from === 3)) {
            expect(hex(decryptor.openSegment(segment, position, final))).toBe(
              hex(plain.subarray(from * step, (from + 1) * step)),
            );
          } else {
            expect(() => decryptor.openSegment(segment, position, final)).toThrow(
              expect.objectContaining({ code: 'ERR_VOLSEAL_TAMPERED' }),
            );
          }
        }
      }
    }
  });
});
