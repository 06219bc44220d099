/** That processes say which keyring they work with, and when they say another one. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { parseHolderName } from '../../../src/fs/volume/holder.ts';
import { volumeInternals } from '../../../src/fs/volume/internals.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { addVolumeKey } from '../../../src/keyring/changes.ts';
import { volumeScratch } from './volumes.ts';

const { open, volume: newVolume } = volumeScratch();

function generations(volume: Volume): number[] {
  const names = readdirSync(join(volume.root, '.volseal/locks'));
  return names.flatMap((name) => parseHolderName(name)?.generation ?? []).toSorted((a, b) => a - b);
}

const newKey = (volume: Volume): Promise<void> =>
  volumeInternals(volume).mounted.environment.keyring.change(addVolumeKey());
const look = (volume: Volume): Promise<void> => volumeInternals(volume).mounted.holder.look();

describe('a process that works with a volume', () => {
  it('says so with its first change, not when it only reads, until the volume is closed', async () => {
    const volume = await newVolume();
    const reader = await open(volume.root, { readonly: true });
    expect(generations(volume)).toEqual([]);
    await volume.writeFile('f', 'f');
    await reader.readFile('f');
    expect(generations(volume)).toEqual([1]);
    const other = await open(volume.root);
    await Promise.all([other.appendFile('f', '+'), other.rename('f', 'g').catch(() => {})]);
    expect(generations(volume)).toEqual([1, 1]);
    await other.close();
    expect(generations(volume)).toEqual([1]);
    await volume.close();
    expect(generations(volume)).toEqual([]);
  });

  it('says another generation when it has seen it and what began before has ended', async () => {
    const volume = await newVolume();
    const other = await open(volume.root);
    await other.writeFile('f', 'f');
    const stream = other.createWriteStream('slow');
    await new Promise<void>((resolve) => stream.once('ready', () => resolve()));
    await newKey(volume);
    await look(other);
    expect(generations(volume)).toEqual([1]);
    await other.writeFile('new', 'by the new keyring');
    expect(generations(volume)).toEqual([1]);
    await newKey(volume);
    await new Promise<void>((resolve) => stream.end(() => resolve()));
    await look(other);
    expect(generations(volume)).toEqual([3]);
  });

  it('sees a new keyring without doing anything', async () => {
    const volume = await newVolume();
    const other = await open(volume.root);
    await other.writeFile('f', 'f');
    await newKey(volume);
    await expect.poll(() => generations(volume), { timeout: 20_000 }).toEqual([2]);
  });
});
