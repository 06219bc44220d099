/** Rotating the volume key as a library: new key, rewrap, audit, retire. */

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

import { findHeader } from '../../src/envelope/region.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { audit } from '../../src/rotate/audit.ts';
import { plan } from '../../src/rotate/plan.ts';
import { retire } from '../../src/rotate/retire.ts';
import { rewrap } from '../../src/rotate/rewrap.ts';
import { rotateVolumeKey } from '../../src/rotate/volume-key.ts';
import { testKeys } from '../../src/testing.ts';
import { failureOf, volumeScratch } from '../fs/volume/volumes.ts';

const { open, root: newRoot, volume: newVolume } = volumeScratch();

async function filled(): Promise<Volume> {
  const volume = await newVolume();
  await volume.mkdir('d/e', { recursive: true });
  await volume.writeFile('a', 'content of a');
  await volume.writeFile('d/once', 'written once', { immutable: true });
  await volume.writeFile('d/e/deep', Buffer.alloc(50_000, 'x'));
  const handle = await volume.open('d/grown', 'w');
  await handle.write('grown');
  await handle.sync();
  await handle.write(' twice');
  await handle.close();
  return volume;
}

async function checkContent(volume: Volume): Promise<void> {
  expect(await volume.readFile('a', 'utf8')).toBe('content of a');
  expect(await volume.readFile('d/once', 'utf8')).toBe('written once');
  expect(await volume.readFile('d/e/deep')).toEqual(Buffer.alloc(50_000, 'x'));
  expect(await volume.readFile('d/grown', 'utf8')).toBe('grown twice');
}

/** The versions of the volume keys in both halves. */
function versionsOf(volume: Volume, path: string): number[] {
  const { goodCopies } = findHeader(readFileSync(join(volume.root, path)));
  return goodCopies.flatMap(({ slots }) => slots.map(({ keyVersion }) => keyVersion));
}

describe('a volume key', () => {
  it('is rotated, and headers follow: both halves of each, content and times of creation as they were', async () => {
    const volume = await filled();
    const made = await rotateVolumeKey(volume);
    expect(made).toMatchObject({ version: 2, generation: 2 });
    expect(made.keyId).toBe(volume.keyring.volumeKeys[1]?.keyId);
    await volume.writeFile('new', 'new');
    expect(versionsOf(volume, 'new')).toEqual([2, 2]);
    expect(versionsOf(volume, 'a')).toEqual([1, 1]);

    const before = await audit(volume, { key: 'vk:1' });
    expect(before).toMatchObject({ clean: false, files: 5, unreadableFiles: 0 });
    expect(before.keys).toMatchObject([
      { id: 'vk:1', kind: 'volume-key', state: 'active', files: 4, halves: 8 },
    ]);

    const report = await rewrap(volume);
    expect(report).toMatchObject({
      keyId: made.keyId,
      version: 2,
      rewrapped: 4,
      alreadyCurrent: 1,
      failed: [],
      skipped: [],
      complete: true,
      dryRun: false,
    });
    for (const path of ['a', 'd/once', 'd/e/deep', 'd/grown', 'new'])
      expect(versionsOf(volume, path)).toEqual([2, 2]);
    await checkContent(volume);

    const after = await audit(volume, { key: 'vk:1' });
    expect(after).toMatchObject({ clean: true, keys: [{ files: 0, halves: 0, generations: [2, 1] }] });
    const retired = await retire(volume, 'vk:1');
    expect(retired).toMatchObject({ id: 'vk:1', kind: 'volume-key', generation: 4, alreadyRetired: false });
    expect(volume.keyring.volumeKeys[0]?.state).toBe('destroyed');
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: true, keys: [{ generations: [] }] });
    expect(await retire(volume, 'vk:1')).toMatchObject({ alreadyRetired: true, generation: 4 });
    await checkContent(volume);
    const other = await open(volume.root);
    await checkContent(other);
    expect(await readdir(join(volume.root, '.volseal'))).not.toContain('rewrap.json');
  });

  it('is not retired while anything needs it', async () => {
    const volume = await filled();
    expect(await failureOf(retire(volume, 'vk:1'))).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
    await rotateVolumeKey(volume);
    const refusal = await failureOf(retire(volume, 'vk:1'));
    expect(refusal).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
    expect(refusal.message).toContain('4 files need vk:1: "/a"');
    expect(refusal.hint).toContain('volseal rewrap');
    expect(await failureOf(retire(volume, 'vk:9'))).toMatchObject({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' });
    await checkContent(volume);
  });

  it('is exchanged under a file that is open for writing, here and in another volume object', async () => {
    const volume = await filled();
    const other = await open(volume.root);
    const mine = await volume.open('a', 'r+');
    const theirs = await other.open('d/grown', 'r+');
    await theirs.write('G', 0);
    await theirs.sync();
    await rotateVolumeKey(volume);
    expect(await rewrap(volume)).toMatchObject({ rewrapped: 4, failed: [], complete: true });
    await mine.write('C', 0);
    await mine.close();
    await theirs.write('TWICE', 6);
    await theirs.close();
    expect(await volume.readFile('a', 'utf8')).toBe('Content of a');
    expect(await other.readFile('d/grown', 'utf8')).toBe('Grown TWICE');
    for (const path of ['a', 'd/grown']) expect(versionsOf(volume, path)).toEqual([2, 2]);
    await retire(volume, 'vk:1');
    expect(await volume.readFile('d/grown', 'utf8')).toBe('Grown TWICE');
  });

  it('is waited for: a process that writes by the old keyring keeps it from being retired', async () => {
    const volume = await filled();
    const other = await open(volume.root);
    const stream = other.createWriteStream('late');
    await new Promise<void>((resolve) => stream.once('ready', () => resolve()));
    await rotateVolumeKey(volume);
    const report = await rewrap(volume);
    expect(report.complete).toBe(false);
    expect(report.skipped[0]?.reason).toContain(`process ${process.pid}`);
    expect(await failureOf(retire(volume, 'vk:1'))).toMatchObject({ code: 'ERR_VOLSEAL_ROTATION_REFUSED' });
    await new Promise<void>((resolve, reject) => {
      stream.once('error', reject);
      stream.end('late data', resolve);
    });
    expect(versionsOf(volume, 'late')).toEqual([1, 1]);
    expect(await rewrap(volume)).toMatchObject({ rewrapped: 1, complete: true });
    await retire(volume, 'vk:1');
    expect(await other.readFile('late', 'utf8')).toBe('late data');
  });

  it('a dry run and a plan say what would be done', async () => {
    const volume = await filled();
    await rotateVolumeKey(volume);
    const bytesBefore = readFileSync(join(volume.root, 'a'));
    expect(await rewrap(volume, { dryRun: true })).toMatchObject({
      rewrapped: 4,
      dryRun: true,
      headerBytesWritten: 0,
    });
    expect(await plan(volume, 'rewrap')).toMatchObject({ files: 4, totalFiles: 4, syncs: 8 });
    expect(readFileSync(join(volume.root, 'a'))).toEqual(bytesBefore);
    expect(await rotateVolumeKey(volume, { dryRun: true })).toEqual({ keyId: '', version: 3, generation: 3 });
    expect(volume.keyring.generation).toBe(2);
  });

  it('paths of a part, strangers and what cannot be read', async () => {
    const volume = await filled();
    await rotateVolumeKey(volume);
    expect(await rewrap(volume, { paths: ['d/once', 'd/e'] })).toMatchObject({
      rewrapped: 2,
      complete: true,
    });
    writeFileSync(join(volume.root, 'plain'), 'plaintext');
    mkdirSync(join(volume.root, 'x'));
    const damaged = readFileSync(join(volume.root, 'a'));
    damaged.fill(0, 100, 200);
    damaged.fill(0, 2_148, 2_248);
    writeFileSync(join(volume.root, 'x/damaged'), damaged);
    const report = await rewrap(volume);
    expect(report).toMatchObject({
      rewrapped: 2,
      alreadyCurrent: 2,
      skippedFiles: 1,
      failedFiles: 1,
      complete: false,
    });
    expect(report.skipped).toEqual([{ path: '/plain', reason: 'not sealed' }]);
    expect(report.failed).toMatchObject([{ path: '/x/damaged', code: 'ERR_VOLSEAL_HEADER_DAMAGED' }]);
    expect(await audit(volume)).toMatchObject({ clean: false, strangers: 1, unreadableFiles: 1 });
    const refusal = await failureOf(retire(volume, 'vk:1'));
    expect(refusal.message).toContain('"/x/damaged"');
  });

  it('a half that is damaged may hold the old key, and is written again', async () => {
    const volume = await filled();
    await rotateVolumeKey(volume);
    await rewrap(volume);
    const path = join(volume.root, 'a');
    const bytes = readFileSync(path);
    bytes.fill(0xff, 2_148, 2_248);
    writeFileSync(path, bytes);
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: false, unreadableFiles: 1 });
    expect(await rewrap(volume)).toMatchObject({ rewrapped: 1, alreadyCurrent: 3, complete: true });
    expect(versionsOf(volume, 'a')).toEqual([2, 2]);
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: true });
    await checkContent(volume);
  });

  it('a damaged half beside a journal is made whole by the journal first', async () => {
    const volume = await filled();
    const handle = await volume.open('a', 'r+');
    for (const text of ['C', 'Co', 'Con']) {
      await handle.write(text, 0);
      await handle.sync();
    }
    // As a crash leaves it; in between the newer half was lost.
    const root = await newRoot();
    cpSync(volume.root, root, { recursive: true });
    await handle.close();
    const path = join(root, 'a');
    const bytes = readFileSync(path);
    const { goodCopies, header } = findHeader(bytes);
    expect(goodCopies).toHaveLength(2);
    const at = header.halfIndex * 2_048 + 100;
    bytes.fill(0xff, at, at + 50);
    writeFileSync(path, bytes);
    rmSync(join(root, '.volseal/locks'), { recursive: true });
    const copy = await open(root, {}, { ...nodeSystem });
    await rotateVolumeKey(copy);
    expect(await rewrap(copy)).toMatchObject({ rewrapped: 4, failed: [], complete: true });
    expect(versionsOf(copy, 'a')).toEqual([2, 2]);
    expect(await copy.readFile('a', 'utf8')).toBe('Content of a');
    await retire(copy, 'vk:1');
    expect(await copy.readFile('a', 'utf8')).toBe('Content of a');
  });

  it('what a dead process left unfinished is removed, what a living one makes is waited for', async () => {
    const volume = await filled();
    const name = '.volseal-tmp-0123456789abcdef0123456789abcdef-1-1-1-1-0123456789abcdef';
    cpSync(join(volume.root, 'a'), join(volume.root, 'd', name));
    await rotateVolumeKey(volume);
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ keys: [{ files: 5 }] });
    expect(await rewrap(volume)).toMatchObject({ rewrapped: 4, leftoversRemoved: 1, complete: true });
    expect(await audit(volume, { key: 'vk:1' })).toMatchObject({ clean: true });
  });

  it('a secret whose removal was broken off between two generations is gone after the next call', async () => {
    const [one, two] = [testKeys('one'), testKeys('two')];
    const root = await newRoot({ keys: [one, two] });
    const volume = await open(root, { keys: [one, two] });
    const slot = volume.keyring.slots.find(({ primary }) => !primary) as { keyId: string };
    const previous = readFileSync(join(root, '.volseal/keyring.json'));
    await retire(volume, slot.keyId);
    expect(await retire(volume, slot.keyId).catch((error: unknown) => error)).toMatchObject({
      code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
    });
    writeFileSync(join(root, '.volseal/keyring.json.prev'), previous);
    expect(await retire(volume, slot.keyId)).toMatchObject({ kind: 'secret', alreadyRetired: false });
    expect(readFileSync(join(root, '.volseal/keyring.json.prev'))).not.toEqual(previous);
    expect((await audit(volume)).keys.map(({ keyId }) => keyId)).not.toContain(slot.keyId);
  });

  it('two runs do not overlap', async () => {
    const volume = await filled();
    await rotateVolumeKey(volume);
    const [first, second] = await Promise.allSettled([rewrap(volume), rewrap(volume)]);
    expect(first.status).toBe('fulfilled');
    expect(second).toMatchObject({ reason: { code: 'ERR_VOLSEAL_BUSY', retryable: true } });
  });
});
