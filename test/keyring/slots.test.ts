/** The slots of a keyring: which provider opens it, and what is said when none does. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { hex } from '../../src/bytes.ts';
import { VolsealError } from '../../src/errors.ts';
import { addSlot, addVolumeKey, removeSlot, setPrimarySlot } from '../../src/keyring/changes.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { makeRecoveryKey, recoveryKey } from '../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { failing, giving, providerWith, TestKms, unavailable } from '../unit/envelope/test-kms.ts';
import { referenceKeyId, referenceKeyIdText } from '../reference/keys.ts';
import { referenceOpen, referencePayload } from '../reference/keyring.ts';
import {
  codeOf,
  errorOf,
  fileId,
  floeHeader,
  ikmOf,
  makeKeyring,
  newDataKey,
  newRoot,
  openElsewhere,
  openKeyring,
  previousIn,
  secrets,
  storedIn,
} from './scratch.ts';

const idOf = (label: string): string => referenceKeyIdText(referenceKeyId(ikmOf(label)));
const flySlot = (label: string): { type: string; keyId: string } => ({
  type: 'fly-secrets',
  keyId: idOf(label),
});

test('each provider gets a slot, the first one is primary, and each opens alone', async () => {
  const kms = new TestKms('alpha');
  const { directory, keyring } = await makeKeyring({
    providers: [secrets('v1'), kms, new TestKms('beta')],
    recovery: true,
  });
  expect(keyring.info().slots.map(({ type, keyId, primary }) => [type, keyId, primary])).toEqual([
    ['fly-secrets', idOf('v1'), true],
    ['test-kms', 'alpha', false],
    ['test-kms', 'beta', false],
    ['recovery', expect.any(String), false],
  ]);
  for (const provider of [secrets('v1'), new TestKms('alpha'), new TestKms('beta')]) {
    expect((await openKeyring(directory, { providers: [provider] })).info()).toEqual(keyring.info());
  }
  // What an external provider has to bind.
  expect(kms.infos[0]).toEqual({
    scope: 'volume',
    id: keyring.volumeId,
    aad: keyring.volumeId,
    context: {},
  });
});

test('one call of a provider unlocks it, however many files are opened', async () => {
  const { directory, keyring } = await makeKeyring({ providers: [new TestKms('alpha')] });
  for (let i = 0; i < 3; i++) await keyring.change(addVolumeKey());
  const kms = new TestKms('alpha');
  const reader = await openKeyring(directory, { providers: [kms] });
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  for (let i = 0; i < 10; i++) reader.unwrapDataKey([slot], fileId, floeHeader);
  await reader.refresh();
  expect(kms.calls).toEqual(['describe', 'unwrap']);
});

test('every wrap is opened again before it counts, and nothing is written when one does not', async () => {
  const other = new TestKms('k');
  for (const bad of [
    providerWith({ unwrap: giving(new Uint8Array(32)) }),
    providerWith({ unwrap: giving(new Uint8Array(31)) }),
    providerWith({ unwrap: failing(new Error('out of order')) }),
    providerWith({ wrap: giving({ type: 'fly-secrets', keyId: 'k', bytes: new Uint8Array(104) }) }),
    providerWith({ wrap: giving(undefined) }),
    providerWith({ wrap: failing(new VolsealError('ERR_VOLSEAL_PROVIDER_FAILED', 'no')) }),
  ]) {
    const root = newRoot();
    expect(await codeOf(() => makeKeyring({ root, providers: [secrets('v1'), bad] }))).toBe(
      'ERR_VOLSEAL_PROVIDER_FAILED',
    );
    expect(readdirSync(root)).toEqual([]);
  }
  const { keyring, directory } = await makeKeyring();
  const before = hex(storedIn(directory));
  expect(await codeOf(() => keyring.change(addSlot(providerWith({ unwrap: giving(1) }))))).toBe(
    'ERR_VOLSEAL_PROVIDER_FAILED',
  );
  expect(hex(storedIn(directory))).toBe(before);
  await keyring.change(addSlot(other));
  expect(other.calls).toEqual(['wrap', 'unwrap']);
});

test('a wrap that no keyring can hold is refused before it is written', async () => {
  const large = new TestKms('large');
  large.padBytes = 2_000;
  const odd = providerWith({});
  const misnamed: KeyProvider = {
    ...odd,
    type: 'test-kms',
    wrap: async (key, info) => ({ ...(await odd.wrap(key, info)), keyId: '\ud800' }),
  };
  for (const provider of [large, misnamed]) {
    expect(await codeOf(() => makeKeyring({ providers: [provider] }))).toBe('ERR_VOLSEAL_PROVIDER_FAILED');
  }
  large.padBytes = 1_900;
  await makeKeyring({ providers: [large] });
});

test('no provider, and one provider twice, are refused', async () => {
  expect(await codeOf(() => makeKeyring({ providers: [] }))).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  expect(await codeOf(() => makeKeyring({ providers: [secrets('v1'), secrets('v1')] }))).toBe(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
  );
});

test('no key at hand: the error names what is wanted, what is here, and the next step', async () => {
  const { directory } = await makeKeyring({ recovery: true });
  const missing = await errorOf(() => openKeyring(directory, { providers: [secrets('other')] }));
  expect(missing.code).toBe('ERR_VOLSEAL_KEY_MISSING');
  expect(missing.message).toContain(`the Fly secret v1 (key id ${idOf('v1')})`);
  expect(missing.message).toContain('or the recovery key (key id ');
  expect(missing.message).toContain(`here: other (key id ${idOf('other')})`);
  expect(missing.hint).toMatch(/fly secrets set VOLSEAL_SECRET_v1=-.*recovery key/);
  const sameLabel = await errorOf(() => openKeyring(directory, { providers: [renamed('v1', 'else')] }));
  expect(sameLabel.hint).toContain('fly secrets deploy');
  const recovery = await errorOf(() =>
    openKeyring(directory, { providers: [recoveryKey(makeRecoveryKey())] }),
  );
  expect(recovery.code).toBe('ERR_VOLSEAL_KEY_MISSING');
  const external = await makeKeyring({ providers: [new TestKms('alpha')] });
  const kms = await errorOf(() => openKeyring(external.directory));
  expect([kms.message, kms.hint]).toEqual([
    expect.stringContaining('test-kms alpha'),
    'give the key provider test-kms',
  ]);
});

/** A secret with the label of one and the value of another. */
function renamed(label: string, value: string): KeyProvider {
  const keys = secrets(value);
  return {
    type: keys.type,
    wrap: (...given) => keys.wrap(...given),
    unwrap: (...given) => keys.unwrap(...given),
    describe: async () => {
      const info = await keys.describe();
      return { ...info, keys: info.keys.map((key) => ({ ...key, label })) };
    },
  };
}

test('a provider that cannot be reached gives way to the next; alone it is said that trying again may help', async () => {
  const providers = [secrets('v1'), new TestKms('k')];
  const { directory } = await makeKeyring({ providers });
  const away = providerWith({ unwrap: failing(unavailable()) });
  expect((await openKeyring(directory, { providers: [away, secrets('v1')] })).generation).toBe(1);
  expect(await errorOf(() => openKeyring(directory, { providers: [away] }))).toMatchObject({
    code: 'ERR_VOLSEAL_PROVIDER_UNAVAILABLE',
    retryable: true,
  });
  const mute = providerWith({ describe: failing(unavailable()) });
  expect(await codeOf(() => openKeyring(directory, { providers: [mute, secrets('other')] }))).toBe(
    'ERR_VOLSEAL_PROVIDER_UNAVAILABLE',
  );
});

test('a slot that does not open is not passed over for another', async () => {
  const { directory } = await makeKeyring({ providers: [new TestKms('k'), secrets('v1')] });
  const wrong = providerWith({ unwrap: failing(new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'no')) });
  expect(await errorOf(() => openKeyring(directory, { providers: [wrong, secrets('v1')] }))).toMatchObject({
    code: 'ERR_VOLSEAL_WRONG_KEY',
    hint: expect.stringContaining('volseal keyring restore') as string,
  });
  expect(
    await codeOf(() => openKeyring(directory, { providers: [providerWith({ unwrap: giving(1) })] })),
  ).toBe('ERR_VOLSEAL_PROVIDER_FAILED');
});

test('a provider that gives another key than the one that was wrapped is found by the MAC', async () => {
  const { directory } = await makeKeyring({ providers: [new TestKms('k')] });
  const other = providerWith({ unwrap: giving(new Uint8Array(32).fill(7)) });
  expect(await codeOf(() => openKeyring(directory, { providers: [other] }))).toBe(
    'ERR_VOLSEAL_KEYRING_TAMPERED',
  );
});

test('of two secrets of one provider the one with the primary slot is used', async () => {
  const { directory, keyring } = await makeKeyring();
  await keyring.change(addSlot(secrets('v2')));
  const used: string[] = [];
  const keys = secrets('v1', 'v2');
  const watched: KeyProvider = {
    type: keys.type,
    wrap: (...given) => keys.wrap(...given),
    describe: (...given) => keys.describe(...given),
    unwrap: (wrapped, info) => {
      used.push(wrapped.keyId);
      return keys.unwrap(wrapped, info);
    },
  };
  await openElsewhere(directory, { providers: [watched] });
  await keyring.change(setPrimarySlot(flySlot('v2')));
  await openElsewhere(directory, { providers: [watched] });
  expect(used).toEqual([idOf('v1'), idOf('v2')]);
});

test('a slot is added under the primary key or the named one, once', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addSlot(secrets('v2')));
  await keyring.change(addSlot(secrets('v1', 'v3'), { keyId: idOf('v3') }));
  expect(keyring.info().slots.map(({ label, primary }) => [label, primary])).toEqual([
    ['v1', true],
    ['v2', false],
    ['v3', false],
  ]);
  for (const label of ['v1', 'v2', 'v3']) await openElsewhere(directory, { providers: [secrets(label)] });
  expect(await codeOf(() => keyring.change(addSlot(secrets('v2'))))).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  expect(await codeOf(() => keyring.change(addSlot(secrets('v2'), { keyId: idOf('v4') })))).toBe(
    'ERR_VOLSEAL_KEY_MISSING',
  );
  // A provider that does not look at the key id that is asked for.
  expect(await codeOf(() => keyring.change(addSlot(new TestKms('k'), { keyId: 'other' })))).toBe(
    'ERR_VOLSEAL_PROVIDER_FAILED',
  );
  expect(keyring.generation).toBe(3);
});

test('32 slots and no more', async () => {
  const providers = Array.from({ length: 31 }, (_, i) => new TestKms(`k${i}`));
  const { keyring } = await makeKeyring({ providers, recovery: true });
  expect(keyring.info().slots).toHaveLength(32);
  expect(await codeOf(() => keyring.change(addSlot(new TestKms('one more'))))).toBe(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
  );
  const tooMany = [...providers, new TestKms('k31')];
  expect(await codeOf(() => makeKeyring({ providers: tooMany, recovery: true }))).toBe(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
  );
});

test('removing a slot: new keyring key, new primary key, neither generation holds the old slot, old files open', async () => {
  const { keyring, directory } = await makeKeyring();
  const old = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  await keyring.change(addSlot(secrets('v2')));
  await keyring.change(setPrimarySlot(flySlot('v2')));
  const oldKey = referenceOpen(storedIn(directory), 'fly-secrets', ikmOf('v1')).keyringKey;
  const before = keyring.info();
  await keyring.change(removeSlot(flySlot('v1'), { providers: [secrets('v2')] }));
  const after = keyring.info();
  expect(after.generation).toBe(before.generation + 2);
  expect(after.slots.map(({ label, primary, created }) => [label, primary, created])).toEqual([
    ['v2', true, before.slots[1]?.created],
  ]);
  expect(after.volumeKeys.map(({ version, state }) => [version, state])).toEqual([
    [1, 'active'],
    [2, 'primary'],
  ]);
  for (const document of [storedIn(directory), previousIn(directory)]) {
    expect(referencePayload(document).slots.map(({ keyId }) => keyId)).toEqual([idOf('v2')]);
    expect(() => referenceOpen(document, 'fly-secrets', ikmOf('v1'))).toThrow('no slot');
    const opened = referenceOpen(document, 'fly-secrets', ikmOf('v2'));
    expect(hex(opened.keyringKey)).not.toBe(hex(oldKey));
  }
  const reader = await openElsewhere(directory, { providers: [secrets('v2')] });
  reader.unwrapDataKey([old], fileId, floeHeader);
  expect(keyring.wrapDataKey(newDataKey(), fileId, floeHeader).keyVersion).toBe(2);
  expect(await codeOf(() => openElsewhere(directory))).toBe('ERR_VOLSEAL_KEY_MISSING');
});

test('another process that still has a key follows a removal; one that has none left says so', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addSlot(secrets('v2')));
  const both = await openElsewhere(directory, { providers: [secrets('v1', 'v2')] });
  const onlyOld = await openElsewhere(directory);
  await keyring.change(setPrimarySlot(flySlot('v2')));
  await keyring.change(removeSlot(flySlot('v1'), { providers: [secrets('v2')] }));
  await both.refresh();
  expect(both.info()).toEqual(keyring.info());
  expect(await codeOf(() => onlyOld.refresh())).toBe('ERR_VOLSEAL_KEY_MISSING');
  // What it knew stays in use.
  expect(onlyOld.wrapDataKey(newDataKey(), fileId, floeHeader).keyVersion).toBe(1);
});

test('a slot that nobody here can wrap for is named, and has to be given or dropped', async () => {
  const { keyring, directory, recoveryKey: text } = await makeKeyring({ recovery: true });
  await keyring.change(addSlot(secrets('v2')));
  await keyring.change(setPrimarySlot(flySlot('v2')));
  const before = hex(storedIn(directory));
  const removal = { providers: [secrets('v2')] };
  const refusal = await errorOf(() => keyring.change(removeSlot(flySlot('v1'), removal)));
  expect([refusal.code, refusal.message]).toEqual([
    'ERR_VOLSEAL_KEY_MISSING',
    expect.stringContaining('the recovery key (key id '),
  ]);
  expect(hex(storedIn(directory))).toBe(before);
  await keyring.change(
    removeSlot(flySlot('v1'), { providers: [secrets('v2'), recoveryKey(text as string)] }),
  );
  expect(keyring.info().slots.map(({ type }) => type)).toEqual(['recovery', 'fly-secrets']);
  await openElsewhere(directory, { providers: [recoveryKey(text as string)] });

  await keyring.change(addSlot(secrets('v3')));
  const recovery = keyring.info().slots.find(({ type }) => type === 'recovery');
  await keyring.change(
    removeSlot(flySlot('v3'), {
      providers: [secrets('v2')],
      drop: [{ type: 'recovery', keyId: recovery?.keyId ?? '' }],
    }),
  );
  expect(keyring.info()).toMatchObject({ recovery: false, slots: [{ label: 'v2' }] });
});

test('the primary slot and an unknown slot are not removed', async () => {
  const { keyring } = await makeKeyring();
  await keyring.change(addSlot(secrets('v2')));
  expect(await codeOf(() => keyring.change(removeSlot(flySlot('v1'))))).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  expect(await codeOf(() => keyring.change(removeSlot(flySlot('v9'))))).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  expect(await codeOf(() => keyring.change(setPrimarySlot(flySlot('v9'))))).toBe(
    'ERR_VOLSEAL_INVALID_ARGUMENT',
  );
  expect(keyring.generation).toBe(2);
});

test('a provider of another type with the same key id is not the same key', async () => {
  const { directory } = await makeKeyring({ providers: [new TestKms('k')] });
  expect(await codeOf(() => openKeyring(directory, { providers: [new TestKms('k', 'other-kms')] }))).toBe(
    'ERR_VOLSEAL_KEY_MISSING',
  );
  await expect(
    Keyring.open(nodeSystem, join(directory), { providers: [new TestKms('k')] }),
  ).resolves.toBeInstanceOf(Keyring);
});
