/**
 * Volumes that were left in the middle of a rotation open with every later version, which can finish it. `UPDATE=1` adds
 * those with new names; what is there is never made again.
 */

import { cpSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

import { openVolume } from '../../src/fs/volume/entry.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { audit, retire, rewrap, rotateSecret } from '../../src/rotate/index.ts';
import { addFixtures, contents, directory, keysOf } from './half-rotated-fixtures.ts';

if (process.env['UPDATE'] !== undefined) await addFixtures();
const names = readdirSync(directory);
const scratch = mkdtempSync(join(tmpdir(), 'volseal-half-rotated-'));
afterAll(() => rmSync(scratch, { recursive: true }));

it('there are some of each kind', () => {
  expect(names.length).toBeGreaterThanOrEqual(5);
});

async function expectContents(volume: Volume): Promise<void> {
  for (const [path, content] of Object.entries(contents)) {
    expect(await volume.readFile(path, 'utf8'), path).toBe(content);
  }
}

describe.each(names)('%s', (name) => {
  const place = (): string => {
    const root = join(mkdtempSync(join(scratch, 'root-')), name);
    cpSync(join(directory, name), root, { recursive: true });
    for (const kept of ['journal', 'locks'])
      rmSync(join(root, '.volseal', kept, '.gitkeep'), { force: true });
    return root;
  };

  it('opens, for reading and for writing', async () => {
    const root = place();
    for (const readonly of [true, false]) {
      const volume = await openVolume(root, { keys: keysOf('v2', 'v1'), readonly });
      await expectContents(volume);
      if (!readonly) {
        await volume.appendFile('/a', ' and more');
        await volume.writeFile('/new', 'new');
        expect(await volume.readFile('/a', 'utf8')).toBe('content of a and more');
      }
      await volume.close();
    }
  });

  it('the rotation is finished by the same commands, and then the old keys open nothing', async () => {
    const root = place();
    const volume = await openVolume(root, { keys: keysOf('v2', 'v1') });
    expect((await rotateSecret(volume, { to: 'v2', offline: true })).complete).toBe(true);
    expect(await rewrap(volume)).toMatchObject({ complete: true, failedFiles: 0 });
    for (const { state, version } of volume.keyring.volumeKeys) {
      if (state === 'active') await retire(volume, `vk:${version}`);
    }
    const report = await audit(volume);
    expect(report).toMatchObject({ clean: true, unreadableFiles: 0 });
    expect(report.keys.filter(({ kind }) => kind === 'secret').map(({ id }) => id)).toEqual([
      'fly-secrets:v2',
    ]);
    await volume.close();
    await expect(openVolume(root, { keys: keysOf('v1') })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_KEY_MISSING',
    });
    const again = await openVolume(root, { keys: keysOf('v2') });
    await expectContents(again);
    await again.close();
  });
});
