/** A file that is replaced while others write to it, or after one who wrote to it died. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { describe, expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import type { System } from '../../../src/os/system.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { open, root } = volumeScratch();

/** Leaves `name` with a journal that nobody has put in place: old content, and an acknowledged append. */
async function abandon(path: string, name: string): Promise<void> {
  const volume = await open(path);
  await volume.writeFile(name, 'old;');
  const handle = await volume.open(name, 'a');
  await handle.write('acknowledged;');
  await handle.sync();
  pretendReboot();
}

const journals = (volume: Volume): string[] => readdirSync(join(volume.root, '.volseal/journal'));

/** A system that waits before it gives a temporary file its name. */
function haltingRenames(): { system: System; reached: Promise<void>; goOn: () => void; arm: () => void } {
  let [arrive, goOn] = [(): void => {}, (): void => {}];
  const reached = new Promise<void>((resolve) => (arrive = resolve));
  const released = new Promise<void>((resolve) => (goOn = resolve));
  let isArmed = false;
  const halt = async (): Promise<void> => {
    if (!isArmed) return;
    isArmed = false;
    arrive();
    await released;
  };
  const system: System = {
    ...nodeSystem,
    async fsync(descriptor) {
      await halt();
      return nodeSystem.fsync(descriptor);
    },
  };
  return { system, reached, goOn, arm: () => (isArmed = true) };
}

describe('what was acknowledged', () => {
  test('stays with a file that is renamed while another one takes its name', async () => {
    const path = await root();
    await abandon(path, 'log');
    const { arm, goOn, reached, system } = haltingRenames();
    const volume = await open(path, {}, system);
    expect(journals(volume)).toHaveLength(1);
    arm();
    const writing = volume.writeFile('log', 'new');
    await reached;
    await (await open(path)).rename('log', 'log.1');
    goOn();
    await writing;
    expect(await volume.readFile('log', 'utf8')).toBe('new');
    expect(await volume.readFile('log.1', 'utf8')).toBe('old;acknowledged;');
  });

  test('goes with a file that is replaced', async () => {
    for (const replace of [
      (volume: Volume) => volume.writeFile('log', 'new'),
      (volume: Volume) => finished(volume.createWriteStream('log').end('new')),
      async (volume: Volume) => (await volume.open('log', 'w')).close(),
      (volume: Volume) => volume.copyFile('other', 'log'),
    ]) {
      const path = await root();
      await abandon(path, 'log');
      const volume = await open(path);
      await volume.writeFile('other', 'x');
      await replace(volume);
      expect(journals(volume)).toEqual([]);
    }
  });
});

describe('a file that another one writes to', () => {
  test('is not replaced, whenever they began', async () => {
    const path = await root();
    const [ours, theirs] = [await open(path), await open(path)];
    await ours.writeFile('f', 'old;');
    const stream = ours.createWriteStream('f');
    stream.write('streamed');
    await new Promise((resolve) => stream.once('open', resolve));
    const handle = await theirs.open('f', 'a');
    stream.end();
    expect(await failureOf(finished(stream))).toMatchObject({
      code: 'EBUSY',
      holderPid: process.pid,
      path: 'f',
    });
    await handle.write('acknowledged;');
    await handle.sync();
    const replacements: (() => Promise<unknown>)[] = [
      () => ours.writeFile('f', 'new'),
      () => ours.open('f', 'w'),
      () => finished(ours.createWriteStream('f').end('new')),
      () => ours.copyFile('f', 'g').then(() => ours.copyFile('g', 'f')),
    ];
    for (const replace of replacements) {
      expect(await failureOf(replace())).toMatchObject({ code: 'EBUSY', holderPid: process.pid });
    }
    await handle.close();
    expect(await ours.readFile('f', 'utf8')).toBe('old;acknowledged;');
    expect(readdirSync(path).toSorted()).toEqual(['.volseal', 'f', 'g']);
  });

  test('is replaced by one after the other when several do so at once', async () => {
    const path = await root();
    const volumes = await Promise.all(Array.from({ length: 4 }, () => open(path)));
    await volumes[0]?.writeFile('f', 'x');
    for (let round = 0; round < 5; round++) {
      await Promise.all(volumes.map((volume, i) => volume.writeFile('f', `content ${i}`)));
    }
    expect(await volumes[0]?.readFile('f', 'utf8')).toMatch(/^content [0-3]$/);
  });
});

test('data that is transferred or resized while it is written replaces nothing', async () => {
  const volume = await open(await root());
  await volume.writeFile('f', 'precious');
  const transferred = new Uint8Array(8_000_000);
  const buffer = new ArrayBuffer(8_000_000, { maxByteLength: 9_000_000 });
  const changes: [Uint8Array, () => void][] = [
    [transferred, () => structuredClone(transferred, { transfer: [transferred.buffer] })],
    [new Uint8Array(buffer), () => buffer.resize(4_000_000)],
    [new Uint8Array(buffer), () => buffer.resize(9_000_000)],
  ];
  for (const [data, change] of changes) {
    const writing = failureOf(volume.writeFile('f', data));
    change();
    expect(await writing).toMatchObject({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' });
    expect(await volume.readFile('f', 'utf8')).toBe('precious');
  }
});
