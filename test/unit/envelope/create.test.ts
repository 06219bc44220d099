/** A new header: its region, its room, its slots; and that the reference can take the file apart. */

import { describe, expect, test } from 'vitest';
import type { Suite } from '../../../src/aead/suite.ts';
import { bytesEqual, hex } from '../../../src/bytes.ts';
import { createEnvelope, type NewEnvelopeOptions } from '../../../src/envelope/create.ts';
import { findHeader } from '../../../src/envelope/region.ts';
import { VolsealError } from '../../../src/errors.ts';
import { flySecrets } from '../../../src/kms/fly-secrets.ts';
import type { Context, KeyProvider } from '../../../src/kms/provider.ts';
import { testKeys } from '../../../src/testing.ts';
import { referenceOpenSegment, referenceStart } from '../../reference/floe.ts';
import {
  ascii,
  referenceExpand,
  referenceKek,
  referenceKeyId,
  referenceSecretText,
  referenceSlotAad,
  referenceUnwrap,
} from '../../reference/keys.ts';
import { TestKms } from './test-kms.ts';

const contextOf = (pairs: number, valueBytes: number): Context =>
  Object.fromEntries(
    Array.from({ length: pairs }, (_, i) => [`key${String(i).padStart(2, '0')}`, 'x'.repeat(valueBytes)]),
  );

async function codeOf(
  providers: readonly KeyProvider[],
  options: NewEnvelopeOptions,
): Promise<string | undefined> {
  const error: unknown = await createEnvelope(providers, options).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (error === undefined) return undefined;
  expect(error).toBeInstanceOf(VolsealError);
  return (error as VolsealError).code.replace('ERR_VOLSEAL_', '');
}

test.each<Suite>(['aes-256-gcm', 'xchacha20-poly1305'])(
  'the reference takes a new %s file apart, key by key',
  async (suite) => {
    const ikm = Uint8Array.from({ length: 32 }, (_, i) => i * i + 3);
    const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: referenceSecretText(ikm) } });
    const { region, fileId, encryptor } = await createEnvelope([keys], {
      suite,
      segmentBytes: 4_096,
      context: { tenant: 'a' },
    });
    const plain = Buffer.from('plaintext');
    const sealed = encryptor.sealSegment(plain, 0, true);

    const { header } = findHeader(region);
    const keyId = referenceKeyId(ikm);
    const aad = referenceSlotAad({
      slotType: 2,
      keyId,
      keyVersion: 0,
      fileId,
      floeHeader: header.floeHeader,
    });
    const wrapped = (header.slots[0] as { wrapped: { bytes: Uint8Array } }).wrapped.bytes.subarray(0, 104);
    const dataKey = referenceUnwrap(referenceKek(ikm, 0, new Uint8Array(16)), wrapped, aad);
    const associatedData = Buffer.concat([ascii('volseal/v1/body'), Buffer.of(0, 1), fileId, header.context]);
    const state = referenceStart(
      referenceExpand(dataKey, 'volseal/v1/floe'),
      header.floeHeader,
      associatedData,
    );
    expect(hex(referenceOpenSegment(state, sealed, 0n, true))).toBe(hex(plain));
  },
);

test('both halves are whole copies of generation 1 that differ in index, checksum and MAC alone', async () => {
  const { region, fileId, encryptor } = await createEnvelope([testKeys()], { context: { tenant: 'a' } });
  const found = findHeader(region);
  expect(found.states).toEqual(['good', 'good']);
  expect(found.goodCopies.map(({ generation }) => generation)).toEqual([1, 1]);
  expect(found.header).toMatchObject({ bodyKind: 1, halfIndex: 0, regionBytes: region.length });
  expect(hex(found.header.fileId)).toBe(hex(fileId));
  expect(hex(found.header.floeHeader)).toBe(hex(encryptor.header));
  const [a, b] = found.goodCopies.map(({ macInput }) => Uint8Array.from(macInput)) as [
    Uint8Array,
    Uint8Array,
  ];
  b[10] = 0;
  expect(bytesEqual(a, b)).toBe(true);
});

test('every file has an id, an IV and a data key of its own', async () => {
  const files = await Promise.all(Array.from({ length: 20 }, () => createEnvelope([testKeys()], {})));
  expect(new Set(files.map(({ fileId }) => hex(fileId))).size).toBe(20);
  expect(new Set(files.map(({ encryptor }) => hex(encryptor.header))).size).toBe(20);
});

describe('the region', () => {
  async function sizeOf(
    providers: readonly KeyProvider[],
    context?: Context,
  ): Promise<{ regionBytes: number; copyBytes: number }> {
    const { region } = await createEnvelope(providers, context === undefined ? {} : { context });
    const { header } = findHeader(region);
    return { regionBytes: region.length, copyBytes: header.macInput.length + 36 };
  }
  const padded = (bytes: number, name = 'k'): TestKms =>
    Object.assign(new TestKms(name), { padBytes: bytes });

  test.each<[string, () => readonly KeyProvider[], Context | undefined, number]>([
    ['one Fly secret', () => [testKeys()], undefined, 4_096],
    ['one Fly secret and a context of some size', () => [testKeys()], contextOf(1, 1_000), 4_096],
    ['one Fly secret and the largest context', () => [testKeys()], contextOf(8, 1_000), 32_768],
    ['eight Fly secrets', () => Array.from({ length: 8 }, (_, i) => testKeys(`v${i}`)), undefined, 4_096],
    [
      'eight Fly secrets and a context',
      () => Array.from({ length: 8 }, (_, i) => testKeys(`v${i}`)),
      contextOf(1, 1_000),
      8_192,
    ],
    ['an external wrap of 1 KiB', () => [padded(1_000)], undefined, 8_192],
    [
      'eight of the largest external wraps and the largest context',
      () => Array.from({ length: 8 }, (_, i) => padded(1_970, `k${i}`)),
      contextOf(8, 1_000),
      65_536,
    ],
  ])('%s', async (_name, providers, context, expected) => {
    const list = providers();
    const { regionBytes, copyBytes } = await sizeOf(list, context);
    expect(regionBytes).toBe(expected);
    // Room for one more slot as long as the longest, at least 128 bytes, and a location of 320 bytes; no smaller half has it.
    const { header } = findHeader(
      (await createEnvelope(list, context === undefined ? {} : { context })).region,
    );
    const longestSlot = Math.max(
      128,
      ...header.slots.map(({ wrapped }) => (wrapped.type === 'test-kms' ? 0 : 24 + wrapped.bytes.length)),
    );
    expect(copyBytes + longestSlot + 320).toBeLessThanOrEqual(regionBytes / 2);
  });

  test('is the smallest that leaves room, at every size of the context', async () => {
    const keys = testKeys();
    let previous = 0;
    for (let bytes = 0; bytes <= 8_000; bytes += 250) {
      const pairs = Math.max(1, Math.ceil(bytes / 1_000));
      const { regionBytes, copyBytes } = await sizeOf([keys], contextOf(pairs, Math.floor(bytes / pairs)));
      const needed = copyBytes + (24 + 104 + 'test'.length) + 320;
      expect(regionBytes / 2).toBeGreaterThanOrEqual(needed);
      expect(regionBytes === 4_096 || regionBytes / 4 < needed).toBe(true);
      expect(regionBytes).toBeGreaterThanOrEqual(previous);
      previous = regionBytes;
    }
  });

  test('2,048 bytes are for volume keys, whose files are many', async () => {
    const fly = testKeys();
    const { keyId } = (await fly.describe()).keys[0] as { keyId: string };
    const kept = new Map<string, Uint8Array>();
    const volumeKey: KeyProvider = {
      type: 'volume-key',
      wrap: (key) => {
        const bytes = new Uint8Array(104).fill(kept.size);
        kept.set(hex(bytes), Uint8Array.from(key));
        return Promise.resolve({ type: 'volume-key', keyId, bytes });
      },
      unwrap: ({ bytes }) => Promise.resolve(Uint8Array.from(kept.get(hex(bytes)) as Uint8Array)),
      describe: () =>
        Promise.resolve({ type: 'volume-key', primary: keyId, keys: [{ keyId, primary: true }] }),
    };
    expect((await sizeOf([volumeKey])).regionBytes).toBe(2_048);
    expect((await sizeOf([volumeKey, fly])).regionBytes).toBe(4_096);
    // 207 fixed bytes, a slot of 128, room of 128 and 320: 241 of a half's 1,024 are left for the context.
    expect((await sizeOf([volumeKey], contextOf(1, 230))).regionBytes).toBe(2_048);
    expect((await sizeOf([volumeKey], contextOf(1, 231))).regionBytes).toBe(4_096);
  });
});

describe('slots', () => {
  test('eight providers fit, each opens', async () => {
    const providers = Array.from({ length: 8 }, (_, i) =>
      i % 2 === 0 ? testKeys(`v${i}`) : new TestKms(`k${i}`),
    );
    const { region } = await createEnvelope(providers, {});
    expect(findHeader(region).header.slots.map(({ wrapped }) => wrapped.type)).toEqual(
      providers.map(({ type }) => type),
    );
  });

  test('a wrap that does not fit a slot is the provider’s failure', async () => {
    const kms = Object.assign(new TestKms('k'), { padBytes: 2_048 });
    expect(await codeOf([kms], {})).toBe('PROVIDER_FAILED');
    expect(await codeOf([new TestKms('k', 'two words')], {})).toBe('PROVIDER_FAILED');
  });
});

describe('refused before a provider is asked', () => {
  test.each<[string, NewEnvelopeOptions, string]>([
    ['segments of 4,095 bytes', { segmentBytes: 4_095 }, 'INVALID_ARGUMENT'],
    ['segments of 3,584 bytes', { segmentBytes: 3_584 }, 'INVALID_ARGUMENT'],
    ['segments of 4,097 bytes', { segmentBytes: 4_097 }, 'INVALID_ARGUMENT'],
    ['segments of 4 MiB and 512 bytes', { segmentBytes: 4_194_816 }, 'INVALID_ARGUMENT'],
    ['segments of no number', { segmentBytes: Number.NaN }, 'INVALID_ARGUMENT'],
    ['segments of text', { segmentBytes: '4096' as unknown as number }, 'INVALID_ARGUMENT'],
    ['an unknown suite', { suite: 'rot13' as Suite }, 'UNSUPPORTED_SUITE'],
    ['a context that does not fit', { context: contextOf(9, 1_000) }, 'INVALID_ARGUMENT'],
  ])('%s', async (_name, options, code) => {
    const kms = new TestKms('k');
    expect(await codeOf([kms], options)).toBe(code);
    expect(kms.calls).toEqual([]);
  });

  test.each([4_096, 4_608, 65_536, 4_194_304])('segments of %i bytes are fine', async (segmentBytes) => {
    expect((await createEnvelope([testKeys()], { segmentBytes })).encryptor.segmentBytes).toBe(segmentBytes);
  });
});

test('an aborted signal stops it', async () => {
  expect(await codeOf([testKeys()], { signal: AbortSignal.abort() })).toBe('ABORTED');
});
