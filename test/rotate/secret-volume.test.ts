/** The rotation of a secret on whole volumes: what it costs, who it waits for, and what an exposed secret leads to. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { initVolumeOn, openVolumeOn } from '../../src/fs/volume/init.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { retire, rewrap, rotateCompromised, rotateSecret, rotateVolumeKey } from '../../src/rotate/index.ts';
import { codeOf, secrets } from '../keyring/scratch.ts';

const scratch = mkdtempSync(join(tmpdir(), 'volseal-rotate-secret-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const both = secrets('v1', 'v2');

/** A system of its own for each process that is played: what one has seen the other has not. */
const system = (): System => ({ ...nodeSystem });

async function newRoot(files = 0): Promise<string> {
  const root = mkdtempSync(join(scratch, 'root-'));
  await initVolumeOn(system(), root, { keys: secrets('v1'), recovery: false });
  const volume = await openAt(root, secrets('v1'));
  for (let i = 0; i < files; i++) await volume.outputFile(`folder-${i % 7}/file-${i}`, `content of ${i}`);
  await volume.close();
  return root;
}

function openAt(root: string, keys: KeyProvider, on: System = system()): Promise<Volume> {
  return openVolumeOn(on, root, { keys });
}

/** Counts every call of a system. */
function counting(): { on: System; calls: () => number } {
  let calls = 0;
  const on = Object.fromEntries(
    Object.entries(nodeSystem).map(([name, call]) => [
      name,
      (...values: unknown[]) => {
        calls++;
        return (call as (...given: unknown[]) => unknown)(...values);
      },
    ]),
  ) as unknown as System;
  return { on, calls: () => calls };
}

test('it takes the same system calls whatever the volume holds', { timeout: 120_000 }, async () => {
  const counts: number[] = [];
  for (const files of [0, 10, 300]) {
    const root = await newRoot(files);
    const { calls, on } = counting();
    const volume = await openAt(root, both, on);
    const before = calls();
    expect((await rotateSecret(volume, { to: 'v2', offline: true })).complete).toBe(true);
    counts.push(calls() - before);
    await volume.close();
  }
  expect(counts[0]).toBeGreaterThan(20);
  expect(new Set(counts).size).toBe(1);
});

describe('beside others', () => {
  test('a process that goes on writing takes the new keyring over', async () => {
    const root = await newRoot(3);
    const app = await openAt(root, both);
    await app.writeFile('before', 'written under vk:1');
    const operator = await openAt(root, both);
    const report = await rotateSecret(operator, { to: 'v2', offline: true });
    expect(report).toMatchObject({ complete: true, holdersBehind: [] });
    await app.writeFile('after', 'written under vk:2');
    expect(app.keyring.generation).toBe(report.generation);
    await app.close();
    await operator.close();
    const fresh = await openAt(root, secrets('v2'));
    expect(await fresh.readFile('before', 'utf8')).toBe('written under vk:1');
    expect(await fresh.readFile('after', 'utf8')).toBe('written under vk:2');
    await fresh.close();
    expect(await codeOf(() => openAt(root, secrets('v1')))).toBe('ERR_VOLSEAL_KEY_MISSING');
  });

  test('one that lacks the new secret is told of, and cannot write under the old key', {
    timeout: 120_000,
  }, async () => {
    const root = await newRoot(1);
    const app = await openAt(root, secrets('v1'));
    await app.writeFile('before', 'written under vk:1');
    const operator = await openAt(root, both);
    const report = await rotateSecret(operator, { to: 'v2', offline: true });
    expect(report.complete).toBe(true);
    expect(report.holdersBehind).toEqual([{ pid: process.pid, generation: expect.any(Number) }]);
    expect(await codeOf(() => app.writeFile('after', 'lost?'))).toBe('ERR_VOLSEAL_KEY_MISSING');
    expect(await app.readFile('before', 'utf8')).toBe('written under vk:1');
    await operator.close();
    await app.close();
  });

  test('a volume that was opened read-only is looked at and not changed', async () => {
    const root = await newRoot(1);
    const volume = await openVolumeOn(system(), root, { keys: both, readonly: true });
    expect((await rotateSecret(volume, { to: 'v2', dryRun: true })).waiting?.step).toBe('check');
    expect(await codeOf(() => rotateSecret(volume, { to: 'v2' }))).toBe('ERR_VOLSEAL_PERMISSION');
    await volume.close();
    expect(await codeOf(() => rotateSecret(volume, { to: 'v2' }))).toBe('ERR_VOLSEAL_CLOSED');
  });
});

describe('an exposed secret', () => {
  test('every file of its time is listed, until it is sealed anew', async () => {
    const root = await newRoot(9);
    const volume = await openAt(root, both);
    await volume.writeFile('once', 'write-once', { immutable: true });
    const look = async (options: object = {}) => {
      const paths: string[] = [];
      const report = await rotateCompromised(volume, {
        to: 'v2',
        onExposed: (path) => paths.push(path),
        ...options,
      });
      return { paths, report };
    };
    const planned = await look({ offline: true, dryRun: true });
    expect(planned.paths.length).toBe(10);
    expect(planned.report).toMatchObject({
      complete: false,
      exposedFiles: 10,
      exposed: [{ id: 'vk:1', files: 10 }],
    });
    expect(volume.keyring.generation).toBe(1);
    // While it has to wait, new files are under the key that is exposed.
    const waiting = await look();
    expect([waiting.report.secret.waiting?.step, waiting.report.exposedFiles]).toEqual(['check', 10]);

    const first = await look({ offline: true });
    expect(first.paths).toEqual(first.paths.toSorted());
    expect(first.report).toMatchObject({
      complete: false,
      exposedFiles: 10,
      exposed: [{ id: 'vk:1', files: 10 }],
    });
    expect(first.report.remains.join(' ')).toContain('rewrap');
    await volume.writeFile('new', 'sealed since');
    await volume.appendFile(first.paths[0] as string, ' and more');
    expect((await look()).paths).toEqual(first.paths);
    for (const path of first.paths) {
      await volume.copyFile(path, `${path}.new`);
      await volume.rename(`${path}.new`, path);
    }
    const last = await look();
    expect(last.paths).toEqual([]);
    expect(last.report).toMatchObject({
      complete: true,
      exposedFiles: 0,
      exposed: [{ id: 'vk:1', files: 0 }],
    });
    await retire(volume, 'vk:1');
    expect((await look()).report.exposed).toEqual([]);
    expect(await volume.readFile(first.paths[0] as string, 'utf8')).toBe('content of 0 and more');
    await volume.close();
  });

  test('one copy of a header is enough to be listed', async () => {
    const root = await newRoot(2);
    const volume = await openAt(root, both);
    await rotateVolumeKey(volume);
    await rewrap(volume);
    const report = await rotateCompromised(volume, { to: 'v2', offline: true });
    // All keys of before count, with files or without.
    expect(report.exposed).toEqual([
      { id: 'vk:1', files: 0 },
      { id: 'vk:2', files: 2 },
    ]);
    await volume.close();
  });

  test('what cannot be read may be one of them; plaintext is not', async () => {
    const { writeFileSync, readFileSync } = await import('node:fs');
    const root = await newRoot(2);
    const volume = await openAt(root, both);
    writeFileSync(join(root, 'plain'), 'never sealed');
    const path = join(root, 'folder-0', 'file-0');
    const bytes = readFileSync(path);
    for (const at of [100, 2_148]) bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
    const report = await rotateCompromised(volume, { to: 'v2', offline: true, jobs: 1 });
    expect(report).toMatchObject({ exposedFiles: 1, unreadableFiles: 1, complete: false });
    expect(report.unreadable[0]?.path).toBe('/folder-0/file-0');
    await volume.close();
  });

  test.each([{ to: 'v2', jobs: 0 }, { to: 'v2', maxIops: -1 }, { to: 'v2', step: 'add' }, {}])(
    '%j is refused',
    async (options) => {
      const volume = await openAt(await newRoot(), both);
      expect(await codeOf(() => rotateCompromised(volume, options as never))).toMatch(
        /^ERR_VOLSEAL_(INVALID_ARGUMENT|UNKNOWN_OPTION)$/,
      );
      expect(volume.keyring.generation).toBe(1);
      await volume.close();
    },
  );
});
