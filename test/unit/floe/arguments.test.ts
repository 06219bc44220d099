/** What callers of `volseal/floe` may pass, and what they are told when it is something else. */

import { expect, test } from 'vitest';
import {
  FloeDecryptor,
  type FloeDecryptOptions,
  FloeEncryptor,
  type FloeEncryptOptions,
  floeDecrypt,
  floeEncrypt,
  type Suite,
} from '../../../src/floe/index.ts';

const key = new Uint8Array(32).fill(1);
const plain = Uint8Array.of(1, 2, 3);
const error = (code: string, more: Record<string, unknown> = {}): unknown =>
  expect.objectContaining({ name: 'VolsealError', code: `ERR_VOLSEAL_${code}`, ...more });

test('a header is 74 bytes: AEAD, KDF, segment length, IV length, IV, tag', () => {
  const { header } = FloeEncryptor.start(key, { segmentBytes: 4_096, suite: 'xchacha20-poly1305' });
  expect(header).toHaveLength(74);
  expect([...header.subarray(0, 10)]).toEqual([0xf1, 0, 0, 0, 0x10, 0, 0, 0, 0, 32]);
  expect([...FloeEncryptor.start(key).header.subarray(0, 10)]).toEqual([0, 0, 0, 1, 0, 0, 0, 0, 0, 32]);
});

test('what encryptor and decryptor say of their message', () => {
  const encryptor = FloeEncryptor.start(key, { segmentBytes: 100 });
  expect([encryptor.segmentBytes, encryptor.plainSegmentBytes]).toEqual([100, 68]);
  const decryptor = FloeDecryptor.start(key, encryptor.header);
  expect([decryptor.suite, decryptor.segmentBytes, decryptor.plainSegmentBytes]).toEqual([
    'aes-256-gcm',
    100,
    68,
  ]);
  const chacha = FloeEncryptor.start(key, { segmentBytes: 100, suite: 'xchacha20-poly1305' });
  expect([chacha.plainSegmentBytes, FloeDecryptor.start(key, chacha.header).suite]).toEqual([
    56,
    'xchacha20-poly1305',
  ]);
});

test.each([
  ['31 bytes', new Uint8Array(31)],
  ['33 bytes', new Uint8Array(33)],
  ['text', 'k'.repeat(32)],
  ['an array', Array.from(key)],
  ['nothing', undefined],
  ['an ArrayBuffer', new ArrayBuffer(32)],
])('a key of %s is refused everywhere', (_name, wrong) => {
  const badKey = wrong as Uint8Array;
  const refusal = error('INVALID_ARGUMENT', { message: 'a FLOE key must be a Uint8Array of 32 bytes' });
  const { header } = FloeEncryptor.start(key);
  expect(() => floeEncrypt(badKey, plain)).toThrow(refusal);
  expect(() => floeDecrypt(badKey, floeEncrypt(key, plain))).toThrow(refusal);
  expect(() => FloeEncryptor.start(badKey)).toThrow(refusal);
  expect(() => FloeDecryptor.start(badKey, header)).toThrow(refusal);
});

test('the key is copied: wiping it afterwards changes nothing', () => {
  const own = Uint8Array.from(key);
  const encryptor = FloeEncryptor.start(own);
  const decryptor = FloeDecryptor.start(own, encryptor.header);
  own.fill(0);
  const sealed = encryptor.sealSegment(plain, 0, true);
  expect([...decryptor.openSegment(sealed, 0, true)]).toEqual([1, 2, 3]);
});

test('associated data is copied: changing it afterwards changes nothing', () => {
  const associatedData = Uint8Array.of(1, 2, 3);
  const encryptor = FloeEncryptor.start(key, { associatedData });
  associatedData.fill(9);
  const sealed = encryptor.sealSegment(plain, 0, true);
  const decryptor = FloeDecryptor.start(key, encryptor.header, { associatedData: Uint8Array.of(1, 2, 3) });
  expect([...decryptor.openSegment(sealed, 0, true)]).toEqual([1, 2, 3]);
});

test('text is refused with the way to encode it', () => {
  const hint = 'encode text first: Buffer.from(text, "utf8")';
  const text = 'text' as unknown as Uint8Array;
  expect(() => floeEncrypt(key, text)).toThrow(error('INVALID_ARGUMENT', { hint }));
  expect(() => floeDecrypt(key, text)).toThrow(error('INVALID_ARGUMENT', { hint }));
  expect(() => floeEncrypt(key, plain, { associatedData: text })).toThrow(
    error('INVALID_ARGUMENT', { hint }),
  );
  expect(() => FloeDecryptor.start(key, text)).toThrow(error('INVALID_ARGUMENT', { hint }));
  const { header } = FloeEncryptor.start(key);
  expect(() => FloeDecryptor.start(key, header).openSegment(text, 0, true)).toThrow(
    error('INVALID_ARGUMENT', { hint }),
  );
});

test('a misspelt option is refused by name', () => {
  const misspelt = { segmentbytes: 4_096 } as FloeEncryptOptions;
  expect(() => floeEncrypt(key, plain, misspelt)).toThrow(
    error('UNKNOWN_OPTION', {
      message: 'floeEncrypt has no option "segmentbytes"',
      hint: 'did you mean segmentBytes?',
    }),
  );
  expect(() => FloeEncryptor.start(key, misspelt)).toThrow(error('UNKNOWN_OPTION'));
  const foreign = { aad: plain } as FloeDecryptOptions;
  expect(() => floeDecrypt(key, floeEncrypt(key, plain), foreign)).toThrow(
    error('UNKNOWN_OPTION', {
      message: 'floeDecrypt has no option "aad"',
      hint: 'it takes associatedData, rotationMaskBits',
    }),
  );
});

test('an unknown suite is refused by name', () => {
  expect(() => floeEncrypt(key, plain, { suite: 'aes-128-gcm' as Suite })).toThrow(
    error('UNSUPPORTED_SUITE'),
  );
});

test.each([-1, 0.5, 2 ** 40, Number.NaN, Number.POSITIVE_INFINITY])('position %s is refused', (position) => {
  const encryptor = FloeEncryptor.start(key, { segmentBytes: 40 });
  const decryptor = FloeDecryptor.start(key, encryptor.header);
  const sealed = encryptor.sealSegment(plain, 0, true);
  const refusal = error('INVALID_ARGUMENT', {
    message: 'a segment position is a whole number from 0 to 2^40 - 1',
  });
  expect(() => encryptor.sealSegment(plain, position, true)).toThrow(refusal);
  expect(() => decryptor.openSegment(sealed, position, true)).toThrow(refusal);
});

test('a segment must have its length', () => {
  const encryptor = FloeEncryptor.start(key, { segmentBytes: 40 });
  const message = 'a whole segment holds exactly 8 bytes, got 7';
  expect(() => encryptor.sealSegment(new Uint8Array(7), 0, false)).toThrow(
    error('INVALID_ARGUMENT', { message }),
  );
  expect(() => encryptor.sealSegment(new Uint8Array(9), 0, false)).toThrow(error('INVALID_ARGUMENT'));
  expect(() => encryptor.sealSegment(new Uint8Array(9), 0, true)).toThrow(
    error('INVALID_ARGUMENT', { message: 'a last segment holds at most 8 bytes, got 9' }),
  );
  const decryptor = FloeDecryptor.start(key, encryptor.header);
  for (const length of [0, 3, 31, 41]) {
    expect(() => decryptor.openSegment(new Uint8Array(length), 0, true)).toThrow(error('TAMPERED'));
    expect(() => decryptor.openSegment(new Uint8Array(length), 0, false)).toThrow(error('TAMPERED'));
  }
});

test.each([0, 73, 75, 148])('a header of %i bytes is refused', (length) => {
  expect(() => FloeDecryptor.start(key, new Uint8Array(length))).toThrow(
    error('INVALID_ARGUMENT', { message: `a FLOE header has 74 bytes, got ${length}` }),
  );
});

test.each([-1, 41, 0.5, Number.NaN])('rotationMaskBits %s is refused', (rotationMaskBits) => {
  expect(() => floeDecrypt(key, floeEncrypt(key, plain), { rotationMaskBits })).toThrow(
    error('INVALID_ARGUMENT'),
  );
});

test('a wiped encryptor or decryptor does nothing more', () => {
  const encryptor = FloeEncryptor.start(key);
  const sealed = encryptor.sealSegment(plain, 0, true);
  const decryptor = FloeDecryptor.start(key, encryptor.header);
  encryptor.wipe();
  decryptor.wipe();
  expect(() => encryptor.sealSegment(plain, 1, true)).toThrow(error('INTERNAL'));
  expect(() => decryptor.openSegment(sealed, 0, true)).toThrow(error('INTERNAL'));
});

test('messages never carry key bytes or plaintext', () => {
  const secretKey = new Uint8Array(32).fill(0x41);
  const secretPlain = new Uint8Array(40).fill(0x42);
  const sealed = floeEncrypt(secretKey, secretPlain, { segmentBytes: 45 });
  sealed[80] = (sealed[80] as number) ^ 1;
  for (const otherKey of [secretKey, new Uint8Array(32).fill(0x43)]) {
    try {
      floeDecrypt(otherKey, sealed);
      expect.unreachable('it was changed');
    } catch (thrown) {
      const text = JSON.stringify(thrown, Object.getOwnPropertyNames(thrown));
      expect(text).not.toMatch(/AAAA|BBBB|CCCC|4141|4242|4343|65,65|66,66|67,67/);
    }
  }
});
