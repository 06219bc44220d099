/** An application of its own: an order is written as two files, which must both be there or neither. */

import { describe, expect, it } from 'vitest';

import type { Volume } from '../../src/fs/volume/volume.ts';
import { CrashError } from './simulate-crashes.ts';
import { simulateVolumeCrashes, type VolumeCrashScenario } from './volume-crashes.ts';

function orders(save: (volume: Volume) => Promise<void>): VolumeCrashScenario<'saved'> {
  return {
    setup: (volume) => volume.mkdir('orders').then(() => {}),
    run: async (volume, acknowledge) => {
      await save(volume);
      acknowledge('saved');
    },
    check: async (volume, acknowledged) => {
      const files = (await volume.exists('orders/1')) ? await volume.readdir('orders/1') : [];
      if (acknowledged.includes('saved') || files.length > 0) {
        expect(files.toSorted()).toEqual(['invoice', 'items']);
        expect(await volume.readFile('orders/1/invoice', 'utf8')).toBe('12 €');
        expect(await volume.readFile('orders/1/items', 'utf8')).toBe('3 apples');
      }
    },
    states: 150,
    seed: 4,
  };
}

describe('simulateCrashes over a volume', () => {
  it('finds a half-written order', async () => {
    const scenario = orders(async (volume) => {
      await volume.mkdir('orders/1');
      await volume.writeFile('orders/1/invoice', '12 €');
      await volume.writeFile('orders/1/items', '3 apples');
    });
    await expect(simulateVolumeCrashes(scenario)).rejects.toThrow(CrashError);
  });

  it('finds nothing when it is written aside and renamed', async () => {
    const scenario = orders(async (volume) => {
      await volume.mkdir('orders/new');
      await volume.writeFile('orders/new/invoice', '12 €');
      await volume.writeFile('orders/new/items', '3 apples');
      await volume.rename('orders/new', 'orders/1');
    });
    const report = await simulateVolumeCrashes(scenario);
    expect(report).toMatchObject({ exhaustive: true, seed: 4 });
    expect(report.states).toBeGreaterThan(15);
  });
});
