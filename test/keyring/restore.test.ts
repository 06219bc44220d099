/** Putting an export back. */

import { mkdirSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test, vi } from 'vitest';
import { hex } from '../../src/bytes.ts';
import { addVolumeKey } from '../../src/keyring/changes.ts';
import { restoreKeyring, type KeyringRestoreOptions } from '../../src/keyring/restore.ts';
import type { KeyringInfo } from '../../src/keyring/keyring.ts';
import { recoveryKey } from '../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import {
  codeOf,
  errorOf,
  fileId,
  floeHeader,
  lockOf,
  makeKeyring,
  newDataKey,
  newRoot,
  openElsewhere,
  openKeyring,
  previousIn,
  secrets,
  store,
  storedIn,
} from './scratch.ts';

afterEach(() => vi.unstubAllEnvs());

async function restore(
  directory: string,
  document: Uint8Array,
  options: Partial<KeyringRestoreOptions> = {},
): Promise<KeyringInfo> {
  return restoreKeyring(nodeSystem, directory, document, {
    providers: [secrets('v1')],
    withLock: lockOf(directory),
    ...options,
  });
}

test('a lost keyring comes back, and its files open; with the recovery key as well', async () => {
  const { keyring, directory, recoveryKey: text } = await makeKeyring({ recovery: true });
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const copy = keyring.export();
  for (const providers of [[secrets('v1')], [recoveryKey(text as string)]]) {
    rmSync(directory, { recursive: true });
    expect(await restore(directory, copy, { providers })).toEqual(keyring.info());
    expect(hex(storedIn(directory))).toBe(hex(copy));
    const opened = await openElsewhere(directory);
    opened.unwrapDataKey([slot], fileId, floeHeader);
  }
});

test('the same keyring again changes nothing', async () => {
  const { keyring, directory } = await makeKeyring();
  const copy = keyring.export();
  expect((await restore(directory, copy)).generation).toBe(1);
  await keyring.refresh();
  expect(() => previousIn(directory)).toThrow('ENOENT');
});

test('a newer one replaces an older one, which is kept beside it', async () => {
  const { keyring, directory } = await makeKeyring();
  const older = keyring.export();
  await keyring.change(addVolumeKey());
  const newer = keyring.export();
  store(directory, older); // an old snapshot of the volume
  expect((await restore(directory, newer)).generation).toBe(2);
  expect([hex(storedIn(directory)), hex(previousIn(directory))]).toEqual([hex(newer), hex(older)]);
  await keyring.refresh();
});

test('an older one, another one of the same generation and one of another volume need force', async () => {
  const { keyring, directory } = await makeKeyring();
  const older = keyring.export();
  const forked = await openElsewhere(directory, { withLock: async (run) => run() });
  await keyring.change(addVolumeKey());
  const current = hex(storedIn(directory));
  const stranger = (await makeKeyring()).keyring.export();
  const refusal = await errorOf(() => restore(directory, older));
  expect([refusal.code, refusal.message, refusal.hint]).toEqual([
    'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
    expect.stringMatching(/generation 2, and the export at 1/),
    expect.stringContaining('--force'),
  ]);
  store(directory, older);
  await forked.change(addVolumeKey());
  const sibling = forked.export();
  store(directory, Buffer.from(current, 'hex'));
  expect(await codeOf(() => restore(directory, sibling))).toBe('ERR_VOLSEAL_KEYRING_ROLLED_BACK');
  expect(await codeOf(() => restore(directory, stranger))).toBe('ERR_VOLSEAL_VOLUME_MISMATCH');
  expect(hex(storedIn(directory))).toBe(current);

  for (const document of [sibling, stranger, older]) {
    await restore(directory, document, { force: true });
    expect(hex(storedIn(directory))).toBe(hex(document));
  }
  // This process was told to; it opens what was put back. Others that saw the newer one go on refusing.
  expect((await openKeyring(directory)).generation).toBe(1);
  expect(await codeOf(() => keyring.reload())).toBe('no error');
});

test('one that cannot be opened is not replaced without force', async () => {
  const { keyring, directory } = await makeKeyring();
  const copy = keyring.export();
  const other = await makeKeyring({ providers: [secrets('other')] });
  for (const inTheWay of [Buffer.from('{}'), Buffer.from(other.keyring.export()), Buffer.alloc(1_200_000)]) {
    store(directory, inTheWay);
    expect(await errorOf(() => restore(directory, copy))).toMatchObject({
      code: 'ERR_VOLSEAL_VOLUME_EXISTS',
      hint: expect.stringContaining('--force') as string,
    });
    expect(storedIn(directory)).toHaveLength(inTheWay.length);
    await restore(directory, copy, { force: true });
    expect(hex(storedIn(directory))).toBe(hex(copy));
  }
  rmSync(join(directory, 'keyring.json'));
  const target = join(newRoot(), 'target');
  symlinkSync(target, join(directory, 'keyring.json'));
  expect(await codeOf(() => restore(directory, copy))).toBe('ERR_VOLSEAL_VOLUME_EXISTS');
  await restore(directory, copy, { force: true });
  expect(hex(storedIn(directory))).toBe(hex(copy));
  expect(() => storedIn(target)).toThrow('ENOENT');
});

test('what does not open is not put anywhere', async () => {
  const { keyring } = await makeKeyring();
  const copy = keyring.export();
  const changed = Uint8Array.from(copy);
  // One Base64 digit for another.
  changed[copy.length - 10] = changed[copy.length - 10] === 0x41 ? 0x42 : 0x41;
  const directory = join(newRoot(), '.volseal');
  mkdirSync(directory);
  const attempts: readonly [string, Uint8Array, Partial<KeyringRestoreOptions>][] = [
    ['ERR_VOLSEAL_KEYRING_TAMPERED', changed, {}],
    ['ERR_VOLSEAL_KEYRING_INVALID', copy.subarray(1), {}],
    ['ERR_VOLSEAL_KEY_MISSING', copy, { providers: [secrets('other')] }],
    ['ERR_VOLSEAL_VOLUME_MISMATCH', copy, { expectVolumeId: 'f'.repeat(32) }],
    ['ERR_VOLSEAL_KEYRING_ROLLED_BACK', copy, { minGeneration: 2 }],
  ];
  for (const [code, document, options] of attempts) {
    for (const force of [false, true]) {
      expect(await codeOf(() => restore(directory, document, { ...options, force }))).toBe(code);
      expect(() => storedIn(directory)).toThrow('ENOENT');
    }
  }
  vi.stubEnv('VOLSEAL_KEYRING_MIN', '2');
  expect(await codeOf(() => restore(directory, copy, { force: true }))).toBe(
    'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
  );
});
