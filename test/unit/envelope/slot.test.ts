/** Key slots: bytes as the document has them, back again, and nothing else. */

import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex, u16, u32 } from '../../../src/bytes.ts';
import { encodeSlot, parseSlot, type Slot, slotFromWrapped } from '../../../src/envelope/v1/slot.ts';
import { formatKeyId } from '../../../src/key-id.ts';

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const labelUnit = fc.constantFrom(...'abcXYZ019_');
const label = fc.string({ minLength: 1, maxLength: 32, unit: labelUnit });
const localTypes = { 'volume-key': 1, 'fly-secrets': 2, recovery: 3 } as const;
const unsupported = expect.objectContaining({ code: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE' });

const printable = fc.string({
  minLength: 1,
  maxLength: 64,
  unit: fc.integer({ min: 0x21, max: 0x7e }).map((code) => String.fromCharCode(code)),
});
const externalType = printable.filter((type) => !Object.hasOwn(localTypes, type));
const external = fc.record({
  type: externalType,
  keyId: fc.string({ minLength: 1, maxLength: 100, unit: 'binary' }),
  bytes: fc.uint8Array({ maxLength: 500 }),
});

function externalId(type: string, keyId: string): Uint8Array {
  return createHash('sha256')
    .update(`volseal/v1/external-key\0${type}\0${keyId}`, 'utf8')
    .digest()
    .subarray(0, 16);
}

function externalSlot(type: Uint8Array, id: Uint8Array, bytes: Uint8Array, keyId: Uint8Array): Uint8Array {
  const blob = concatBytes(Uint8Array.of(type.length), type, u16(id.length), id, u16(bytes.length), bytes);
  return concatBytes(Uint8Array.of(128, 0), keyId, u32(0), blob);
}

const expectSame = (slot: Slot | undefined, expected: Slot): void => {
  const plain = (one: Slot | undefined): unknown =>
    one === undefined ? undefined : { ...one, wrapped: { ...one.wrapped, bytes: hex(one.wrapped.bytes) } };
  expect(plain(slot)).toEqual(plain(expected));
};

test('a Fly secret and a recovery key: type, hint length, key id, version, 104 bytes, hint', () => {
  const types = fc.constantFrom('fly-secrets', 'recovery');
  fc.assert(
    fc.property(
      types,
      bytesOf(16),
      bytesOf(104),
      fc.option(label, { nil: '' }),
      (type, keyId, wrap, hint) => {
        const wrapped = { type, keyId: formatKeyId(keyId), bytes: concatBytes(wrap, Buffer.from(hint)) };
        const slot = slotFromWrapped(wrapped);
        const encoded = encodeSlot(slot);
        const head = Uint8Array.of(localTypes[type as 'recovery'], hint.length);
        expect(hex(encoded)).toBe(hex(concatBytes(head, keyId, u32(0), wrap, Buffer.from(hint))));
        expectSame(parseSlot(encoded), slot);
        expect(slot.label).toBe(hint === '' ? undefined : hint);
      },
    ),
  );
});

test('a volume key: 126 bytes, with its version and without a hint', () => {
  fc.assert(
    fc.property(bytesOf(16), bytesOf(104), fc.nat({ max: 0xffffffff }), (keyId, wrap, keyVersion) => {
      const slot = slotFromWrapped(
        { type: 'volume-key', keyId: formatKeyId(keyId), bytes: wrap },
        keyVersion,
      );
      const encoded = encodeSlot(slot);
      expect(encoded).toHaveLength(126);
      expect(hex(encoded)).toBe(hex(concatBytes(Uint8Array.of(1, 0), keyId, u32(keyVersion), wrap)));
      expectSame(parseSlot(encoded), slot);
    }),
  );
});

test('any other provider: its type, its key id as text, its bytes', () => {
  fc.assert(
    fc.property(external, (wrapped) => {
      const slot = slotFromWrapped(wrapped);
      const encoded = encodeSlot(slot);
      const id = externalId(wrapped.type, wrapped.keyId);
      expect(hex(encoded)).toBe(
        hex(externalSlot(Buffer.from(wrapped.type), Buffer.from(wrapped.keyId), wrapped.bytes, id)),
      );
      expectSame(parseSlot(encoded), slot);
    }),
  );
});

test('whatever parses is the encoding of what it parses to; what does not is refused with our errors', () => {
  const good = fc.oneof(
    fc
      .tuple(bytesOf(16), bytesOf(104), label)
      .map(([keyId, wrap, hint]) =>
        concatBytes(Uint8Array.of(2, hint.length), keyId, u32(0), wrap, Buffer.from(hint)),
      ),
    external.map(({ type, keyId, bytes }) =>
      externalSlot(Buffer.from(type), Buffer.from(keyId), bytes, externalId(type, keyId)),
    ),
  );
  const changed = fc
    .tuple(good, fc.nat(), fc.nat({ max: 255 }), fc.integer({ min: -3, max: 3 }))
    .map(([slot, at, mask, longer]) => {
      const copy = new Uint8Array(slot.length + longer);
      copy.set(slot.subarray(0, copy.length));
      const place = at % Math.min(40, copy.length);
      copy[place] = (copy[place] as number) ^ mask;
      return copy;
    });
  fc.assert(
    fc.property(fc.oneof(good, changed, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      let slot: Slot | undefined;
      try {
        slot = parseSlot(bytes);
      } catch (error) {
        expect(error).toEqual(unsupported);
        return;
      }
      if (slot !== undefined) expect(hex(encodeSlot(slot))).toBe(hex(bytes));
    }),
    { numRuns: 2_000 },
  );
});

describe('not a slot', () => {
  const keyId = new Uint8Array(16).fill(1);
  const wrap = new Uint8Array(104).fill(2);
  const type = Buffer.from('test-kms');
  const id = Buffer.from('key-1');
  const raw = externalId('test-kms', 'key-1');
  const blob = new Uint8Array(10);
  const good = externalSlot(type, id, blob, raw);
  const withByte = (at: number, value: number): Uint8Array => {
    const copy = Uint8Array.from(good);
    copy[at] = value;
    return copy;
  };

  test.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['a head alone', concatBytes(Uint8Array.of(2, 0), keyId, u32(0))],
    ['a wrap that is too short', concatBytes(Uint8Array.of(2, 0), keyId, u32(0), wrap.subarray(1))],
    ['a hint longer than said', concatBytes(Uint8Array.of(2, 1), keyId, u32(0), wrap, Buffer.from('v1'))],
    ['a hint shorter than said', concatBytes(Uint8Array.of(2, 3), keyId, u32(0), wrap, Buffer.from('v1'))],
    [
      'a hint of 33 characters',
      concatBytes(Uint8Array.of(2, 33), keyId, u32(0), wrap, Buffer.from('x'.repeat(33))),
    ],
    [
      'a hint with a control character',
      concatBytes(Uint8Array.of(2, 2), keyId, u32(0), wrap, Uint8Array.of(0x1b, 0x5b)),
    ],
    ['a hint with a line end', concatBytes(Uint8Array.of(2, 3), keyId, u32(0), wrap, Buffer.from('v1\n'))],
    ['a Fly secret with a version', concatBytes(Uint8Array.of(2, 0), keyId, u32(1), wrap)],
    ['a volume key with a hint', concatBytes(Uint8Array.of(1, 2), keyId, u32(1), wrap, Buffer.from('v1'))],
    ['an external one with a hint length', withByte(1, 1)],
    ['an external one with a version', withByte(21, 1)],
    ['an external one under another key id', withByte(2, (good[2] as number) ^ 1)],
    ['an external one without a type', externalSlot(new Uint8Array(0), id, blob, externalId('', 'key-1'))],
    [
      'an external one without a key id',
      externalSlot(type, new Uint8Array(0), blob, externalId('test-kms', '')),
    ],
    [
      'an external one whose type has a space',
      externalSlot(Buffer.from('a b'), id, blob, externalId('a b', 'key-1')),
    ],
    [
      'an external one whose type has an escape',
      externalSlot(Buffer.from('a\x1b'), id, blob, externalId('a\x1b', 'key-1')),
    ],
    [
      'an external one whose type has 65 characters',
      externalSlot(Buffer.from('a'.repeat(65)), id, blob, externalId('a'.repeat(65), 'key-1')),
    ],
    ['an external one with a byte too many', concatBytes(good, new Uint8Array(1))],
    ['an external one with a byte too few', good.subarray(0, -1)],
    ['an external one whose type runs past the end', withByte(22, 255)],
    ['an external one of more than 2,048 bytes', externalSlot(type, id, new Uint8Array(2_048 - 17), raw)],
  ])('%s', (_name, bytes) => {
    expect(parseSlot(bytes)).toBeUndefined();
  });

  test('a key id that is no UTF-8', () => {
    const bad = Uint8Array.of(0x61, 0xff);
    const digest = createHash('sha256')
      .update(concatBytes(Buffer.from('volseal/v1/external-key\0test-kms\0'), bad))
      .digest();
    expect(parseSlot(externalSlot(type, bad, blob, digest.subarray(0, 16)))).toBeUndefined();
  });

  test('the largest external one that is', () => {
    const largest = externalSlot(type, id, new Uint8Array(2_048 - 18), raw);
    expect(largest).toHaveLength(22 + 2_048);
    expect(parseSlot(largest)?.wrapped.bytes).toHaveLength(2_030);
  });

  test.each([0, 4, 5, 127, 129, 255])('type %i is one of a newer version, named', (slotType) => {
    expect(() => parseSlot(concatBytes(Uint8Array.of(slotType, 0), keyId, u32(0), wrap))).toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
        message: `it has a key slot of an unknown type (${slotType})`,
        hint: expect.stringContaining('upgrade') as string,
      }),
    );
  });
});

describe('a wrap that does not fit is the provider’s failure', () => {
  test.each([
    ['a type with a space', { type: 'test kms', keyId: 'k', bytes: new Uint8Array(1) }],
    ['no type', { type: '', keyId: 'k', bytes: new Uint8Array(1) }],
    ['a type of 65 characters', { type: 'x'.repeat(65), keyId: 'k', bytes: new Uint8Array(1) }],
    ['a type of 256 characters', { type: 'x'.repeat(256), keyId: 'k', bytes: new Uint8Array(1) }],
    ['no key id', { type: 'test-kms', keyId: '', bytes: new Uint8Array(1) }],
    ['2,049 bytes', { type: 'test-kms', keyId: 'k', bytes: new Uint8Array(2_049 - 14) }],
    [
      'a key id of 70,000 characters',
      { type: 'test-kms', keyId: 'k'.repeat(70_000), bytes: new Uint8Array(1) },
    ],
    ['a mebibyte', { type: 'test-kms', keyId: 'k', bytes: new Uint8Array(2 ** 20) }],
  ])('%s', (_name, wrapped) => {
    expect(() => encodeSlot(slotFromWrapped(wrapped))).toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_PROVIDER_FAILED',
        hint: expect.stringContaining('2048 bytes') as string,
      }),
    );
  });

  test('half a surrogate pair in a key id, which would come back as another key id', () => {
    expect(() =>
      encodeSlot(slotFromWrapped({ type: 'test-kms', keyId: 'k\ud800', bytes: new Uint8Array(1) })),
    ).toThrow(expect.objectContaining({ code: 'ERR_VOLSEAL_PROVIDER_FAILED' }));
  });
});
