/**
 * Who has an old secret, an old keyring and today's disk: everything as long as headers are under the old volume key, and the
 * audit says so; nothing of what was written or rewrapped since.
 */

import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { volumeInternals } from '../../src/fs/volume/internals.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { addSlot, setPrimarySlot } from '../../src/keyring/changes.ts';
import { forgetGeneration } from '../../src/keyring/generations.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { audit } from '../../src/rotate/audit.ts';
import { retire } from '../../src/rotate/retire.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { testKeys } from '../../src/testing.ts';
import { failureOf, volumeScratch } from '../fs/volume/volumes.ts';

const scratch = volumeScratch();
const oldKeys = testKeys('old');
const newKeys = testKeys('new');
const paths = ['a', 'd/once', 'd/other'];

/** A copy of the raw bytes, with the keyring as it was once; opened with the old secret. */
async function stolen(volume: Volume, keyring: Buffer): Promise<Volume> {
  const root = await mkdtemp(join(scratch.directory, 'stolen-'));
  cpSync(volume.root, root, { recursive: true });
  writeFileSync(join(root, '.volseal/keyring.json'), keyring);
  forgetGeneration(nodeSystem, Buffer.from(volume.id, 'hex'));
  return scratch.open(root, { keys: oldKeys });
}

async function opened(volume: Volume, files: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  for (const path of files) {
    const content = await volume.readFile(path, 'utf8').catch(() => undefined);
    if (content !== undefined) found.push(path);
  }
  return found;
}

describe('a thief with the old secret and the raw bytes', () => {
  it('opens what is under the old volume key, and nothing after the rotation is complete', async () => {
    const root = await scratch.root({ keys: oldKeys });
    const volume = await scratch.open(root, { keys: [newKeys, oldKeys] });
    for (const path of paths) await volume.outputFile(path, `content of ${path}`);
    const keyringPath = join(root, '.volseal/keyring.json');
    const oldKeyring = readFileSync(keyringPath);

    const { keyring } = volumeInternals(volume).mounted.environment;
    await keyring.change(addSlot(newKeys));
    const [newId, oldId] = [(await newKeys.describe()).primary, (await oldKeys.describe()).primary];
    const { type } = newKeys;
    expect(await failureOf(retire(volume, oldId))).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
    await keyring.change(setPrimarySlot({ type, keyId: newId }));
    const retired = await retire(volume, oldId);
    expect(retired).toMatchObject({ keyId: oldId, kind: 'secret', alreadyRetired: false });

    await volume.writeFile('new', 'written since');
    const halfWay = await stolen(volume, oldKeyring);
    expect(await opened(halfWay, [...paths, 'new'])).toEqual(paths);
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({
      clean: false,
      keys: [{ files: 3, halves: 6 }],
    });

    await rewrap(volume, { paths: ['d'] });
    expect(await opened(await stolen(volume, oldKeyring), [...paths, 'new'])).toEqual(['a']);
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({
      clean: false,
      keys: [{ examples: ['/a'] }],
    });

    expect(await rewrap(volume)).toMatchObject({ complete: true });
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: true });
    await retire(volume, 'vk:1');
    expect(await opened(await stolen(volume, oldKeyring), [...paths, 'new'])).toEqual([]);
    const own = await stolen(volume, readFileSync(keyringPath)).catch((error: unknown) => error);
    expect(own).toMatchObject({ code: 'ERR_VOLSEAL_KEY_MISSING' });
    const previous = readFileSync(`${keyringPath}.prev`);
    expect(await stolen(volume, previous).catch((error: unknown) => error)).toMatchObject({
      code: 'ERR_VOLSEAL_KEY_MISSING',
    });
    expect(await opened(volume, [...paths, 'new'])).toEqual([...paths, 'new']);
  });
});
