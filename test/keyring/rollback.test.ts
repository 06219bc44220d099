/** Older keyrings, other keyrings, and floors: what is refused, and what cannot be told. */

import { afterEach, expect, test, vi } from 'vitest';
import { hex } from '../../src/bytes.ts';
import { addSlot, addVolumeKey } from '../../src/keyring/changes.ts';
import { environmentFloor } from '../../src/keyring/generations.ts';
import { referenceOpen, referenceSeal } from '../reference/keyring.ts';
import {
  codeOf,
  errorOf,
  fileId,
  floeHeader,
  ikmOf,
  makeKeyring,
  newDataKey,
  openElsewhere,
  openKeyring,
  secrets,
  store,
  storedIn,
} from './scratch.ts';

afterEach(() => vi.unstubAllEnvs());

test('an older generation is refused by everyone who has seen a newer one, and what was known stays in use', async () => {
  const { keyring, directory } = await makeKeyring();
  const first = storedIn(directory);
  await keyring.change(addVolumeKey());
  store(directory, first);
  for (const attempt of [
    () => keyring.refresh(),
    () => keyring.reload(),
    () => keyring.change(addVolumeKey()),
    () => openKeyring(directory),
  ]) {
    const error = await errorOf(attempt);
    expect([error.code, error.message]).toEqual([
      'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
      expect.stringMatching(/generation 1, .* has seen 2/),
    ]);
  }
  expect(keyring.generation).toBe(2);
  expect(keyring.wrapDataKey(newDataKey(), fileId, floeHeader).keyVersion).toBe(2);
  expect(hex(storedIn(directory))).toBe(hex(first));
  // A process that has seen nothing cannot know: floors are for that, and files of newer keys.
  expect((await openElsewhere(directory)).generation).toBe(1);
});

test('another keyring of the generation that was seen is refused', async () => {
  const { keyring, directory } = await makeKeyring();
  const { keyringKey, payload } = referenceOpen(storedIn(directory), 'fly-secrets', ikmOf('v1'));
  const changed = JSON.stringify({ ...payload, policy: { ...payload.policy, requireContext: ['x'] } });
  store(directory, referenceSeal(keyringKey, changed));
  expect(await codeOf(() => keyring.reload())).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(await codeOf(() => openKeyring(directory))).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(keyring.policy.requireContext).toEqual([]);
});

test('the keyring of another volume in its place is refused while it runs, and at the start by its id', async () => {
  const one = await makeKeyring();
  const other = await makeKeyring();
  await other.keyring.change(addVolumeKey());
  store(one.directory, storedIn(other.directory));
  const error = await errorOf(() => one.keyring.refresh());
  expect(error.code).toBe('ERR_VOLSEAL_VOLUME_MISMATCH');
  expect(error.message).toContain(other.keyring.info().volumeId);
  const expectVolumeId = one.keyring.info().volumeId;
  expect(await codeOf(() => openElsewhere(one.directory, { expectVolumeId }))).toBe(
    'ERR_VOLSEAL_VOLUME_MISMATCH',
  );
  // Without the id nobody can know: the sister has the same secret.
  expect((await openElsewhere(one.directory)).info().volumeId).toBe(other.keyring.info().volumeId);
});

test('expectVolumeId: the id in either case opens, something else is an argument error', async () => {
  const { directory, keyring } = await makeKeyring();
  const { volumeId } = keyring.info();
  for (const expectVolumeId of [volumeId, volumeId.toUpperCase()])
    await openKeyring(directory, { expectVolumeId });
  for (const expectVolumeId of ['', volumeId.slice(1), `${volumeId}0`, 'z'.repeat(32)])
    expect(await codeOf(() => openKeyring(directory, { expectVolumeId }))).toBe(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
    );
});

test('a wrong volume is said before a missing key', async () => {
  const { directory } = await makeKeyring();
  const opening = { providers: [secrets('other')], expectVolumeId: '0'.repeat(32) };
  expect(await codeOf(() => openKeyring(directory, opening))).toBe('ERR_VOLSEAL_VOLUME_MISMATCH');
});

test('minGeneration pins a floor', async () => {
  const { directory, keyring } = await makeKeyring();
  await keyring.change(addVolumeKey());
  for (const minGeneration of [0, 1, 2]) await openKeyring(directory, { minGeneration });
  const error = await errorOf(() => openKeyring(directory, { minGeneration: 3 }));
  expect([error.code, error.message]).toEqual([
    'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
    expect.stringContaining('minGeneration demands 3'),
  ]);
  for (const minGeneration of [-1, 1.5, Number.NaN])
    expect(await codeOf(() => openKeyring(directory, { minGeneration }))).toBe(
      'ERR_VOLSEAL_INVALID_ARGUMENT',
    );
});

test('$VOLSEAL_KEYRING_MIN pins one too, for all volumes or for each', async () => {
  const { directory, keyring } = await makeKeyring();
  await keyring.change(addSlot(secrets('v2')));
  const { volumeId } = keyring.info();
  const with_ = async (value: string): Promise<string> => {
    vi.stubEnv('VOLSEAL_KEYRING_MIN', value);
    return codeOf(() => openElsewhere(directory));
  };
  expect(await with_('')).toBe('no error');
  expect(await with_('2')).toBe('no error');
  expect(await with_('3')).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(await with_(`${volumeId}=2`)).toBe('no error');
  expect(await with_(`${volumeId}=3`)).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(await with_(`${volumeId.slice(0, 8).toUpperCase()}=3`)).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  const other = volumeId.startsWith('0') ? '1'.repeat(32) : '0'.repeat(32);
  expect(await with_(`${other}=99`)).toBe('no error');
  expect(await with_(`${other}=99 ${volumeId}=3`)).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(await with_('seven')).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  vi.stubEnv('VOLSEAL_KEYRING_MIN', '3');
  expect((await errorOf(() => openElsewhere(directory))).message).toContain('$VOLSEAL_KEYRING_MIN demands 3');
});

test('floors in the environment: the highest that is meant for the volume', () => {
  const id = Uint8Array.from({ length: 16 }, (_, i) => i + 0xa0);
  const floor = (value: string | undefined): number => environmentFloor(id, value);
  expect(
    [undefined, '', ' , ', '7', '7,3 9', 'a0a1a2a3=4', 'a0a1a2a3a4=5,6', 'ffffffff=8'].map(floor),
  ).toEqual([1, 1, 1, 7, 9, 4, 6, 1]);
  for (const bad of ['0', '-1', '1.5', 'a0a1a2=4', 'a0a1a2a3=', '=4', '99999999999999999', 'a0a1a2a3:4'])
    expect(() => floor(bad)).toThrow(expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' }));
});

test('what is replaced while another reads is no rollback', async () => {
  const { keyring, directory } = await makeKeyring();
  const reader = await openKeyring(directory);
  await Promise.all(
    Array.from({ length: 40 }, async (_, i) => {
      if (i % 4 === 0) await keyring.change(addVolumeKey());
      else if (i % 4 === 1) await reader.refresh();
      else if (i % 4 === 2) await keyring.refresh();
      else (await openKeyring(directory)).close();
    }),
  );
  await reader.refresh();
  expect([keyring.generation, reader.generation]).toEqual([11, 11]);
});
