/** Which damage to a header a file survives, whatever was done to it before. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';

import { pretendReboot } from '../../../src/os/process-identity.ts';
import type { Volume } from '../../../src/fs/volume/volume.ts';
import { volumeScratch } from './volumes.ts';

const { open, root } = volumeScratch();
const halfBytes = 2_048;

const sessions: Record<string, (volume: Volume) => Promise<unknown>> = {
  'it was written as a whole': async () => {},
  'it grew': (volume) => volume.appendFile('f', 'two;'),
  'it grew beyond a segment': (volume) => volume.appendFile('f', Buffer.alloc(40_000, 'x')),
  'it was cut': (volume) => volume.truncate('f', 2),
  'it was changed in place': async (volume) => {
    const handle = await volume.open('f', 'r+');
    await handle.write('O', 0);
    await handle.close();
  },
  'it grew and was synced many times': async (volume) => {
    const handle = await volume.open('f', 'a');
    for (let i = 0; i < 5; i++) {
      await handle.write('x');
      await handle.sync();
    }
    await handle.close();
  },
  'it grew so much that its journal began anew': async (volume) => {
    const handle = await volume.open('f', 'r+');
    for (let i = 0; i < 3; i++) {
      await handle.write(Buffer.alloc(3_000_000, i), 0);
      await handle.sync();
    }
    await handle.close();
  },
  'its writer died after it grew': async (volume) => {
    const handle = await volume.open('f', 'a');
    await handle.write('two;');
    await handle.sync();
    pretendReboot();
    const next = await open(volume.root);
    await (await next.open('f', 'r+')).close();
    await next.close();
  },
};

describe.each(['sync', 'none'] as const)('durability %s: after', (durability) => {
  // Without syncs a process that dies promises nothing.
  const names = Object.keys(sessions).filter((name) => durability === 'sync' || !name.includes('died'));
  test.each(names)('%s one damaged half of its header costs nothing', async (name) => {
    const path = await root();
    const volume = await open(path, { durability });
    await volume.writeFile('f', 'one;');
    await sessions[name]?.(volume);
    const content = await volume.readFile('f');
    const whole = readFileSync(join(path, 'f'));
    for (const at of [200, halfBytes + 200]) {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] as number) ^ 1;
      writeFileSync(join(path, 'f'), bytes);
      const again = await open(path);
      expect((await again.readFile('f')).equals(content), `byte ${at}`).toBe(true);
      expect((await again.stat('f')).size).toBe(content.length);
      await again.appendFile('f', '!');
      expect((await again.readFile('f')).equals(Buffer.concat([content, Buffer.from('!')]))).toBe(true);
      await again.close();
    }
  });
});
