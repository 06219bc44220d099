/** One header copy: the bytes of the document, and each field out of its bounds under a matching checksum. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex, readU32, u16, u32 } from '../../../src/bytes.ts';
import { headerMacKey } from '../../../src/envelope/body.ts';
import {
  encodeHalf,
  encodeNextHalf,
  findCopy,
  type HeaderContent,
  type HeaderCopy,
  readPrefix,
  verifyMac,
} from '../../../src/envelope/v1/copy.ts';
import { parseSlot } from '../../../src/envelope/v1/slot.ts';
import { Secret } from '../../../src/secret.ts';
import { type ReferenceCopy, referenceContext, referenceCopy } from '../../reference/header.ts';
import { bigEndian } from '../../reference/keys.ts';
import { referenceParts } from '../../reference/sealed.ts';

const dataKey = new Uint8Array(32).fill(0xdd);
const parts = referenceParts({
  ikm: Uint8Array.from({ length: 32 }, (_, i) => i * i),
  label: 'v1',
  dataKey,
  fileId: new Uint8Array(16).fill(0xf1),
  iv: new Uint8Array(32).fill(0x11),
  slotNonce: new Uint8Array(24).fill(0x22),
  segmentNonce: () => new Uint8Array(12),
  aeadId: 0,
  segmentBytes: 4_096,
  regionBytes: 4_096,
  context: [['tenant', 'a']],
  plain: new Uint8Array(0),
});
const base = parts.copy;
const macKey = (): Secret => headerMacKey(new Secret(Uint8Array.from(dataKey)));

function find(changes: Partial<ReferenceCopy>): ReturnType<typeof findCopy> {
  const copy = { ...base, ...changes };
  return findCopy(referenceCopy(copy, dataKey), copy.halfIndex as 0 | 1);
}

function goodCopy(changes: Partial<ReferenceCopy>): HeaderCopy {
  const finding = find(changes);
  if (finding.state !== 'good') throw new Error(`the copy is ${finding.state}`);
  return finding.copy;
}

const refused = (code: string, words: string): unknown =>
  expect.objectContaining({
    code: `ERR_VOLSEAL_${code}`,
    message: expect.stringContaining(words) as string,
    hint: expect.stringMatching(/\w/) as string,
  });

const bytesOf = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const label = fc.string({ maxLength: 32, unit: fc.constantFrom(...'abcXYZ019_') });
const slotBytes = fc
  .tuple(bytesOf(16), bytesOf(104), label)
  .map(([keyId, wrap, hint]) =>
    concatBytes(Uint8Array.of(2, hint.length), keyId, u32(0), wrap, Buffer.from(hint)),
  );
const content = fc.record({
  regionBytes: fc.constantFrom(8_192, 16_384, 32_768, 65_536),
  halfIndex: fc.constantFrom<0 | 1>(0, 1),
  generation: fc.oneof(fc.integer({ min: 1, max: 5 }), fc.constantFrom(2 ** 32, 2 ** 53 - 1)),
  fileId: bytesOf(16),
  iv: bytesOf(64),
  context: fc
    .uniqueArray(fc.tuple(fc.string({ minLength: 1, maxLength: 10 }), fc.string({ maxLength: 20 })), {
      maxLength: 5,
      selector: ([key]) => key,
    })
    .map(referenceContext),
  slots: fc.array(slotBytes, { minLength: 1, maxLength: 8 }),
});

test('encoded as the reference does, zero to the end of the half, and read back', () => {
  fc.assert(
    fc.property(content, ({ regionBytes, halfIndex, generation, fileId, iv, context, slots }) => {
      const floeHeader = concatBytes(base.floeHeader.subarray(0, 10), iv);
      const encoded: HeaderContent = {
        regionBytes,
        bodyKind: 1,
        generation,
        fileId,
        floeHeader,
        state: { syncSeq: 0, bodyBytes: 0, acc: new Uint8Array(32) },
        context,
      };
      const half = encodeHalf(encoded, slots, halfIndex, macKey());
      const expected = referenceCopy(
        { regionBytes, halfIndex, generation: BigInt(generation), fileId, floeHeader, context, slots },
        dataKey,
      );
      expect(half).toHaveLength(regionBytes / 2);
      expect(hex(half.subarray(0, expected.length))).toBe(hex(expected));
      expect(half.subarray(expected.length).every((byte) => byte === 0)).toBe(true);
      const finding = findCopy(half, halfIndex);
      expect(finding.state).toBe('good');
      const { copy } = finding as { copy: HeaderCopy };
      expect([copy.halfIndex, copy.regionBytes, copy.bodyKind, copy.generation]).toEqual([
        halfIndex,
        regionBytes,
        1,
        generation,
      ]);
      expect([copy.fileId, copy.floeHeader, copy.context].map(hex)).toEqual(
        [fileId, floeHeader, context].map(hex),
      );
      expect(copy.slots).toEqual(slots.map(parseSlot));
      expect(verifyMac(copy, macKey())).toBe(true);
      expect(verifyMac(copy, headerMacKey(new Secret(new Uint8Array(32).fill(1))))).toBe(false);
    }),
  );
});

test('the next half says what the copy says, but for its index, its generation and its state', () => {
  fc.assert(
    fc.property(
      content,
      fc.integer({ min: 1, max: 2 ** 53 - 1 }),
      fc.constantFrom<0 | 1>(0, 1),
      (before, generation, halfIndex) => {
        const floeHeader = concatBytes(Uint8Array.of(0xf2), base.floeHeader.subarray(1, 10), before.iv);
        const fixed = { ...before, bodyKind: 2, floeHeader };
        const first = referenceCopy(
          {
            ...fixed,
            generation: BigInt(before.generation),
            state: concatBytes(bigEndian(1n, 8), bigEndian(44n, 8), new Uint8Array(32)),
          },
          dataKey,
        );
        const { copy } = findCopy(first, before.halfIndex) as { copy: HeaderCopy };
        const state = { syncSeq: 7, bodyBytes: 9_000, acc: new Uint8Array(32) };
        const half = encodeNextHalf(copy, halfIndex, generation, state, macKey());
        const expected = referenceCopy(
          {
            ...fixed,
            halfIndex,
            generation: BigInt(generation),
            state: concatBytes(bigEndian(7n, 8), bigEndian(9_000n, 8), new Uint8Array(32)),
          },
          dataKey,
        );
        expect(half).toHaveLength(before.regionBytes / 2);
        expect(hex(half.subarray(0, expected.length))).toBe(hex(expected));
        expect(half.subarray(expected.length).every((byte) => byte === 0)).toBe(true);
      },
    ),
  );
});

test('the fields stand where the document has them', () => {
  const copy = referenceCopy({ ...base, halfIndex: 1, generation: 0x0102030405n }, dataKey);
  expect(hex(copy.subarray(0, 12))).toBe('8956534c0d0a1a0a0001010c');
  expect(readU32(copy, 12)).toBe(copy.length);
  expect(hex(copy.subarray(16, 28))).toBe('010000000000000102030405');
  expect(hex(copy.subarray(28, 44))).toBe(hex(base.fileId));
  expect(hex(copy.subarray(44, 118))).toBe(hex(base.floeHeader));
  expect(hex(copy.subarray(118, 166))).toBe('00'.repeat(48));
  expect(findCopy(copy, 1).state).toBe('good');
});

describe('a field out of its bounds, though the checksum matches', () => {
  const slot = parts.slot;
  const floe = (at: number, bytes: Uint8Array): Uint8Array => {
    const floeHeader = Uint8Array.from(base.floeHeader);
    floeHeader.set(bytes, at);
    return floeHeader;
  };
  /** A mutable body of `bodyBytes` in segments of 4,096. */
  const mutable = (bodyBytes: bigint, state: Uint8Array = new Uint8Array(48)): Partial<ReferenceCopy> => ({
    bodyKind: 2,
    floeHeader: floe(0, Uint8Array.of(0xf2)),
    state: concatBytes(state.subarray(0, 8), bigEndian(bodyBytes, 8), state.subarray(16)),
  });

  test.each<[string, Partial<ReferenceCopy>, string, string]>([
    ['body kind 0', { bodyKind: 0 }, 'UNSUPPORTED_FEATURE', 'kind of body (0)'],
    ['body kind 3', { bodyKind: 3 }, 'UNSUPPORTED_FEATURE', 'kind of body (3)'],
    ['the reserved byte', { reserved: 1 }, 'UNSUPPORTED_FEATURE', 'offset 17'],
    ['the location flag', { flags: 1 }, 'UNSUPPORTED_FEATURE', 'flags (0x1)'],
    ['the highest flag', { flags: 0x8000 }, 'UNSUPPORTED_FEATURE', 'flags (0x8000)'],
    ['generation 0', { generation: 0n }, 'HEADER_INVALID', 'generation'],
    ['generation 2^53', { generation: 2n ** 53n }, 'HEADER_INVALID', 'generation'],
    ['generation 2^64 - 1', { generation: 2n ** 64n - 1n }, 'HEADER_INVALID', 'generation'],
    ['a state of a write-once body', { state: new Uint8Array(48).fill(1, 0, 1) }, 'HEADER_INVALID', 'state'],
    [
      'a state with the reserved part set',
      { state: new Uint8Array(48).fill(1, 47) },
      'HEADER_INVALID',
      'state',
    ],
    ['a mutable body of 2^53 bytes', mutable(2n ** 53n), 'HEADER_INVALID', 'state'],
    [
      'a mutable body after 2^53 syncs',
      mutable(44n, new Uint8Array(48).fill(0x20, 1, 2)),
      'HEADER_INVALID',
      'state',
    ],
    ['a mutable body of no bytes', mutable(0n), 'HEADER_INVALID', 'a body of 0 bytes'],
    ['a mutable body without room for a segment', mutable(43n), 'HEADER_INVALID', 'a body of 43 bytes'],
    [
      'a mutable body whose last segment has no room',
      mutable(4_096n + 43n),
      'HEADER_INVALID',
      'a body of 4139 bytes',
    ],
    [
      'a mutable body with the reserved part of its state set',
      mutable(44n, new Uint8Array(48).fill(1, 47)),
      'UNSUPPORTED_FEATURE',
      'offset 134',
    ],
    [
      'a mutable body of a suite that is sealed once',
      { ...mutable(44n), floeHeader: floe(0, Uint8Array.of(0)) },
      'UNSUPPORTED_SUITE',
      'aes-256-gcm (AEAD id 0) is no suite of a mutable body',
    ],
    [
      'a mutable body of an unknown suite',
      { ...mutable(44n), floeHeader: floe(0, Uint8Array.of(0xf3)) },
      'UNSUPPORTED_SUITE',
      'AEAD id 243',
    ],
    [
      'a context out of order',
      { context: Uint8Array.from([0, 2, 0, 1, 98, 0, 0, 0, 1, 97, 0, 0]) },
      'HEADER_INVALID',
      'context',
    ],
    ['an empty context field', { context: new Uint8Array(0) }, 'HEADER_INVALID', 'context'],
    [
      'a context of 8,193 bytes',
      { regionBytes: 65_536, context: new Uint8Array(8_193) },
      'HEADER_INVALID',
      'context',
    ],
    ['a location', { location: Uint8Array.of(1) }, 'HEADER_INVALID', 'location'],
    [
      'no slot',
      { slots: [], context: referenceContext([['k', 'x'.repeat(200)]]) },
      'HEADER_INVALID',
      '0 key slots',
    ],
    ['a slot count of 0 with a slot', { slotCount: 0 }, 'HEADER_INVALID', '0 key slots'],
    ['9 slots', { slots: Array.from({ length: 9 }, () => slot) }, 'HEADER_INVALID', '9 key slots'],
    ['255 slots promised', { slotCount: 255 }, 'HEADER_INVALID', '255 key slots'],
    ['one slot more than there is', { slotCount: 2 }, 'HEADER_INVALID', 'past its end'],
    [
      'one slot fewer than there is',
      { slots: [slot, slot], slotCount: 1 },
      'HEADER_INVALID',
      'after the last key slot',
    ],
    ['a byte after the slots', { extra: new Uint8Array(1) }, 'HEADER_INVALID', 'after the last key slot'],
    ['a slot without bytes', { slots: [slot, new Uint8Array(0)] }, 'HEADER_INVALID', 'key slot 1'],
    ['a slot that is too short', { slots: [slot.subarray(0, -1)] }, 'HEADER_INVALID', 'key slot 0'],
    [
      'a slot longer than the copy',
      { slots: [], slotCount: 1, extra: concatBytes(u16(60_000), slot) },
      'HEADER_INVALID',
      'past its end',
    ],
    [
      'a slot of an unknown type',
      { slots: [concatBytes(Uint8Array.of(9), slot.subarray(1))] },
      'UNSUPPORTED_FEATURE',
      'unknown type (9)',
    ],
    ['an unknown suite', { floeHeader: floe(0, Uint8Array.of(7)) }, 'UNSUPPORTED_SUITE', 'AEAD id 7'],
    [
      'the suite of mutable bodies',
      { floeHeader: floe(0, Uint8Array.of(0xf2)) },
      'UNSUPPORTED_SUITE',
      'xaes-256-gcm (AEAD id 242) is no suite of a write-once body',
    ],
    ['an unknown key derivation', { floeHeader: floe(1, Uint8Array.of(1)) }, 'UNSUPPORTED_SUITE', 'KDF id 1'],
    ['another length of the message IV', { floeHeader: floe(6, u32(16)) }, 'HEADER_INVALID', 'message IV'],
    [
      'segments of 3,584 bytes',
      { floeHeader: floe(2, u32(3_584)) },
      'HEADER_INVALID',
      'segments of 3584 bytes',
    ],
    [
      'segments that are no multiple of 512',
      { floeHeader: floe(2, u32(4_097)) },
      'HEADER_INVALID',
      'segments of 4097 bytes',
    ],
    [
      'segments of 4 MiB and 512 bytes',
      { floeHeader: floe(2, u32(4_194_816)) },
      'HEADER_INVALID',
      'segments of 4194816 bytes',
    ],
    ['segments of no bytes', { floeHeader: floe(2, u32(0)) }, 'HEADER_INVALID', 'segments of 0 bytes'],
    [
      'segments of 4 GiB',
      { floeHeader: floe(2, u32(0xffffffff)) },
      'HEADER_INVALID',
      'segments of 4294967295 bytes',
    ],
  ])('%s', (_name, changes, code, words) => {
    expect(() => find(changes)).toThrow(refused(code, words));
  });

  const lastSync = concatBytes(bigEndian(2n ** 53n - 1n, 8), new Uint8Array(40));

  test.each<[string, Partial<ReferenceCopy>]>([
    ['generation 2^53 - 1', { generation: 2n ** 53n - 1n }],
    ['a mutable body without plaintext', mutable(44n)],
    ['a mutable body with an empty last segment', mutable(4_096n + 44n)],
    ['a mutable body of one whole segment, after 2^53 - 1 syncs', mutable(4_096n, lastSync)],
    ['a mutable body of the other suite', { ...mutable(4_096n), floeHeader: floe(0, Uint8Array.of(0xf1)) }],
    ['8 slots', { slots: Array.from({ length: 8 }, () => slot) }],
    [
      'the largest context',
      {
        regionBytes: 65_536,
        context: referenceContext(
          Array.from({ length: 8 }, (_, i) => [`key ${i}`, 'x'.repeat(i === 7 ? 1_005 : 1_010)] as const),
        ),
      },
    ],
    ['an empty context', { context: Uint8Array.of(0, 0) }],
    ['segments of 4 KiB', { floeHeader: floe(2, u32(4_096)) }],
    ['segments of 4 MiB', { floeHeader: floe(2, u32(4_194_304)) }],
    ['the other suite', { floeHeader: floe(0, Uint8Array.of(0xf1)) }],
  ])('within them: %s', (_name, changes) => {
    expect(goodCopy(changes).halfIndex).toBe(0);
  });
});

describe('what is not a good copy', () => {
  const good = referenceCopy(base, dataKey);
  const withBytes = (at: number, bytes: readonly number[]): Uint8Array => {
    const copy = Uint8Array.from(good);
    copy.set(bytes, at);
    return copy;
  };

  test.each<[string, Uint8Array, string]>([
    ['nothing', new Uint8Array(0), 'absent'],
    ['fifteen bytes', good.subarray(0, 15), 'absent'],
    ['zeros', new Uint8Array(2_048), 'absent'],
    ['another first byte', withBytes(0, [0x09]), 'absent'],
    ['line ends changed on the way', withBytes(4, [0x0a, 0x1a, 0x0a]), 'absent'],
    ['another half index', withBytes(10, [1]), 'damaged'],
    ['half index 2', withBytes(10, [2]), 'damaged'],
    ['a region of 1 KiB', withBytes(11, [10]), 'damaged'],
    ['a region of 128 KiB', withBytes(11, [17]), 'damaged'],
    ['a region of 2^255 bytes', withBytes(11, [255]), 'damaged'],
    ['a length of 0', withBytes(12, [0, 0, 0, 0]), 'damaged'],
    ['a length above the half', withBytes(12, [0, 0, 8, 1]), 'damaged'],
    ['a length of 4 GiB', withBytes(12, [255, 255, 255, 255]), 'damaged'],
    ['cut after its prefix', good.subarray(0, 16), 'damaged'],
    ['cut before its last byte', good.subarray(0, -1), 'damaged'],
    ['version 2', withBytes(8, [0, 2]), 'unknown-version'],
    ['version 0', withBytes(8, [0, 0]), 'unknown-version'],
    ['version 256', withBytes(8, [1, 0]), 'unknown-version'],
  ])('%s', (_name, bytes, state) => {
    expect(findCopy(bytes, 0).state).toBe(state);
  });

  test('an unknown version is named before the checksum is looked at', () => {
    expect(findCopy(withBytes(8, [0x12, 0x34]), 0)).toEqual({ state: 'unknown-version', version: 0x1234 });
  });

  test('any flipped bit behind the version is damage, that of the MAC as well', () => {
    for (let bit = 10 * 8; bit < good.length * 8; bit++) {
      const changed = Uint8Array.from(good);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7));
      expect([bit, findCopy(changed, 0).state]).toEqual([bit, 'damaged']);
    }
  });

  test('a torn write of an older and a newer copy is damage, wherever it tore', () => {
    const newer = referenceCopy({ ...base, generation: 2n, slots: [parts.slot, parts.slot] }, dataKey);
    const older = new Uint8Array(2_048);
    older.set(good);
    const whole = new Uint8Array(2_048);
    whole.set(newer);
    for (let sector = 512; sector < newer.length; sector += 512) {
      expect(findCopy(concatBytes(whole.subarray(0, sector), older.subarray(sector)), 0).state).toBe(
        'damaged',
      );
      expect(findCopy(concatBytes(older.subarray(0, sector), whole.subarray(sector)), 0).state).toBe(
        sector < good.length ? 'damaged' : 'good',
      );
    }
  });

  test('what is read is a copy: changing the input afterwards changes nothing', () => {
    const input = Uint8Array.from(good);
    const { copy } = findCopy(input, 0) as { copy: HeaderCopy };
    const before = JSON.stringify(
      [copy.fileId, copy.floeHeader, copy.context, copy.macInput, copy.mac].map(hex),
    );
    input.fill(0xff);
    expect(
      JSON.stringify([copy.fileId, copy.floeHeader, copy.context, copy.macInput, copy.mac].map(hex)),
    ).toBe(before);
    expect(copy.slots[0]?.wrapped.bytes.every((byte) => byte === 0xff)).toBe(false);
  });
});

test('the prefix says what it says, and nothing without the magic', () => {
  const copy = referenceCopy(base, dataKey);
  expect(readPrefix(copy)).toEqual({ version: 1, halfIndex: 0, regionBytes: 4_096, copyBytes: copy.length });
  expect(readPrefix(copy.subarray(1))).toBeUndefined();
});
