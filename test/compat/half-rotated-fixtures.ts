/** Volumes in the middle of a rotation. `addFixtures` makes those that are not there yet; what is there is never made again. */

import { createHash } from 'node:crypto';
import {
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { findRegion } from '../../src/fs/header/find-region.ts';
import { rewrapHalves } from '../../src/fs/header/rewrap.ts';
import { initVolume, openVolume } from '../../src/fs/volume/entry.ts';
import { volumeInternals } from '../../src/fs/volume/internals.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { rotateSecret } from '../../src/rotate/secret.ts';
import { rotateVolumeKey } from '../../src/rotate/volume-key.ts';

export const directory: string = fileURLToPath(new URL('./half-rotated/', import.meta.url));

/** What every one of them holds. */
export const contents: Readonly<Record<string, string>> = {
  '/a': 'content of a',
  '/folder/b': 'content of b',
  '/folder/c': 'content of c',
  '/folder/inner/d': 'content of d',
  '/once': 'write-once content',
};

export function keysOf(...labels: readonly string[]): KeyProvider {
  const secretOf = (label: string): string =>
    createHash('sha256').update(`fixtures of half-rotated volumes: ${label}`).digest('hex');
  const env = Object.fromEntries(labels.map((label) => [`VOLSEAL_SECRET_${label}`, secretOf(label)]));
  return flySecrets({ env, ...(labels[0] === undefined ? {} : { primary: labels[0] }) });
}

const makers: Readonly<Record<string, (volume: Volume) => Promise<void>>> = {
  'secret-added': async (volume) => {
    await rotateSecret(volume, { to: 'v2', step: 'add' });
  },
  'secret-promoted': async (volume) => {
    for (const step of ['add', 'check', 'promote'] as const)
      await rotateSecret(volume, { to: 'v2', step, ...(step === 'check' ? { offline: true } : {}) });
  },
  'secret-half-retired': async (volume) => {
    await rotateSecret(volume, { to: 'v2' });
    const [current, previous] = ['keyring.json', 'keyring.json.prev'].map((name) =>
      join(volume.root, '.volseal', name),
    ) as [string, string];
    copyFileSync(current, `${current}.kept`);
    await rotateSecret(volume, { to: 'v2', offline: true });
    copyFileSync(`${current}.kept`, previous);
    rmSync(`${current}.kept`);
  },
  'rewrap-interrupted': async (volume) => {
    await rotateVolumeKey(volume);
    const controller = new AbortController();
    setTimeout(() => controller.abort(), 1_000);
    await rewrap(volume, { jobs: 1, maxIops: 10, signal: controller.signal }).catch(() => {});
  },
  'one-half-rewrapped': async (volume) => {
    await rotateVolumeKey(volume);
    const { keyring } = volumeInternals(volume).mounted.environment;
    const fd = openSync(join(volume.root, 'folder', 'b'), constants.O_RDWR);
    const region = await findRegion(nodeSystem, fd, undefined);
    const [first] = rewrapHalves(keyring, region, keyring.primary.keyId);
    if (first === undefined) throw new Error('there is nothing to rewrap');
    writeSync(fd, first.bytes, 0, first.bytes.length, first.fileOffset);
    closeSync(fd);
  },
};

export async function addFixtures(): Promise<void> {
  for (const [name, make] of Object.entries(makers)) {
    const root = join(directory, name);
    if (existsSync(root)) continue;
    mkdirSync(root, { recursive: true });
    await initVolume(root, { keys: keysOf('v1'), recovery: false });
    const volume = await openVolume(root, { keys: keysOf('v1', 'v2') });
    for (const [path, content] of Object.entries(contents)) {
      if (path === '/once') await volume.writeFile(path, content, { immutable: true });
      else await volume.outputFile(path, content);
    }
    await make(volume);
    await volume.close();
    // Git keeps no empty directories; a volume makes them again.
    for (const empty of ['journal', 'locks']) {
      const path = join(root, '.volseal', empty);
      if (readdirSync(path).length > 0) throw new Error(`${path} is not empty`);
      writeFileSync(join(path, '.gitkeep'), '');
    }
  }
}
