/** Volumes in directories of their own, for the tests of a file. */

import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';

import { initVolume } from '../../../src/fs/volume/entry.ts';
import { type InitVolumeOptions, type OpenVolumeOptions, openVolumeOn } from '../../../src/fs/volume/init.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import type { KeyProvider } from '../../../src/kms/provider.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { testKeys } from '../../../src/testing.ts';
import { scratch, type Scratch } from '../../sealed/scratch.ts';

export const keys: KeyProvider = testKeys();

/** Descriptors do not tell their paths: as on a system without /proc. */
export const withoutDescriptorPaths: System = { ...nodeSystem, pathOf: async () => undefined };

export interface VolumeScratch extends Scratch {
  /** A new volume, open; closed at the end of the tests. */
  volume(
    options?: Partial<OpenVolumeOptions>,
    init?: Partial<InitVolumeOptions>,
    system?: System,
  ): Promise<Volume>;
  /** Another object on a volume that exists, as another process has one. */
  open(root: string, options?: Partial<OpenVolumeOptions>, system?: System): Promise<Volume>;
  /** The root of a new volume that is not open. */
  root(init?: Partial<InitVolumeOptions>): Promise<string>;
}

export function volumeScratch(): VolumeScratch {
  const base = scratch();
  const opened: Volume[] = [];
  afterAll(async () => {
    await Promise.allSettled(opened.map((volume) => volume.close()));
  });
  const open: VolumeScratch['open'] = async (root, options = {}, system = nodeSystem) => {
    const volume = await openVolumeOn(system, root, { keys, ...options });
    opened.push(volume);
    return volume;
  };
  const root: VolumeScratch['root'] = async (init = {}) => {
    const path = mkdtempSync(join(base.directory, 'volume-'));
    await initVolume(path, { keys, recovery: false, ...init });
    return path;
  };
  return {
    ...base,
    open,
    root,
    volume: async (options, init, system) => open(await root(init), options, system),
  };
}

/** Everything below a directory but what the volume keeps for itself. */
export function plainEntries(directory: string): string[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name !== '.volseal' && !name.startsWith('.volseal/'))
    .toSorted();
}

export function removeTree(path: string): void {
  rmSync(path, { recursive: true, force: true });
}

/** What a promise was rejected with. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<NodeJS.ErrnoException & { hint?: string }> {
  try {
    await promise;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error('it did not fail');
}
