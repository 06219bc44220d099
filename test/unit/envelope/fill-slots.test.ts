/** Filling slots: one for each provider, opened again before it counts; and what becomes of providers that fail or lie. */

import { describe, expect, test } from 'vitest';
import { hex } from '../../../src/bytes.ts';
import { fillSlots, openSlots, providersOf, type SlotBinding } from '../../../src/envelope/slots.ts';
import { VolsealError } from '../../../src/errors.ts';
import type { KeyProvider, Keys } from '../../../src/kms/provider.ts';
import { Secret } from '../../../src/secret.ts';
import { testKeys } from '../../../src/testing.ts';
import { failing, giving, providerWith, TestKms, unavailable } from './test-kms.ts';

const dataKeyBytes = new Uint8Array(32).fill(0xdd);
const dataKey = (): Secret => new Secret(Uint8Array.from(dataKeyBytes));
const binding: SlotBinding = {
  fileId: new Uint8Array(16).fill(1),
  floeHeader: new Uint8Array(74).fill(2),
  context: { tenant: 'a' },
};

async function rejection(promise: Promise<unknown>): Promise<VolsealError> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(VolsealError);
  return error as VolsealError;
}

/** The right key, of its own each time: it is wiped after use. */
const givingKey = (): Promise<Uint8Array> => Promise.resolve(Uint8Array.from(dataKeyBytes));

describe('the keys option', () => {
  test('one provider or an array of up to eight', () => {
    const kms = new TestKms('k');
    expect(providersOf(kms)).toEqual([kms]);
    const eight = Array.from({ length: 8 }, (_, i) => new TestKms(`k${i}`));
    expect(providersOf(eight)).toEqual(eight);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['an empty array', []],
    ['text', 'secret'],
    ['bytes', new Uint8Array(32)],
    ['a hole', [new TestKms('k'), undefined]],
    ['a provider without unwrap', { type: 'x', wrap() {}, describe() {} }],
    ['nested arrays', [[new TestKms('k')]]],
  ])('not %s', (_name, keys) => {
    expect(() => providersOf(keys as Keys)).toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
        hint: expect.stringContaining('flySecrets') as string,
      }),
    );
  });

  test('nine are too many', () => {
    expect(() => providersOf(Array.from({ length: 9 }, () => new TestKms('k')))).toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
        message: 'at most 8 key providers fit into one file',
      }),
    );
  });
});

describe('filling', () => {
  test('one slot for each provider, in their order, opened again before it counts', async () => {
    const first = new TestKms('first');
    const second = new TestKms('second', 'other-kms');
    const slots = await fillSlots([first, testKeys('fly'), second], dataKey(), binding);
    expect(slots.map(({ wrapped, label }) => [wrapped.type, label])).toEqual([
      ['test-kms', undefined],
      ['fly-secrets', 'fly'],
      ['other-kms', undefined],
    ]);
    expect(first.calls).toEqual(['wrap', 'unwrap']);
  });

  test('providers are told what the key is for', async () => {
    const kms = new TestKms('k');
    const signal = new AbortController().signal;
    await fillSlots([kms], dataKey(), { ...binding, signal });
    for (const info of kms.infos) {
      expect(info).toMatchObject({ scope: 'stream', context: { tenant: 'a' }, signal });
      expect(hex(info.id)).toBe('00'.repeat(16));
      expect(hex(info.aad)).toBe('01'.repeat(16) + '02'.repeat(74));
    }
  });

  test.each<[string, Partial<Record<keyof KeyProvider, unknown>>]>([
    ['nothing', { wrap: giving(undefined) }],
    ['null', { wrap: giving(null) }],
    ['text', { wrap: giving('wrapped') }],
    ['a wrap of another type', { wrap: giving({ type: 'aws-kms', keyId: 'k', bytes: new Uint8Array(60) }) }],
    ['a wrap without bytes', { wrap: giving({ type: 'test-kms', keyId: 'k' }), unwrap: givingKey }],
    [
      'a wrap whose bytes are text',
      { wrap: giving({ type: 'test-kms', keyId: 'k', bytes: 'text' }), unwrap: givingKey },
    ],
    [
      'a wrap without a key id',
      { wrap: giving({ type: 'test-kms', bytes: new Uint8Array(60) }), unwrap: givingKey },
    ],
    [
      'a wrap whose key id is a number',
      { wrap: giving({ type: 'test-kms', keyId: 7, bytes: new Uint8Array(60) }), unwrap: givingKey },
    ],
    ['nothing when it is opened again', { unwrap: giving(undefined) }],
    ['text when it is opened again', { unwrap: giving('d'.repeat(32)) }],
    ['another key when it is opened again', { unwrap: giving(new Uint8Array(32)) }],
    ['a shorter key when it is opened again', { unwrap: giving(new Uint8Array(31).fill(0xdd)) }],
    ['a longer key when it is opened again', { unwrap: giving(new Uint8Array(33).fill(0xdd)) }],
  ])('a provider that gives %s has failed, and nothing is written', async (_name, parts) => {
    const error = await rejection(fillSlots([providerWith(parts)], dataKey(), binding));
    expect(error).toMatchObject({
      code: 'ERR_VOLSEAL_PROVIDER_FAILED',
      message: expect.stringContaining('test-kms') as string,
    });
    expect(error.hint).toMatch(/\w/);
  });

  test('one that cannot open its own wrap has failed with what it says', async () => {
    const wrongKey = new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the wrap is not authentic', { hint: 'x' });
    expect(
      await rejection(fillSlots([providerWith({ unwrap: failing(wrongKey) })], dataKey(), binding)),
    ).toBe(wrongKey);
  });

  test('the copy of the key that was opened again is wiped', async () => {
    const copies: Uint8Array[] = [];
    const unwrap = (): Promise<Uint8Array> => {
      const copy = Uint8Array.from(dataKeyBytes);
      copies.push(copy);
      return Promise.resolve(copy);
    };
    await fillSlots([providerWith({ unwrap })], dataKey(), binding);
    expect(copies.map(hex)).toEqual(['00'.repeat(32)]);
  });

  test('an aborted signal stops it before the next provider', async () => {
    const controller = new AbortController();
    const first = providerWith({
      wrap: async (key: Uint8Array, info: never) => {
        controller.abort();
        return new TestKms('k').wrap(key, info);
      },
    });
    const second = new TestKms('second');
    const error = await rejection(
      fillSlots([first, second], dataKey(), { ...binding, signal: controller.signal }),
    );
    expect(error.code).toBe('ERR_VOLSEAL_ABORTED');
    expect(second.calls).toEqual([]);
  });
});

describe('what a provider throws', () => {
  const long = `first line\r\n\u001b[31mred\u001b[0m \u202eturned\u200b\0 ${'x'.repeat(10_000)}`;

  test.each<[string, unknown, RegExp]>([
    ['an Error', new Error('access denied'), /^key provider test-kms failed to wrap: "access denied"$/],
    ['text', 'plain text', /"plain text"$/],
    ['nothing', undefined, /"undefined"$/],
    ['an object without a prototype', Object.create(null), /./],
    [
      'an Error with control characters and 10,000 letters',
      new Error(long),
      /"first line \[31mred \[0m +turned +x+"$/,
    ],
  ])('%s becomes ours: quoted, cut and cleaned', async (_name, thrown, message) => {
    for (const kind of ['fill', 'open'] as const) {
      const provider = providerWith({ wrap: failing(thrown), unwrap: failing(thrown) });
      const slots = await fillSlots([new TestKms('k')], dataKey(), binding);
      const error = await rejection(
        kind === 'fill' ? fillSlots([provider], dataKey(), binding) : openSlots([provider], slots, binding),
      );
      expect(error.code).toBe('ERR_VOLSEAL_PROVIDER_FAILED');
      expect(error.message.replace('unwrap', 'wrap')).toMatch(message);
      expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
      expect(error.message.length).toBeLessThan(300);
      expect(error.hint).toMatch(/\w/);
      expect(error.cause).toBe(thrown);
    }
  });

  test('one that throws instead of rejecting is no different', async () => {
    const provider = providerWith({
      wrap: () => {
        throw new Error('at once');
      },
    });
    expect(await rejection(fillSlots([provider], dataKey(), binding))).toMatchObject({
      code: 'ERR_VOLSEAL_PROVIDER_FAILED',
      message: 'key provider test-kms failed to wrap: "at once"',
    });
  });

  test('an error of ours stays what it is', async () => {
    const error = unavailable();
    expect(await rejection(fillSlots([providerWith({ wrap: failing(error) })], dataKey(), binding))).toBe(
      error,
    );
  });

  test('describe is a call like the others', async () => {
    const slots = await fillSlots([new TestKms('k')], dataKey(), binding);
    const error = await rejection(
      openSlots([providerWith({ describe: failing(new Error('no list')) })], slots, binding),
    );
    expect(error).toMatchObject({
      code: 'ERR_VOLSEAL_PROVIDER_FAILED',
      message: 'key provider test-kms failed to describe its keys: "no list"',
    });
  });
});
