/** A keyring whose system fails, at each call of a change in turn: it always opens afterwards, as it was or changed. */

import { expect, it } from 'vitest';

import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { addVolumeKey, setVolumeKeyState } from '../../../src/keyring/changes.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import type { System } from '../../../src/os/system.ts';
import { testKeys } from '../../../src/testing.ts';
import { CrashPoints } from '../../simulator/crash-states.ts';
import { type Call, type Fault, faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { SeededRandom } from '../../simulator/random.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';

const directory = '/.volseal';
const providers = [testKeys()];

function open(system: System): Promise<Keyring> {
  const locks = new FileLocks(system, `${directory}/locks`);
  return Keyring.open(system, directory, {
    providers,
    withLock: async (run) => {
      const lock = await locks.acquire('keyring', { path: directory, waitMs: 1_000 });
      try {
        return await run();
      } finally {
        await lock.release();
      }
    },
  });
}

interface Trial {
  readonly faulty: FaultySystem;
  /** The generation that was acknowledged last. */
  readonly generation: number;
  readonly error: Error | undefined;
}

async function attempt(disk: SimulatedSystem, fault: (call: Call) => Fault | undefined): Promise<Trial> {
  const faulty = new FaultySystem(disk, fault);
  let generation = 1;
  try {
    const keyring = await open(faulty.system);
    await keyring.change(addVolumeKey());
    ({ generation } = keyring);
    await keyring.change(setVolumeKeyState(1, 'destroyed'));
    ({ generation } = keyring);
    keyring.close();
  } catch (error) {
    return { faulty, generation, error: error as Error };
  }
  return { faulty, generation, error: undefined };
}

it('any call may fail', async () => {
  const made = new SimulatedSystem();
  await Keyring.create(made, directory, { providers, recovery: false });
  const image = made.image();
  const clean = await attempt(new SimulatedSystem(image), () => undefined);
  expect(clean).toMatchObject({ error: undefined, generation: 4 });
  const random = new SeededRandom(5);
  let failed = 0;
  for (const call of clean.faulty.calls) {
    for (const fault of faultsOf(call)) {
      const where = `call ${call.number}, ${call.name} ${call.path}: ${JSON.stringify(fault)}`;
      pretendReboot();
      const disk = new SimulatedSystem(image);
      const operations = disk.record();
      const { error, faulty, generation } = await attempt(disk, ({ number }) =>
        number === call.number ? fault : undefined,
      );
      expect(faulty.openDescriptors, where).toEqual([]);
      if (error !== undefined) {
        failed++;
        expect((error as NodeJS.ErrnoException).code, `${where}: ${String(error)}`).toMatch(/^E/);
      }
      const crashes = new CrashPoints(image, operations, {
        sectorBytes: 512,
        nameOrder: 'any',
        ignoreNames: (label) => label.includes('/locks'),
      });
      const left = [...crashes.at(operations.length).states(4, random)].map(
        (state) => new SimulatedSystem(state.image, { imageAgeMs: 60_000 }),
      );
      for (const system of [disk, ...left]) {
        pretendReboot();
        const keyring = await open(system).catch((cause: unknown) => {
          throw new Error(where, { cause });
        });
        // A removal is two generations: the second of them is what counts.
        expect(keyring.generation, where).toBeGreaterThanOrEqual(generation);
        expect(keyring.generation, where).toBeLessThanOrEqual(generation + 2);
        await keyring.change(addVolumeKey());
        keyring.close();
        expect(system.openDescriptors, where).toEqual([]);
      }
    }
  }
  expect(failed).toBeGreaterThan(20);
});
