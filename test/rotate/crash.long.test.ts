/** Rotations of the volume key through crashes at every operation: all data opens, and what was said to be done is done. */

import { constants } from 'node:fs';
import { describe, expect, it } from 'vitest';

import { findHeader } from '../../src/envelope/region.ts';
import { initVolumeOn, openVolumeOn } from '../../src/fs/volume/init.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import type { System } from '../../src/os/system.ts';
import { audit } from '../../src/rotate/audit.ts';
import { retire } from '../../src/rotate/retire.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { rotateVolumeKey } from '../../src/rotate/volume-key.ts';
import { keys, root } from '../fs/crash/actions.ts';
import { type CrashReport, simulateCrashes } from '../simulator/simulate-crashes.ts';

type Mark = 'key' | 'rewrapped' | 'retired';

const contents = new Map<string, Buffer>([
  ['a', Buffer.from('small')],
  ['d/grown', Buffer.from('grown twice')],
  ['d/once', Buffer.alloc(5_000, 'o')],
]);

/** Files of both kinds, one of them with halves of different states. */
async function fill(system: System): Promise<Volume> {
  await system.mkdir(root);
  await initVolumeOn(system, root, { keys, recovery: false, policy: { segmentBytes: 4_096 } });
  const volume = await openVolumeOn(system, root, { keys });
  await volume.mkdir('d');
  for (const [path, data] of contents) await volume.writeFile(path, data, { immutable: path === 'd/once' });
  const handle = await volume.open('d/grown', 'w');
  await handle.write('grown');
  await handle.sync();
  await handle.write(' twice');
  await handle.close();
  return volume;
}

async function checkContents(volume: Volume): Promise<void> {
  for (const [path, data] of contents) expect(await volume.readFile(path)).toEqual(data);
}

/** The volume keys that any half of any file names. */
async function versionsInHeaders(system: System): Promise<Set<number>> {
  const versions = new Set<number>();
  for (const path of contents.keys()) {
    const fd = await system.open(`${root}/${path}`, constants.O_RDONLY);
    const region = new Uint8Array(4_096);
    const bytes = await system.read(fd, region, 0, region.length, 0);
    await system.close(fd);
    const { goodCopies } = findHeader(region.subarray(0, bytes));
    if (goodCopies.length < 2) versions.add(-1);
    for (const { slots } of goodCopies) for (const { keyVersion } of slots) versions.add(keyVersion);
  }
  return versions;
}

async function generationsHolding(volume: Volume, id: string): Promise<readonly number[] | undefined> {
  const { keys: found } = await audit(volume);
  return found.find((key) => key.id === id)?.generations;
}

async function simulate(
  nameOrder: 'ordered' | 'any',
  before: (volume: Volume) => Promise<void>,
): Promise<CrashReport> {
  return simulateCrashes<Volume, Mark>({
    setup: async (system) => {
      const volume = await fill(system);
      await before(volume);
      return volume;
    },
    run: async (_system, volume, acknowledge) => {
      await rotateVolumeKey(volume);
      acknowledge('key');
      expect(await rewrap(volume, { jobs: 2 })).toMatchObject({ complete: true, failed: [] });
      acknowledge('rewrapped');
      await retire(volume, 'vk:1');
      acknowledge('retired');
    },
    check: async (system, acknowledged) => {
      const volume = await openVolumeOn(system, root, { keys });
      await checkContents(volume);
      const [first, second] = volume.keyring.volumeKeys;
      if (acknowledged.includes('key')) expect(second?.state).toBe('primary');
      if (acknowledged.includes('rewrapped')) expect(await versionsInHeaders(system)).toEqual(new Set([2]));
      if (acknowledged.includes('retired')) {
        expect(first?.state).toBe('destroyed');
        expect(await generationsHolding(volume, 'vk:1')).toEqual([]);
      }
      // It is gone on with where it was.
      if (second === undefined) await rotateVolumeKey(volume);
      expect(await rewrap(volume)).toMatchObject({ complete: true, failed: [] });
      expect(await versionsInHeaders(system)).toEqual(new Set([2]));
      await retire(volume, 'vk:1');
      expect(await generationsHolding(volume, 'vk:1')).toEqual([]);
      await checkContents(volume);
      await volume.close();
    },
    recover: async (system) => {
      const volume = await openVolumeOn(system, root, { keys });
      if (volume.keyring.volumeKeys.length === 1) await rotateVolumeKey(volume);
      await rewrap(volume);
      await volume.close();
    },
    states: 60,
    torn: [512],
    nameOrders: [nameOrder],
    ignoreNames: (label) => label.includes('/locks'),
  });
}

describe('a rotation through crashes', () => {
  it('of a volume at rest', { timeout: 600_000 }, async () => {
    const report = await simulate('any', async () => {});
    expect(report.states).toBeGreaterThan(30);
  });

  it('of a file that is open for writing, with a journal', { timeout: 600_000 }, async () => {
    const report = await simulate('ordered', async (volume) => {
      const handle = await volume.open('a', 'r+');
      await handle.write('small', 0);
      await handle.sync();
    });
    expect(report.states).toBeGreaterThan(30);
  });
});
