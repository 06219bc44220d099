/** Contents of keyrings as the format allows them, for property tests. */

import fc from 'fast-check';
import { concatBytes, hex } from '../../src/bytes.ts';
import type {
  KeyringContent,
  KeyringSlot,
  VolumeKeyRecord,
  VolumeKeyState,
  VolumePolicy,
} from '../../src/keyring/content.ts';
import { formatKeyId } from '../../src/key-id.ts';

const bytes = (length: number): fc.Arbitrary<Uint8Array> =>
  fc.uint8Array({ minLength: length, maxLength: length });
const dates = fc
  .date({
    min: new Date('0001-01-01T00:00:00Z'),
    max: new Date('9999-12-31T23:59:59.999Z'),
    noInvalidDate: true,
  })
  .map((date) => date.toISOString());

const policies: fc.Arbitrary<VolumePolicy> = fc.record({
  suite: fc.constantFrom('aes-256-gcm', 'xchacha20-poly1305'),
  segmentBytes: fc.integer({ min: 8, max: 8_192 }).map((steps) => steps * 512),
  writeOnceSegmentBytes: fc.integer({ min: 8, max: 8_192 }).map((steps) => steps * 512),
  requireContext: fc.uniqueArray(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), {
    maxLength: 32,
  }),
});

const localSlots = fc
  .record({
    type: fc.constantFrom('fly-secrets', 'recovery'),
    keyId: bytes(16).map(formatKeyId),
    label: fc.option(fc.stringMatching(/^[A-Za-z0-9_]{1,32}$/), { nil: undefined }),
    wrap: bytes(104),
    created: dates,
  })
  .map(slotOf);
const externalSlots = fc
  .record({
    type: fc
      .stringMatching(/^[\x21-\x7e]{1,64}$/)
      .filter((type) => type !== 'fly-secrets' && type !== 'recovery'),
    keyId: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }),
    label: fc.constant(undefined),
    wrap: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    created: dates,
  })
  .map(slotOf);

function slotOf({
  type,
  keyId,
  label,
  wrap,
  created,
}: {
  type: string;
  keyId: string;
  label: string | undefined;
  wrap: Uint8Array;
  created: string;
}): KeyringSlot {
  const slot = { wrapped: { type, keyId, bytes: wrap }, primary: false, created };
  return label === undefined ? slot : { ...slot, label };
}

const others: readonly VolumeKeyState[] = ['active', 'disabled', 'destroyed'];

export const arbitraryContent: fc.Arbitrary<KeyringContent> = fc
  .record({
    volumeId: bytes(16),
    generation: fc.oneof(fc.integer({ min: 1 }), fc.constant(Number.MAX_SAFE_INTEGER)),
    created: dates,
    changed: dates,
    policy: policies,
    slots: fc.uniqueArray(fc.oneof(localSlots, externalSlots), {
      minLength: 1,
      maxLength: 32,
      selector: ({ wrapped }) => JSON.stringify([wrapped.type, wrapped.keyId]),
    }),
    primarySlot: fc.nat(31),
    keys: fc.uniqueArray(
      fc.record({
        version: fc.integer({ min: 1, max: 2 ** 32 - 1 }),
        random: bytes(8),
        state: fc.constantFrom(...others),
        created: dates,
        changed: dates,
        wrap: bytes(104),
      }),
      {
        minLength: 1,
        maxLength: 20,
        comparator: (a, b) => a.version === b.version || hex(a.random) === hex(b.random),
      },
    ),
    primaryKey: fc.nat(19),
  })
  .map(({ slots, primarySlot, keys, primaryKey, volumeId, ...rest }) => ({
    ...rest,
    volumeId,
    slots: slots.map((slot, i) => ({ ...slot, primary: i === primarySlot % slots.length })),
    volumeKeys: keys
      .map((key, i): VolumeKeyRecord => {
        const state = i === primaryKey % keys.length ? 'primary' : key.state;
        const keyId = concatBytes(volumeId.subarray(0, 8), key.random);
        const { version, created, changed, wrap } = key;
        const record = { version, keyId, state, created, changed };
        return state === 'destroyed' ? record : { ...record, wrap };
      })
      .toSorted((a, b) => a.version - b.version),
  }));
