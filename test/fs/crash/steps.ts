/** Runs of steps on one file, crashed after every operation. */

import type { Keyring } from '../../../src/keyring/keyring.ts';
import type { System } from '../../../src/os/system.ts';
import type { NameOrder } from '../../simulator/point-of-crash.ts';
import { SeededRandom } from '../../simulator/random.ts';
import { type CrashReport, simulateCrashes } from '../../simulator/simulate-crashes.ts';
import {
  checkFile,
  environmentOn,
  makeDisk,
  openFile,
  plainSegmentBytes,
  type Step,
  SteppedFile,
} from './files.ts';

/** Nobody relies on lock files after a crash. */
const isLockFile = (label: string): boolean => label.includes('/locks');

export interface Run {
  readonly before?: readonly Step[];
  readonly steps: readonly Step[];
  readonly states: number;
  readonly seed?: number;
  /** Half of the kinds of disk, for runs that look at few states each. */
  readonly disk?: { readonly torn: readonly number[]; readonly nameOrders: readonly NameOrder[] } | undefined;
  /** Takes each step without waiting for the one before. */
  readonly atOnce?: boolean;
  /** What the file is changed through; what is left of it is looked at directly. */
  readonly through?: (system: System) => System;
}

/** Crashes a run of steps, and looks at what is left of the file. */
export function crash(
  keyring: Keyring,
  { atOnce = false, before = [], disk, steps, states, seed, through = (system) => system }: Run,
): Promise<CrashReport> {
  return simulateCrashes<SteppedFile, number>({
    setup: async (system) => {
      await makeDisk(system, keyring);
      const file = await SteppedFile.open(environmentOn(through(system), keyring));
      for (const step of [...before, { do: 'checkpoint' } as const]) await file.take(step, () => {});
      return file;
    },
    run: async (_system, file, acknowledge) => {
      acknowledge(file.lastSync);
      const taken: Promise<void>[] = [];
      for (const step of steps) {
        taken.push(file.take(step, acknowledge));
        if (!atOnce) await taken.at(-1);
      }
      await Promise.all(taken);
    },
    check: (system, acknowledged, file) => checkFile(system, keyring, file, Math.max(0, ...acknowledged)),
    recover: async (system) => {
      await (await openFile(environmentOn(system, keyring), true)).close();
    },
    states,
    ignoreNames: isLockFile,
    ...(seed !== undefined && { seed }),
    ...disk,
  });
}

export const sync: Step = { do: 'sync' };
export const checkpoint: Step = { do: 'checkpoint' };
export const reopen: Step = { do: 'reopen' };
export const write = (at: number, bytes: number): Step => ({ do: 'write', at, bytes });
export const append = (bytes: number): Step => ({ do: 'append', bytes });
export const truncate = (to: number): Step => ({ do: 'truncate', to });

const whole = plainSegmentBytes;

/** Steps at random around the ends of segments, one in three of them a sync. */
export function randomSteps(seed: number, count: number): Step[] {
  const random = new SeededRandom(seed);
  const place = (): number => Math.max(0, random.below(5) * whole + random.below(7) - 3);
  const steps = Array.from({ length: count }, (): Step => {
    switch (random.below(9)) {
      case 0:
      case 1:
        return write(place(), random.below(3) === 0 ? whole + 5 : random.below(40));
      case 2:
        return append(1 + random.below(whole + 10));
      case 3:
        return truncate(place());
      case 4:
        return checkpoint;
      case 5:
        return reopen;
      default:
        return sync;
    }
  });
  return [...steps, sync];
}
