/** The size of files that are not open here. */

import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import { plainSizeOf } from '../../../src/fs/file/pending-size.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import { pattern, SealedVolume } from './sealed-volume.ts';

async function sizeOf(v: SealedVolume, name: string): Promise<number> {
  const fd = await v.system.open(v.at(name), constants.O_RDONLY);
  try {
    return await plainSizeOf(v.env, fd);
  } finally {
    await v.system.close(fd);
  }
}

describe('the size of a file', () => {
  it('is that of its plaintext, for both kinds', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    for (const length of [0, 1, 16_340, 16_341, 70_000]) {
      await v.make('mutable', pattern(length));
      await v.make('once', pattern(length), { kind: 'write-once' });
      expect([await sizeOf(v, 'mutable'), await sizeOf(v, 'once')]).toEqual([length, length]);
    }
  });

  it('is what was synced last, also while that is in the journal only', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.make('f', pattern(100));
    const file = await v.open('f');
    await file.append(pattern(50_000), 0, 50_000);
    expect(await sizeOf(v, 'f')).toBe(100);
    await file.sync();
    expect(await sizeOf(v, 'f')).toBe(50_100);
    await file.truncate(7);
    await file.sync();
    expect(await sizeOf(v, 'f')).toBe(7);
    await file.checkpoint();
    expect(await sizeOf(v, 'f')).toBe(7);
    await file.append(pattern(3), 0, 3);
    await file.close();
    expect(await sizeOf(v, 'f')).toBe(10);
  });

  it('does not count what was left behind the end', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.make('f', pattern(100));
    await v.putRaw('f', Buffer.concat([await v.raw('f'), Buffer.alloc(9_999)]));
    expect(await sizeOf(v, 'f')).toBe(100);
  });

  it('of something that is not sealed is an error', async () => {
    const v = await SealedVolume.create('/v', new SimulatedSystem());
    await v.putRaw('f', Buffer.alloc(5_000, 'plain text '));
    await expect(sizeOf(v, 'f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_NOT_SEALED' });
    await v.make('f', pattern(100), { kind: 'write-once' });
    await v.putRaw('f', (await v.raw('f')).subarray(0, 2_048 + 10));
    await expect(sizeOf(v, 'f')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_TRUNCATED' });
  });
});
