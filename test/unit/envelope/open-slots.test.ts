/** Opening slots: which provider is asked for which slot, what it is told when none can open, and what others are told of it. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { fillSlots, openSlots, type SlotBinding } from '../../../src/envelope/slots.ts';
import { encodeSlot, parseSlot, type Slot } from '../../../src/envelope/v1/slot.ts';
import { VolsealError, type VolsealErrorCode } from '../../../src/errors.ts';
import { flySecrets } from '../../../src/kms/fly-secrets.ts';
import type { KeyProvider, WrappedKey } from '../../../src/kms/provider.ts';
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

async function openedBytes(providers: readonly KeyProvider[], slots: readonly Slot[]): Promise<string> {
  return hex((await openSlots(providers, slots, binding)).bytes());
}

describe('opening', () => {
  test('any provider of a slot opens, and no other is asked to unwrap', async () => {
    const providers = [new TestKms('a'), new TestKms('b'), new TestKms('c', 'other-kms')];
    const slots = await fillSlots(providers, dataKey(), binding);
    for (const provider of providers) {
      expect(await openedBytes([provider], slots)).toBe(hex(dataKeyBytes));
      const stranger = new TestKms('stranger');
      expect(await openedBytes([stranger, provider], slots)).toBe(hex(dataKeyBytes));
      expect(stranger.calls).toEqual(['describe']);
    }
  });

  test('a key id of another provider type is another key', async () => {
    const slots = await fillSlots([new TestKms('same-id')], dataKey(), binding);
    const error = await rejection(openSlots([new TestKms('same-id', 'other-kms')], slots, binding));
    expect(error.code).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  test('a slot is bound to the file, its FLOE header and its context', async () => {
    const providers = [testKeys('fly')];
    const slots = await fillSlots(providers, dataKey(), binding);
    const others: readonly Partial<SlotBinding>[] = [
      { fileId: new Uint8Array(16) },
      { floeHeader: new Uint8Array(74) },
    ];
    for (const other of others) {
      const error = await rejection(openSlots(providers, slots, { ...binding, ...other }));
      expect(error.code).toBe('ERR_VOLSEAL_WRONG_KEY');
    }
    const kms = [new TestKms('k')];
    const error = await rejection(
      openSlots(kms, await fillSlots(kms, dataKey(), binding), { ...binding, context: {} }),
    );
    expect(error.code).toBe('ERR_VOLSEAL_WRONG_KEY');
  });

  test('when a provider cannot be reached the next one is asked', async () => {
    const [away, here] = [new TestKms('away'), new TestKms('here')];
    const slots = await fillSlots([away, here], dataKey(), binding);
    const unreachable: readonly Partial<Record<keyof KeyProvider, unknown>>[] = [
      { unwrap: failing(unavailable()) },
      { describe: failing(unavailable()) },
    ];
    for (const parts of unreachable) {
      const silent = providerWith({ describe: () => away.describe(), ...parts });
      expect(await openedBytes([silent, here], slots)).toBe(hex(dataKeyBytes));
    }
  });

  test('when none can be reached that is said, and that it may help to try again', async () => {
    const slots = await fillSlots([new TestKms('k')], dataKey(), binding);
    const silent = providerWith({ unwrap: failing(unavailable()) });
    const error = await rejection(openSlots([silent, new TestKms('no slot')], slots, binding));
    expect(error).toMatchObject({ code: 'ERR_VOLSEAL_PROVIDER_UNAVAILABLE', retryable: true });
  });

  test.each<[string, Partial<Record<keyof KeyProvider, unknown>>, VolsealErrorCode]>([
    [
      'does not open its slot',
      { unwrap: failing(new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'x')) },
      'ERR_VOLSEAL_WRONG_KEY',
    ],
    ['fails', { unwrap: failing(new Error('x')) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    ['cannot say what it has', { describe: failing(new Error('x')) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    ['gives 31 bytes', { unwrap: giving(new Uint8Array(31)) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    ['gives nothing', { unwrap: giving(undefined) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    ['gives text', { unwrap: giving('d'.repeat(32)) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    ['describes nothing', { describe: giving(undefined) }, 'ERR_VOLSEAL_PROVIDER_FAILED'],
    [
      'describes no list of keys',
      { describe: giving({ type: 'test-kms', primary: 'k' }) },
      'ERR_VOLSEAL_PROVIDER_FAILED',
    ],
  ])('when a provider %s the next one is not asked', async (_name, parts, code) => {
    const other = new TestKms('other');
    const slots = await fillSlots([new TestKms('k'), other], dataKey(), binding);
    other.calls.length = 0;
    const error = await rejection(openSlots([providerWith(parts), other], slots, binding));
    expect(error.code).toBe(code);
    if (code === 'ERR_VOLSEAL_PROVIDER_FAILED') expect(error.hint).toMatch(/\w/);
    expect(other.calls).toEqual([]);
  });

  test('an aborted signal stops it, before a provider is asked', async () => {
    const kms = new TestKms('k');
    const slots = await fillSlots([kms], dataKey(), binding);
    kms.calls.length = 0;
    const error = await rejection(openSlots([kms], slots, { ...binding, signal: AbortSignal.abort() }));
    expect(error.code).toBe('ERR_VOLSEAL_ABORTED');
    expect(kms.calls).toEqual([]);
  });
});

describe('no key here', () => {
  const keyIdOf = async (label: string): Promise<string> => (await testKeys(label).describe()).primary;

  test('a Fly secret that is not set: label and key ids of both sides, and the command', async () => {
    const slots = await fillSlots([testKeys('v1')], dataKey(), binding);
    const error = await rejection(openSlots([testKeys('v2')], slots, binding));
    expect(error.code).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(error.message).toBe(
      `no key here opens it: it needs the Fly secret v1 (key id ${await keyIdOf('v1')}); here: v2 (key id ${await keyIdOf('v2')})`,
    );
    expect(error.hint).toMatch(/fly secrets set VOLSEAL_SECRET_v1=-.*fly secrets deploy/);
  });

  test('the same label with another value: says so', async () => {
    const slots = await fillSlots([testKeys('v1')], dataKey(), binding);
    const other = flySecrets({
      env: { VOLSEAL_SECRET_v1: '00112233445566778899aabbccddeeff0123456789abcdef1032547698badcfe' },
    });
    const error = await rejection(openSlots([other], slots, binding));
    expect(error.code).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(error.hint).toMatch(/the secret v1 has another value here.*fly secrets deploy/);
    const [wanted, have] = error.message.match(/[A-Z2-7]{4}(?:-[A-Z2-7]{4}){7}/g) as [string, string];
    expect([wanted, have]).toEqual([await keyIdOf('v1'), (await other.describe()).primary]);
  });

  test('several slots: all are named', async () => {
    const slots = await fillSlots([testKeys('v1'), new TestKms('arn:key/1')], dataKey(), binding);
    const error = await rejection(openSlots([new TestKms('arn:key/2')], slots, binding));
    expect(error.message).toBe(
      `no key here opens it: it needs the Fly secret v1 (key id ${await keyIdOf('v1')}), or test-kms arn:key/1; here: test-kms arn:key/2`,
    );
  });

  test('an external provider: its name is the next step', async () => {
    const slots = await fillSlots([new TestKms('k')], dataKey(), binding);
    expect((await rejection(openSlots([testKeys('v1')], slots, binding))).hint).toBe(
      'give the key provider test-kms',
    );
  });

  test('a volume key: the volume is the next step', async () => {
    const volumeKey: Slot = {
      wrapped: { type: 'volume-key', keyId: await keyIdOf('x'), bytes: new Uint8Array(104) },
      keyVersion: 3,
    };
    const error = await rejection(openSlots([testKeys('v1')], [volumeKey], binding));
    expect(error.message).toContain('volume key 3 of its volume');
    expect(error.hint).toBe('open it through its volume');
  });

  test('names out of a file cannot write to a terminal', async () => {
    const evil: WrappedKey = { type: 'test-kms', keyId: 'k\u001b[2J\r\n\u202e', bytes: new Uint8Array(60) };
    const error = await rejection(openSlots([testKeys('v1')], [{ wrapped: evil, keyVersion: 0 }], binding));
    expect(error.code).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(error.message + error.hint).not.toMatch(/[\p{Cc}\p{Cf}]/u);
  });
});

describe('told to diagnostics_channel', () => {
  async function listen(run: () => Promise<unknown>): Promise<unknown[]> {
    const messages: unknown[] = [];
    const on = (message: unknown, name: string | symbol): void =>
      void messages.push({ channel: String(name), ...(message as object) });
    for (const name of ['volseal:key.wrap', 'volseal:key.unwrap']) subscribe(name, on);
    try {
      await run().catch(() => {});
    } finally {
      for (const name of ['volseal:key.wrap', 'volseal:key.unwrap']) unsubscribe(name, on);
    }
    return messages;
  }

  const durationMs = expect.any(Number) as number;

  test('each call of a provider, its key id, and how it failed', async () => {
    expect(await listen(() => fillSlots([new TestKms('k')], dataKey(), binding))).toEqual([
      { channel: 'volseal:key.wrap', provider: 'test-kms', keyId: 'k', durationMs },
      { channel: 'volseal:key.unwrap', provider: 'test-kms', keyId: 'k', durationMs },
    ]);
    expect(
      await listen(() => fillSlots([providerWith({ wrap: failing(new Error('x')) })], dataKey(), binding)),
    ).toEqual([
      { channel: 'volseal:key.wrap', provider: 'test-kms', durationMs, error: 'ERR_VOLSEAL_PROVIDER_FAILED' },
    ]);
    const slots = await fillSlots([new TestKms('k')], dataKey(), binding);
    const wrong = providerWith({ unwrap: failing(new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'x')) });
    expect(await listen(() => openSlots([wrong], slots, binding))).toEqual([
      {
        channel: 'volseal:key.unwrap',
        provider: 'test-kms',
        keyId: 'k',
        durationMs,
        error: 'ERR_VOLSEAL_WRONG_KEY',
      },
    ]);
  });

  test('no message has key bytes', async () => {
    const messages = await listen(() => fillSlots([testKeys('v1'), new TestKms('k')], dataKey(), binding));
    expect(messages).toHaveLength(4);
    expect(JSON.stringify(messages)).not.toMatch(/dddddd|221,221/);
  });
});

test('an external slot keeps every byte on its way through a header', async () => {
  const kms = new TestKms('projects/p/locations/l/keyRings/r/cryptoKeys/ключ');
  const [slot] = (await fillSlots([kms], dataKey(), binding)) as [Slot];
  const read = parseSlot(concatBytes(encodeSlot(slot))) as Slot;
  expect(read.wrapped.keyId).toBe(kms.keyName);
  expect(await openedBytes([kms], [read])).toBe(hex(dataKeyBytes));
});
