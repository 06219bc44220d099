/**
 * `simulateCrashes` of `volseal/testing`: what an application does to a volume, crashed after every one of its system
 * calls. The application's own promises are tested so, for example that two files which it writes always agree.
 */

import { initVolumeOn, openVolumeOn } from '../../src/fs/volume/init.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import { testKeys } from '../../src/testing.ts';
import { type CrashReport, simulateCrashes } from './simulate-crashes.ts';

const root = '/data';

export interface VolumeCrashScenario<Mark = unknown> {
  /** Makes what there is before: all of it counts as on the disk. */
  setup?(volume: Volume): Promise<void>;
  /** What is crashed. Calls `acknowledge` when somebody may rely on something from then on. */
  run(volume: Volume, acknowledge: (mark: Mark) => void): Promise<void>;
  /** Looks at the volume after a crash, with everything that was acknowledged before it. Throws when it must not be so. */
  check(volume: Volume, acknowledged: readonly Mark[]): Promise<void>;
  /** The sizes in bytes of what a disk writes at once. 512 and 4,096 by default. */
  torn?: readonly number[];
  /** How many states of the disk to look at: all of them if there are no more. 2,000 by default. */
  states?: number;
  /** Of a run before, to see the same states again. */
  seed?: number;
}

/** Rejects with a `CrashError` that says after which system call it crashed, and what was not on the disk yet. */
export async function simulateVolumeCrashes<Mark = unknown>(
  scenario: VolumeCrashScenario<Mark>,
): Promise<CrashReport> {
  const keys = testKeys();
  const { seed, states, torn } = scenario;
  return simulateCrashes<Volume, Mark>({
    setup: async (system) => {
      await system.mkdir(root);
      await initVolumeOn(system, root, { keys, recovery: false });
      const volume = await openVolumeOn(system, root, { keys });
      await scenario.setup?.(volume);
      return volume;
    },
    run: async (_system, volume, acknowledge) => {
      await scenario.run(volume, acknowledge);
      await volume.close();
    },
    check: async (system, acknowledged) => {
      const volume = await openVolumeOn(system, root, { keys });
      try {
        await scenario.check(volume, acknowledged);
      } finally {
        await volume.close();
      }
    },
    ignoreNames: (label) => label.includes('/.volseal/locks'),
    ...(torn !== undefined && { torn }),
    ...(states !== undefined && { states }),
    ...(seed !== undefined && { seed }),
  });
}
