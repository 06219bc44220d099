/**
 * Runs something on a simulated disk, pulls the plug after every one of its operations, and looks at what is left: in
 * every state in which the disk can be then, or in as many of them as were asked for.
 */

import { pretendReboot } from '../../src/os/process-identity.ts';
import type { System } from '../../src/os/system.ts';
import { type CrashPoint, CrashPoints, type CrashState } from './crash-states.ts';
import type { DiskImage } from './disk.ts';
import type { Operation } from './operations.ts';
import type { NameOrder } from './point-of-crash.ts';
import { SeededRandom } from './random.ts';
import { SimulatedSystem } from './simulated-system.ts';

export interface CrashScenario<Setup, Mark> {
  /** Makes what there is before. All of it counts as on the disk. */
  setup(system: SimulatedSystem): Promise<Setup>;
  /** Calls `acknowledge` when its caller may rely on something. It may leave everything open. */
  run(system: System, setup: Setup, acknowledge: (mark: Mark) => void): Promise<void>;
  /**
   * Looks at the disk after a crash, with everything that was acknowledged before it, in order. Throws when what it
   * finds must not be. What it opens it closes.
   */
  check(system: SimulatedSystem, acknowledged: readonly Mark[], setup: Setup): Promise<void>;
  /** Makes the disk whole again, as the next start does. Some states are crashed a second time in the middle of it. */
  recover?(system: System, setup: Setup): Promise<void>;
  /** The sizes in bytes of what a disk writes at once. 512 and 4,096 by default. */
  readonly torn?: readonly number[];
  /** How names get to the disk; both by default. */
  readonly nameOrders?: readonly NameOrder[];
  /** How many states to look at: all of them if there are no more. 2,000 by default. */
  readonly states?: number;
  readonly seed?: number;
  /** Names that nobody relies on, as those of locks, by the labels of operations: these count as on the disk at once. */
  readonly ignoreNames?: (label: string) => boolean;
}

export interface CrashReport {
  /** Different states that were looked at, those of crashed recoveries included. */
  readonly states: number;
  readonly recoveries: number;
  readonly operations: number;
  /** Whether these were all the states that there are (of the first crash). */
  readonly exhaustive: boolean;
  readonly seed: number;
}

/** A state in which the disk must not be. `cause` is what the check threw. */
export class CrashError extends Error {
  override readonly name: string = 'CrashError';
}

/** A machine takes some time to come up again. */
const rebooted = { imageAgeMs: 60_000 };
/** States of a second crash, for each state whose recovery is crashed. */
const statesOfRecovery = 40;
const rounds = 4;
/** The first so many states are crashed again while they recover, */
const recoverFirst = 40;
/** and one of so many of the others. */
const recoverEvery = 10;

export async function simulateCrashes<Setup, Mark>(
  scenario: CrashScenario<Setup, Mark>,
): Promise<CrashReport> {
  const system = new SimulatedSystem();
  const setup = await scenario.setup(system);
  const base = system.image();
  const operations = system.record();
  await scenario.run(system, setup, (mark) => system.acknowledge(mark));
  const recorded = [...operations];
  return new Simulation(scenario, setup).over(base, recorded);
}

/** After so many operations, on a disk of one kind. */
interface Place {
  readonly point: number;
  readonly crash: CrashPoint;
}

class Simulation<Setup, Mark> {
  readonly #scenario: CrashScenario<Setup, Mark>;
  readonly #setup: Setup;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #seen: Set<string> = new Set();
  #states = 0;
  #recoveries = 0;

  constructor(scenario: CrashScenario<Setup, Mark>, setup: Setup) {
    this.#scenario = scenario;
    this.#setup = setup;
    this.#seed = scenario.seed ?? Math.floor(Math.random() * 2 ** 32);
    this.#random = new SeededRandom(this.#seed);
  }

  async over(base: DiskImage, operations: readonly Operation[]): Promise<CrashReport> {
    const wanted = this.#scenario.states ?? 2_000;
    const disks = this.#disks(base, operations);
    const places = disks.flatMap((disk) =>
      disk.points().map((point): Place => ({ point, crash: disk.at(point) })),
    );
    // Different choices may lead to the same state, so there are more rounds where that leaves too few.
    let most = mostChoicesFor(wanted, places);
    let isExhaustive = await this.#round(places, operations, most, Infinity);
    for (let round = 1; round < rounds && !isExhaustive && this.#states < wanted; round++) {
      most *= 3;
      isExhaustive = await this.#round(this.#random.shuffled(places), operations, most, wanted);
    }
    return {
      states: this.#states,
      recoveries: this.#recoveries,
      operations: operations.length,
      exhaustive: isExhaustive,
      seed: this.#seed,
    };
  }

  /** One for each size of sectors and order of names. */
  #disks(base: DiskImage, operations: readonly Operation[]): CrashPoints[] {
    const {
      torn = [512, 4_096],
      nameOrders = ['ordered', 'any'],
      ignoreNames = () => false,
    } = this.#scenario;
    return torn.flatMap((sectorBytes) =>
      nameOrders.map(
        (nameOrder) => new CrashPoints(base, operations, { sectorBytes, nameOrder, ignoreNames }),
      ),
    );
  }

  /** Whether these were all states. */
  async #round(
    places: readonly Place[],
    operations: readonly Operation[],
    mostChoices: number,
    enoughStates: number,
  ): Promise<boolean> {
    let isExhaustive = true;
    for (const { crash, point } of places) {
      if (this.#states >= enoughStates) return false;
      const acknowledged = marksBefore<Mark>(operations, point);
      if (crash.choices > mostChoices) isExhaustive = false;
      for (const state of crash.states(mostChoices, this.#random)) {
        const where = (): string => describe(operations, point, state);
        if (!(await this.#look(state, acknowledged, where))) continue;
        if (this.#states <= recoverFirst || this.#states % recoverEvery === 0) {
          await this.#crashRecovery(state, acknowledged, where);
        }
      }
    }
    return isExhaustive;
  }

  /** False when this state was looked at before. */
  async #look(state: CrashState, acknowledged: readonly Mark[], where: () => string): Promise<boolean> {
    const key = `${acknowledged.length} ${state.digest}`;
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    this.#states++;
    const { stackTraceLimit } = Error;
    try {
      // Many a check lives on errors that it expects; where they come from takes longer than the rest of them.
      Error.stackTraceLimit = 0;
      await this.#check(state, acknowledged);
    } catch {
      Error.stackTraceLimit = stackTraceLimit;
      // Once more, for an error that says where it comes from.
      const error = await this.#check(state, acknowledged).then(
        () => new Error('the check failed, and did not when it was run again'),
        (thrown: unknown) => thrown,
      );
      throw this.#failure(error, acknowledged, where());
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
    return true;
  }

  async #check(state: CrashState, acknowledged: readonly Mark[]): Promise<void> {
    pretendReboot();
    const system = new SimulatedSystem(state.image, rebooted);
    await this.#scenario.check(system, acknowledged, this.#setup);
    const open = system.openDescriptors;
    if (open.length > 0) throw new Error(`left open: ${open.join(', ')}`);
  }

  async #crashRecovery(state: CrashState, acknowledged: readonly Mark[], where: () => string): Promise<void> {
    if (this.#scenario.recover === undefined) return;
    pretendReboot();
    const system = new SimulatedSystem(state.image, rebooted);
    const recorded = system.record();
    try {
      await this.#scenario.recover(system, this.#setup);
    } catch (error) {
      throw this.#failure(error, acknowledged, where());
    }
    const operations = [...recorded];
    if (operations.length === 0) return;
    this.#recoveries++;
    const disks = this.#disks(state.image, operations);
    const disk = disks[this.#random.below(disks.length)] as CrashPoints;
    const perPoint = Math.max(8, Math.floor(statesOfRecovery / operations.length));
    for (const point of disk.points().slice(1)) {
      for (const second of disk.at(point).states(perPoint, this.#random)) {
        await this.#look(
          second,
          acknowledged,
          () => `${where()}\nthen, while recovering:\n${describe(operations, point, second)}`,
        );
      }
    }
  }

  #failure(error: unknown, acknowledged: readonly Mark[], where: string): CrashError {
    const reason = error instanceof Error ? error.message : String(error);
    const marks = acknowledged.length === 0 ? 'nothing' : acknowledged.slice(-3).map(inWords).join(', ');
    return new CrashError(
      `${reason}\n${where}\nacknowledged before: ${marks}\nstate ${this.#states} of seed ${this.#seed}`,
      { cause: error },
    );
  }
}

/** So many for each point that they come to `wanted`, though many points have few. */
function mostChoicesFor(wanted: number, places: readonly Place[]): number {
  const choices = places.map(({ crash }) => crash.choices);
  let left = wanted;
  let pointsLeft = choices.length;
  for (const count of choices.toSorted((a, b) => a - b)) {
    if (count * pointsLeft > left) break;
    left -= count;
    pointsLeft--;
  }
  return Math.max(1, Math.ceil(left / Math.max(1, pointsLeft)));
}

function marksBefore<Mark>(operations: readonly Operation[], point: number): Mark[] {
  const marks: Mark[] = [];
  for (const operation of operations.slice(0, point)) {
    if (operation.type === 'acknowledge') marks.push(operation.value as Mark);
  }
  return marks;
}

function describe(operations: readonly Operation[], point: number, { missing }: CrashState): string {
  const done = operations.slice(0, point).map(({ label }, i) => `  ${i} ${label}`);
  return [
    `crash after ${point} of ${operations.length} operations:`,
    ...done.slice(-30),
    missing.length === 0 ? 'nothing missing on the disk' : 'missing on the disk:',
    ...missing.slice(0, 30).map((what) => `  ${what}`),
  ]
    .join('\n')
    .replaceAll(/\.volseal-tmp-[-0-9a-f]*([0-9a-f]{4})/g, '.volseal-tmp-…$1');
}

function inWords(mark: unknown): string {
  return (JSON.stringify(mark) ?? String(mark)).slice(0, 200);
}
