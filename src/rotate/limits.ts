/** How fast a run may go: the disk of the volume is the application's, too. */

import { availableParallelism } from 'node:os';

import { invalidArgument, throwIfAborted } from '../options.ts';

const defaultJobs = 4;
const maxJobs = 64;

/** Operations in a second that Fly allows the volume of a Machine, by the number of its CPUs; those of shared CPUs, the fewest. */
const flyIops = (cpus: number): number => (cpus <= 2 ? 4_000 : 8_000);
/** What a run takes of it unless it is told otherwise: the application goes on meanwhile. */
const share = 0.5;
/** Operations that may be made up for after a pause. */
const burstSeconds = 0.1;

export function checkJobs(jobs: number | undefined): number {
  if (jobs === undefined) return defaultJobs;
  if (Number.isSafeInteger(jobs) && jobs >= 1 && jobs <= maxJobs) return jobs;
  throw invalidArgument(`jobs must be a whole number from 1 to ${maxJobs}`);
}

/** On a Fly Machine a share of what its volume allows, elsewhere no limit. */
export function checkMaxIops(maxIops: number | undefined): number {
  if (maxIops !== undefined) {
    if (typeof maxIops === 'number' && maxIops > 0) return maxIops;
    throw invalidArgument('maxIops must be a number above 0');
  }
  return process.env['FLY_MACHINE_ID'] === undefined
    ? Number.POSITIVE_INFINITY
    : flyIops(availableParallelism()) * share;
}

/** Where the time comes from; tests have their own. */
export interface Clock {
  /** Milliseconds from anywhere. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

export const realClock: Clock = {
  now: () => performance.now(),
  sleep: (ms) =>
    new Promise((resolve) => {
      setTimeout(resolve, ms);
    }),
};

/** Lets so many operations pass in a second. */
export class Pace {
  readonly #perMs: number;
  readonly #signal: AbortSignal | undefined;
  readonly #clock: Clock;
  /** When all that was let pass so far is paid for. */
  #paidUntilMs: number;

  constructor(maxIops: number, signal?: AbortSignal, clock: Clock = realClock) {
    this.#perMs = maxIops / 1_000;
    this.#signal = signal;
    this.#clock = clock;
    this.#paidUntilMs = clock.now();
  }

  /**
   * Waits until `operations` more may begin.
   * @throws VolsealError `ERR_VOLSEAL_ABORTED`
   */
  async take(operations: number): Promise<void> {
    throwIfAborted(this.#signal);
    if (!Number.isFinite(this.#perMs)) return;
    const nowMs = this.#clock.now();
    this.#paidUntilMs = Math.max(this.#paidUntilMs, nowMs - burstSeconds * 1_000) + operations / this.#perMs;
    const waitMs = this.#paidUntilMs - nowMs;
    if (waitMs > 0) await this.#clock.sleep(waitMs);
    throwIfAborted(this.#signal);
  }
}
