/**
 * Released formats are read for ever: these keyrings were written once and open with every later version. `UPDATE=1` adds
 * keyrings with new names; what is there is never made again.
 */

import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { addVolumeKey } from '../../src/keyring/changes.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { recoveryKey } from '../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { externalKeys } from '../adversarial/external-keys.ts';
import {
  addFixtures,
  dataKey,
  directory,
  fileId,
  floeHeader,
  type KeyringFixture,
  readManifest,
} from './keyring-v1-fixtures.ts';

if (process.env['UPDATE'] !== undefined) await addFixtures(readManifest());
const manifest = readManifest();
const scratch = mkdtempSync(join(tmpdir(), 'volseal-golden-keyring-'));
afterAll(() => rmSync(scratch, { recursive: true }));

it('every file has an entry and every entry a file', () => {
  const files = readdirSync(directory).filter((file) => file !== 'manifest.json');
  expect(files.length).toBeGreaterThan(5);
  expect(files.toSorted()).toEqual(Object.keys(manifest).toSorted());
});

/** Every key alone that opens it. */
function keysOf({ secrets, externalKeys: names, recoveryKey: text }: KeyringFixture): KeyProvider[] {
  return [
    ...Object.entries(secrets).map(([name, value]) => flySecrets({ env: { [name]: value } })),
    ...names.map((name) => externalKeys(name)),
    ...(text === undefined ? [] : [recoveryKey(text)]),
  ];
}

describe.each(Object.entries(manifest))('%s', (file, fixture) => {
  const place = (): string => {
    const volume = join(mkdtempSync(join(scratch, 'volume-')), '.volseal');
    mkdirSync(volume);
    copyFileSync(`${directory}${file}`, join(volume, 'keyring.json'));
    return volume;
  };

  it('opens with each of its keys, says what it said, and opens its files', async () => {
    const volume = place();
    expect(keysOf(fixture).length).toBeGreaterThan(0);
    for (const provider of keysOf(fixture)) {
      const keyring = await Keyring.open(nodeSystem, volume, { providers: [provider] });
      expect(keyring.info()).toEqual(fixture.info);
      expect(Buffer.from(keyring.export())).toEqual(readFileSync(`${directory}${file}`));
      for (const { keyVersion, keyId, wrap, opens } of fixture.fileSlots) {
        const bytes = Uint8Array.from(Buffer.from(wrap, 'base64url'));
        const slot = { wrapped: { type: 'volume-key', keyId, bytes }, keyVersion };
        const open = (): Uint8Array => keyring.unwrapDataKey([slot], fileId, floeHeader).bytes();
        if (opens) expect(Uint8Array.from(open())).toEqual(dataKey);
        else expect(open).toThrow(expect.objectContaining({ code: 'ERR_VOLSEAL_KEY_MISSING' }));
      }
    }
  });

  it("does not open with a stranger's key", async () => {
    const opening = Keyring.open(nodeSystem, place(), { providers: [externalKeys('nobody')] });
    await expect(opening).rejects.toMatchObject({ code: 'ERR_VOLSEAL_KEY_MISSING' });
  });

  it('can be changed, and opens again', async () => {
    const volume = place();
    const system = { ...nodeSystem };
    const providers = keysOf(fixture).slice(0, 1);
    const keyring = await Keyring.open(system, volume, { providers, withLock: (run) => run() });
    await keyring.change(addVolumeKey());
    const again = await Keyring.open({ ...nodeSystem }, volume, { providers });
    const { generation, volumeKeys } = fixture.info;
    expect(again.info()).toMatchObject({ generation: generation + 1, slots: fixture.info.slots });
    expect(again.info().volumeKeys).toHaveLength(volumeKeys.length + 1);
  });
});
