/** Files that are renamed, replaced, made and removed while a run goes through the volume: none is missed. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { findHeader } from '../../src/envelope/region.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { audit } from '../../src/rotate/audit.ts';
import { retire } from '../../src/rotate/retire.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { rotateVolumeKey } from '../../src/rotate/volume-key.ts';
import { failureOf, volumeScratch } from '../fs/volume/volumes.ts';

const { open, root: newRoot } = volumeScratch();

/** A system that does something when a file of this name is opened, once for each time it is armed. */
class Hooked {
  at: string | undefined;
  run: (() => Promise<unknown>) | undefined;
  /** How often it was done. */
  done = 0;
  readonly system: System = {
    ...nodeSystem,
    open: async (path, flags, mode) => {
      if (this.at !== undefined && path.endsWith(this.at) && this.run !== undefined) {
        const { run } = this;
        this.run = undefined;
        await run();
        this.done++;
      }
      return nodeSystem.open(path, flags, mode);
    },
  };
}

interface Two {
  readonly hooked: Hooked;
  /** Through the hooked system. */
  readonly volume: Volume;
  /** As another process has it. */
  readonly app: Volume;
}

/** `a/1`, `m/1` and `z/1`, `z/2`, `z/sub/1` under the first volume key, the second one being primary. */
async function two(): Promise<Two> {
  const root = await newRoot();
  const hooked = new Hooked();
  const volume = await open(root, {}, hooked.system);
  const app = await open(root);
  for (const path of ['a/1', 'm/1', 'z/1', 'z/2', 'z/sub/1']) await volume.outputFile(path, `in ${path}`);
  await rotateVolumeKey(volume);
  // It has seen the new keyring.
  await app.writeFile('seen', '');
  return { hooked, volume, app };
}

function versionsOf(volume: Volume, path: string): number[] {
  const { goodCopies } = findHeader(readFileSync(join(volume.root, path)));
  return goodCopies.flatMap(({ slots }) => slots.map(({ keyVersion }) => keyVersion));
}

describe('while headers are rewrapped', () => {
  it.each([
    ['a file', 'z/1', 'a/moved', 'a/moved'],
    ['a folder', 'z/sub', 'a/sub', 'a/sub/1'],
  ])('%s that is moved to where the run has been is found', async (_, from, to, path) => {
    const { app, hooked, volume } = await two();
    hooked.at = '/1';
    // The second file of that name: `a` has been gone through by then.
    hooked.run = async () => {
      hooked.at = '/1';
      hooked.run = () => app.rename(from, to);
    };
    const report = await rewrap(volume, { jobs: 1 });
    expect(hooked.done).toBe(2);
    expect(report).toMatchObject({ rewrapped: 5, complete: true });
    expect(versionsOf(volume, path)).toEqual([2, 2]);
    await retire(volume, 'vk:1');
    expect(await app.readFile(path, 'utf8')).toBe(`in ${from === 'z/1' ? 'z/1' : 'z/sub/1'}`);
  });

  it('a file that is replaced, removed or made is right afterwards', async () => {
    const { app, hooked, volume } = await two();
    hooked.at = '/1';
    hooked.run = async () => {
      await app.writeFile('a/1', 'replaced');
      await app.unlink('z/2');
      await app.writeFile('a/0', 'made');
      await app.writeFile('z/0', 'made');
      await app.copyFile('z/1', 'a/copy');
      await app.appendFile('m/1', ', appended');
    };
    expect(await rewrap(volume, { jobs: 1 })).toMatchObject({ failed: [], complete: true });
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: true });
    await retire(volume, 'vk:1');
    expect(await app.readFile('a/1', 'utf8')).toBe('replaced');
    expect(await app.readFile('a/copy', 'utf8')).toBe('in z/1');
    expect(await app.readFile('m/1', 'utf8')).toBe('in m/1, appended');
  });
});

describe('while a volume is audited', () => {
  it.each([
    ['a file', 'z/1', 'a/moved', 'a/moved'],
    ['a folder', 'z/sub', 'a/sub', 'a/sub/1'],
  ])('%s that is moved keeps its key from being retired', async (_, from, to, path) => {
    const { app, hooked, volume } = await two();
    // All but what is going to be moved.
    await rewrap(volume, {
      paths: ['a', 'm', 'z'].flatMap((folder) => (folder === 'z' ? ['z/2'] : [folder])),
    });
    await rewrap(volume, { paths: [from === 'z/1' ? 'z/sub' : 'z/1'] });
    hooked.at = '/1';
    hooked.run = async () => {
      hooked.at = '/1';
      hooked.run = () => app.rename(from, to);
    };
    const refusal = await failureOf(retire(volume, 'vk:1', { jobs: 1 }));
    expect(hooked.done).toBe(2);
    expect(refusal).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
    expect(refusal.message).toContain(JSON.stringify(`/${path}`));
  });
});

describe('a run that was ended', () => {
  it('goes on where it was, and looks again at everything when something was moved meanwhile', async () => {
    const { app, volume } = await two();
    for (let i = 0; i < 30; i++) await app.writeFile(`b${i}`, `${i}`);
    await rotateVolumeKey(volume);
    await app.writeFile('seen', '');
    const controller = new AbortController();
    let files = 0;
    const failure = await failureOf(
      rewrap(volume, {
        jobs: 1,
        maxIops: 400,
        signal: controller.signal,
        onProgress: (progress) => {
          ({ files } = progress);
          controller.abort();
        },
      }),
    );
    expect(failure).toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
    expect(files).toBeGreaterThan(0);
    const resumed = await rewrap(volume, { dryRun: false });
    expect(resumed.complete).toBe(true);
    expect(resumed.resumedFrom?.files).toBeGreaterThan(0);
    expect(
      resumed.rewrapped + (resumed.resumedFrom?.files ?? 0) + resumed.alreadyCurrent,
    ).toBeGreaterThanOrEqual(36);
    expect(await audit(volume)).toMatchObject({ clean: true });
  });

  it('a checkpoint does not count after something was moved', async () => {
    const { app, volume } = await two();
    const controller = new AbortController();
    const onProgress = (): void => controller.abort();
    const run = rewrap(volume, { jobs: 1, maxIops: 20, onProgress, signal: controller.signal });
    expect(await failureOf(run)).toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
    await app.rename('z', 'A');
    const resumed = await rewrap(volume);
    expect(resumed.resumedFrom).toBeUndefined();
    expect(resumed.complete).toBe(true);
    for (const path of ['A/1', 'A/2', 'A/sub/1']) expect(versionsOf(volume, path)).toEqual([2, 2]);
  });
});
