/**
 * A file whose system fails: at each of its calls in turn, in every way in which that call can fail. There is an error
 * about the file, nothing stays open, what was synced is there, also after a crash, and what can be tried again works then.
 */

import { describe, expect, it } from 'vitest';

import type { Keyring } from '../../../src/keyring/keyring.ts';
import { pretendReboot } from '../../../src/os/process-identity.ts';
import { CrashPoints } from '../../simulator/crash-states.ts';
import type { DiskImage } from '../../simulator/disk.ts';
import { type Call, type Fault, faultsOf, FaultySystem } from '../../simulator/faulty-system.ts';
import { SeededRandom } from '../../simulator/random.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';
import {
  checkFile,
  environmentOn,
  makeDisk,
  makeKeyring,
  plainSegmentBytes as whole,
  type Step,
  SteppedFile,
} from './files.ts';
import { append, checkpoint, reopen, sync, truncate, write } from './steps.ts';

const keyring: Keyring = await makeKeyring();
const laterMs = { imageAgeMs: 60_000 };

const steps: readonly Step[] = [
  append(2 * whole + 100),
  sync,
  write(10, 20),
  sync,
  append(whole),
  sync,
  checkpoint,
  truncate(whole + 9),
  sync,
  write(3 * whole, 5),
  sync,
  reopen,
  write(0, whole + 1),
  sync,
];

async function emptyDisk(): Promise<DiskImage> {
  const system = new SimulatedSystem();
  await makeDisk(system, keyring);
  return system.image();
}

interface Trial {
  readonly faulty: FaultySystem;
  readonly disk: SimulatedSystem;
  readonly file: SteppedFile | undefined;
  readonly lastSync: number;
  readonly errors: readonly unknown[];
}

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Takes the steps, and those that fail once more. Stops at what stays broken, and closes the file. */
async function attempt(disk: SimulatedSystem, fault: (call: Call) => Fault | undefined): Promise<Trial> {
  const faulty = new FaultySystem(disk, fault);
  const errors: unknown[] = [];
  let lastSync = 0;
  const durable = (done: number): void => {
    lastSync = done;
  };
  let file: SteppedFile | undefined;
  try {
    file = await SteppedFile.open(environmentOn(faulty.system, keyring));
    await file.take(sync, durable);
    for (const step of steps) {
      try {
        await file.take(step, durable);
      } catch (error) {
        errors.push(error);
        if (step.do === 'reopen') break;
        await file.take(step, durable);
      }
    }
  } catch (error) {
    errors.push(error);
  }
  await file?.file.close().catch((error: unknown) => errors.push(error));
  return { faulty, disk, file, lastSync, errors };
}

/** Every call of the steps with every fault it can have. */
async function everyFault(image: DiskImage): Promise<[Call, Fault][]> {
  const { faulty, errors } = await attempt(new SimulatedSystem(image), () => undefined);
  expect(errors).toEqual([]);
  return faulty.calls.flatMap((call) => faultsOf(call).map((fault): [Call, Fault] => [call, fault]));
}

const isSyncCall = ({ name }: Call): boolean => name === 'fsync' || name === 'fdatasync';

describe('a file', () => {
  it('any call may fail', async () => {
    const image = await emptyDisk();
    const faults = await everyFault(image);
    expect(faults.length).toBeGreaterThan(100);
    const random = new SeededRandom(11);
    let [failed, states, goneOn] = [0, 0, 0];
    for (const [call, fault] of faults) {
      const where = `call ${call.number}, ${call.name} ${call.path}: ${JSON.stringify(fault)}`;
      pretendReboot();
      const disk = new SimulatedSystem(image);
      const operations = disk.record();
      const trial = await attempt(disk, ({ number }) => (number === call.number ? fault : undefined));
      const { errors, faulty, file, lastSync } = trial;
      expect(faulty.openDescriptors, where).toEqual([]);
      expect(disk.openDescriptors, where).toEqual([]);
      if (errors.length > 0) {
        failed++;
        const code = typeof fault === 'string' ? undefined : fault.code;
        // An error of another kind would hide what happened.
        for (const error of errors) expect(codeOf(error), `${where}: ${String(error)}`).toBe(code);
      }
      // A full disk or a lack of descriptors passes; then the same call works.
      if (typeof fault !== 'string' && fault.code !== 'EIO' && !isSyncCall(call) && file !== undefined) {
        goneOn++;
        expect(errors.length, `${where}: ${errors.map(String).join('; ')}`).toBeLessThanOrEqual(1);
      }
      const check = async (system: SimulatedSystem): Promise<void> => {
        pretendReboot();
        if (file === undefined) return;
        await checkFile(system, keyring, file, lastSync);
      };
      const explained = (error: unknown): never => {
        throw new Error(
          `${where}\nerrors: ${errors.map(String).join('; ')}\n${operations.map(({ label }) => label).join('\n')}`,
          {
            cause: error,
          },
        );
      };
      const crashed = async (): Promise<void> => {
        const points = new CrashPoints(image, operations, {
          sectorBytes: states % 2 === 0 ? 512 : 4_096,
          nameOrder: states % 4 < 2 ? 'any' : 'ordered',
          ignoreNames: (label) => label.includes('/locks'),
        });
        for (const state of points.at(operations.length).states(24, random)) {
          states++;
          const missing = state.missing.join('\n');
          await check(new SimulatedSystem(state.image, laterMs)).catch((error: unknown) => {
            throw new Error(`crashed, missing:\n${missing}`, { cause: error });
          });
        }
      };
      // The machine stops at once; or the file is opened again first, and then it stops.
      await crashed().catch(explained);
      await check(disk).catch(explained);
      await crashed().catch(explained);
    }
    expect(failed).toBeGreaterThan(100);
    expect(goneOn).toBeGreaterThan(20);
    expect(states).toBeGreaterThan(500);
  });

  it('after EIO nothing goes on: every call says the same until the file is opened again', async () => {
    const disk = new SimulatedSystem(await emptyDisk());
    const faulty = new FaultySystem(disk);
    const file = await SteppedFile.open(environmentOn(faulty.system, keyring));
    await file.take(append(100), () => {});
    faulty.decide(({ name }) => (name === 'fdatasync' ? { code: 'EIO', when: 'before' } : undefined));
    const failing = (run: Promise<unknown>): Promise<void> =>
      expect(run).rejects.toMatchObject({ code: 'EIO' });
    await failing(file.file.sync());
    faulty.decide(() => undefined);
    await failing(file.file.sync());
    await failing(file.file.write(Buffer.from('x'), 0, 1, 0));
    await failing(Promise.resolve(file.file.read(Buffer.alloc(1), 0, 1, 0)));
    await failing(file.file.truncate(0));
    await file.file.close().catch(() => {});
    expect(faulty.openDescriptors).toEqual([]);
  });
});
