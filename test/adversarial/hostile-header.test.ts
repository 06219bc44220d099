/**
 * Headers that nobody wrote by mistake: lengths and counts far beyond what is there, under a matching checksum. Each is
 * refused before its numbers are used for anything.
 */

import { createHash } from 'node:crypto';

import { beforeAll, describe, expect, it } from 'vitest';

import { referenceCopy, type ReferenceCopy, referenceRegion } from '../reference/header.ts';
import { bigEndian } from '../reference/keys.ts';
import { type ReferenceFile, referenceParts } from '../reference/sealed.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { testKeys } from '../../src/testing.ts';
import { largestAllocation } from './allocations.ts';
import { type Attack, expectAttack, type Verdict } from './expectations.ts';
import { join, put } from './forge.ts';
import { openers } from './openers.ts';
import { mapSealed } from './sealed-map.ts';
import { plaintextOf, type Subject } from './subjects.ts';

const bytes = (name: string, count: number): Uint8Array => plaintextOf(name, count);
const u16 = (value: number): Uint8Array => bigEndian(BigInt(value), 2);
const u32 = (value: number): Uint8Array => bigEndian(BigInt(value), 4);
const text = (value: string): Uint8Array => Buffer.from(value, 'latin1');

const regionBytes = 16_384;
const dataKey = bytes('data key', 32);
const file: ReferenceFile = {
  ikm: bytes('the key of the slot', 32),
  label: 'a',
  dataKey,
  fileId: bytes('file id', 16),
  iv: bytes('iv', 32),
  slotNonce: bytes('slot nonce', 24),
  segmentNonce: (position) => bytes(`nonce ${position}`, 12),
  aeadId: 0,
  segmentBytes: 4_096,
  regionBytes,
  context: [['tenant', 'acme']],
  plain: bytes('plain', 5_000),
};
const { copy, body } = referenceParts(file);

/** A file whose two copies say this, all checksums and MACs right. */
function fileWith(change: Partial<ReferenceCopy>): Uint8Array {
  const half = (halfIndex: number): Uint8Array => referenceCopy({ ...copy, ...change, halfIndex }, dataKey);
  return join(referenceRegion(half(0), half(1), regionBytes), body);
}

let subject: Subject;

beforeAll(() => {
  const sealed = fileWith({});
  const plain = bytes('plain', 5_000);
  subject = { sealed, plain, map: mapSealed(sealed), keys: testKeys('a'), dataKey, plainSegmentBytes: 4_064 };
});

const pair = (key: Uint8Array, value: Uint8Array): Uint8Array =>
  join(u16(key.length), key, u16(value.length), value);
const pairs = (...encoded: readonly Uint8Array[]): Uint8Array => join(u16(encoded.length), ...encoded);
const [key, longKey] = [text('k'), text('k'.repeat(129))];
const long = (count: number): Uint8Array => text('v'.repeat(count));

const contexts: readonly [string, Uint8Array][] = [
  ['33 pairs', pairs(...Array.from({ length: 33 }, (_, i) => pair(text(`k${100 + i}`), key)))],
  ['65,535 pairs that are not there', u16(65_535)],
  ['a pair that is not there', join(u16(2), pair(key, key))],
  ['a key of 129 bytes', pairs(pair(longKey, key))],
  ['a key of 65,535 bytes that are not there', join(u16(1), u16(65_535), key)],
  ['a value of 1,025 bytes', pairs(pair(key, long(1_025)))],
  ['a value of 65,535 bytes that are not there', join(u16(1), u16(1), key, u16(65_535), key)],
  ['an empty key', pairs(pair(new Uint8Array(0), key))],
  ['a key twice', pairs(pair(key, key), pair(key, key))],
  ['keys out of order', pairs(pair(text('b'), key), pair(text('a'), key))],
  ['bytes after the last pair', join(pairs(pair(key, key)), Uint8Array.of(0))],
  ['no count', new Uint8Array(0)],
  ['half a count', Uint8Array.of(0)],
  ['a surrogate in UTF-8', pairs(pair(key, Uint8Array.of(0xed, 0xa0, 0x80)))],
  ['UTF-8 longer than it has to be', pairs(pair(key, Uint8Array.of(0xc0, 0x80)))],
];

/** Slot type 128: what stands in the key id is the hash that the document wants there. */
function external(
  provider: Uint8Array,
  id: Uint8Array,
  wrapped: Uint8Array,
  change: Partial<Record<'head' | 'keyId' | 'blob', Uint8Array>> = {},
): Uint8Array {
  const zero = Uint8Array.of(0);
  const hash = createHash('sha256')
    .update(join(text('volseal/v1/external-key'), zero, provider, zero, id))
    .digest();
  const blob =
    change.blob ??
    join(Uint8Array.of(provider.length), provider, u16(id.length), id, u16(wrapped.length), wrapped);
  return join(change.head ?? Uint8Array.of(128, 0), change.keyId ?? hash.subarray(0, 16), u32(0), blob);
}

const kms = text('some-kms');
const local = (
  type: number,
  version: number,
  wrapBytes: number,
  hint: string,
  hintBytes = hint.length,
): Uint8Array =>
  join(
    Uint8Array.of(type, hintBytes),
    bytes('key id', 16),
    u32(version),
    bytes('wrap', wrapBytes),
    text(hint),
  );

const slots: readonly [string, readonly Uint8Array[]][] = [
  ['nine slots', Array.from({ length: 9 }, () => local(2, 0, 104, 'v1'))],
  ['an empty slot beside a whole one', [local(2, 0, 104, 'v1'), new Uint8Array(0)]],
  ['a slot without a wrapped key', [local(2, 0, 0, '')]],
  ['a wrapped key one byte short', [local(2, 0, 103, 'v1')]],
  ['a wrapped key one byte long', [local(2, 0, 105, 'v1')]],
  ['a hint of 33 bytes', [local(2, 0, 104, 'v'.repeat(33))]],
  ['a hint of 255 bytes that are not there', [local(2, 0, 104, 'v1', 255)]],
  ['a hint that is no label', [local(2, 0, 104, 'v1 ')]],
  ['a hint with a line break', [local(3, 0, 104, 'v1\n')]],
  ['a Fly secret with a key version', [local(2, 1, 104, 'v1')]],
  ['a volume key with a hint', [local(1, 1, 104, 'v1')]],
  ['an external wrap of 2,049 bytes', [external(kms, key, bytes('wrap', 2_049 - 14))]],
  ['an external wrap with a hint', [external(kms, key, bytes('wrap', 9), { head: Uint8Array.of(128, 1) })]],
  ['an external wrap without a type', [external(new Uint8Array(0), key, bytes('wrap', 9))]],
  [
    'an external wrap with a type that is not there',
    [external(kms, key, key, { blob: Uint8Array.of(255, 1) })],
  ],
  ['an external wrap with a type that is no ASCII', [external(Uint8Array.of(0xc3, 0xa9), key, key)]],
  [
    'an external wrap with a key id that is not there',
    [external(kms, key, key, { blob: join(Uint8Array.of(8), kms, u16(65_535)) })],
  ],
  ['an external wrap with an empty key id', [external(kms, new Uint8Array(0), key)]],
  ['an external wrap with a key id that is no UTF-8', [external(kms, Uint8Array.of(0xff), key)]],
  [
    'an external wrap with bytes that are not there',
    [external(kms, key, key, { blob: join(Uint8Array.of(8), kms, u16(1), key, u16(65_535), key) })],
  ],
  [
    'an external wrap with bytes too many',
    [external(kms, key, key, { blob: join(Uint8Array.of(8), kms, u16(1), key, u16(1), key, key) })],
  ],
  [
    'an external wrap that ends in a length',
    [external(kms, key, key, { blob: join(Uint8Array.of(8), kms, u16(1), key, Uint8Array.of(0)) })],
  ],
  ['an external wrap with the key id of another', [external(kms, key, key, { keyId: bytes('other', 16) })]],
];

const invalid: Verdict = 'ERR_VOLSEAL_HEADER_INVALID';

const mutable: Partial<ReferenceCopy> = {
  bodyKind: 2,
  floeHeader: put(copy.floeHeader, 0, Uint8Array.of(0xf2)),
};

const hostile: readonly (readonly [string, Partial<ReferenceCopy>, Verdict])[] = [
  ...contexts.map(([name, context]) => [`context: ${name}`, { context }, invalid] as const),
  ...slots.map(([name, list]) => [`slots: ${name}`, { slots: list }, invalid] as const),
  // A copy that could not even hold the smallest slot: its length is out of bounds, so its checksum is nowhere.
  ['no slots', { slots: [] }, 'ERR_VOLSEAL_HEADER_DAMAGED'],
  ['no slots, and bytes in their place', { slots: [], extra: new Uint8Array(200) }, invalid],
  ['fewer slots than it says', { slotCount: 8 }, invalid],
  ['255 slots', { slotCount: 255 }, invalid],
  [
    'more slots than it says',
    { slots: [local(2, 0, 104, 'a'), local(2, 0, 104, 'b')], slotCount: 1 },
    invalid,
  ],
  ['bytes after the slots', { extra: new Uint8Array(1) }, invalid],
  ['many bytes after the slots', { extra: new Uint8Array(5_000) }, invalid],
  ['a location without its flag', { location: new Uint8Array(16) }, invalid],
  ['a location with its flag', { location: new Uint8Array(16), flags: 1 }, 'ERR_VOLSEAL_UNSUPPORTED_FEATURE'],
  ['generation 0', { generation: 0n }, invalid],
  ['generation 2^53', { generation: 2n ** 53n }, invalid],
  ['generation 2^64 - 1', { generation: 2n ** 64n - 1n }, invalid],
  ['a state in a write-once body', { state: new Uint8Array(48).fill(1) }, invalid],
  ['a state no number can count', { ...mutable, state: new Uint8Array(48).fill(255) }, invalid],
  ['a body that no segments add up to', { ...mutable, state: new Uint8Array(48) }, invalid],
  ['a mutable body of a suite for write-once ones', { bodyKind: 2 }, 'ERR_VOLSEAL_UNSUPPORTED_SUITE'],
  ['an unknown slot type', { slots: [local(9, 0, 104, '')] }, 'ERR_VOLSEAL_UNSUPPORTED_FEATURE'],
  [
    'an unknown slot type of any length',
    { slots: [local(255, 7, 1, '', 200)] },
    'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
  ],
];

it('the file that they are made from is a good one', async () => {
  const sealed = fileWith({});
  const attack: Attack = {
    name: 'unchanged',
    sealed,
    verdict: 'ERR_VOLSEAL_KEY_MISSING',
    inspected: 'opens',
  };
  await expectAttack(attack, subject);
});

describe('refused, without memory of the size they name', () => {
  it.each(hostile)('%s', async (name, change, verdict) => {
    const sealed = fileWith(change);
    const largest = await largestAllocation(() =>
      expectAttack({ name, sealed, verdict, inspected: verdict }, subject),
    );
    // The largest header there can be, which is read before anything is known of it.
    expect(largest).toBeLessThanOrEqual(65_536);
  });

  it('FLOE parameters of every size', async () => {
    for (const [at, what] of [
      [2, 'segment length'],
      [6, 'IV length'],
    ] as const) {
      for (const size of [0, 1, 0x7fffffff, 0x80000000, 0xfffffe00, 0xffffffff]) {
        const floeHeader = put(copy.floeHeader, at, u32(size));
        const attack: Attack = {
          name: `${what} ${size}`,
          sealed: fileWith({ floeHeader }),
          verdict: invalid,
          inspected: invalid,
        };
        const largest = await largestAllocation(() => expectAttack(attack, subject, {}, openers));
        expect(largest).toBeLessThanOrEqual(65_536);
      }
    }
  });
});

it('a copy longer than its half, everything in it right', async () => {
  const context = pairs(pair(key, long(1_000)), pair(text('l'), long(1_000)));
  const { copy: content, body: rest } = referenceParts({
    ...file,
    context: [
      ['k', 'v'.repeat(1_000)],
      ['l', 'v'.repeat(1_000)],
    ],
  });
  expect(content.context).toEqual(context);
  for (const [size, inspected] of [
    [4_096, 'ERR_VOLSEAL_HEADER_DAMAGED'],
    [8_192, 'opens'],
  ] as const) {
    const longCopy = referenceCopy({ ...content, regionBytes: size }, dataKey);
    expect(longCopy.length).toBeGreaterThan(2_048);
    const region = new Uint8Array(size);
    region.set(longCopy);
    const verdict = size === 4_096 ? 'ERR_VOLSEAL_HEADER_DAMAGED' : 'opens';
    const attack: Attack = { name: `region of ${size}`, sealed: join(region, rest), verdict, inspected };
    await expectAttack(attack, subject, {
      keys: flySecrets({ env: { VOLSEAL_SECRET_any: Buffer.from(file.ikm).toString('hex') } }),
    });
  }
});

it('the measure sees what is asked for', async () => {
  const seen = await largestAllocation(async () => {
    expect(new Uint8Array(100_000)).toBeInstanceOf(Uint8Array);
    Buffer.allocUnsafeSlow(70_000);
  });
  expect(seen).toBe(100_000);
});
