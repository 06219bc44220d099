/**
 * The lock of a dead process, many that want it, and every kind of interleaving: their system calls are let through one
 * at a time in random order, and some of them die between two of their calls. Never do two living ones hold it.
 */

import { afterEach, describe, expect, it, vi } from 'vitest';

import { type Busy, LockFiles } from '../../../src/fs/locks/lock-files.ts';
import type { ProcessIdentity } from '../../../src/os/process-identity.ts';
import type { System } from '../../../src/os/system.ts';
import { SeededRandom } from '../../simulator/random.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';

const directory = '/locks';

/** One process: its system calls wait until they are let through. */
class Contender {
  readonly identity: ProcessIdentity;
  readonly files: LockFiles;
  isDead = false;
  isDone = false;
  holds = false;
  next: (() => Promise<void>) | undefined;

  constructor(pid: number, disk: System, living: (identity: ProcessIdentity) => boolean) {
    this.identity = { bootId: '', pid, threadId: pid, startTime: '', pidNamespace: '' };
    const system = new Proxy(disk, {
      get: (target, name, receiver) => {
        const method = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>;
        return (...args: unknown[]) => this.#wait(() => method.apply(disk, args));
      },
    });
    this.files = new LockFiles(system, directory, undefined, { own: () => this.identity, isAlive: living });
  }

  /** Something between two system calls of its own. */
  async pause(): Promise<void> {
    await this.#wait(async () => {});
  }

  #wait<T>(call: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.next = async () => {
        this.next = undefined;
        await call().then(resolve, reject);
      };
    });
  }
}

interface Race {
  readonly seed: number;
  readonly contenders: number;
  readonly rounds: number;
  /** Of so many calls one is the last of its process. */
  readonly deathEvery: number;
  readonly hardLinks: boolean;
}

/** Returns how often the lock was held. */
async function race({ seed, contenders: count, rounds, deathEvery, hardLinks }: Race): Promise<number> {
  const random = new SeededRandom(seed);
  const disk = new SimulatedSystem(undefined, { hardLinks });
  const contenders: Contender[] = [];
  const isAlive = ({ pid }: ProcessIdentity): boolean => contenders[pid - 1]?.isDead === false;
  let taken = 0;

  const start = (): void => {
    const contender = new Contender(contenders.length + 1, disk, isAlive);
    contenders.push(contender);
    void (async () => {
      for (let round = 0; round < rounds; round++) {
        if (random.below(4) === 0) await contender.files.sweep();
        const inode: bigint | Busy = await contender.files.take('x.write');
        if (typeof inode !== 'bigint') {
          await contender.pause();
          continue;
        }
        const others = contenders.filter((other) => other !== contender && other.holds && !other.isDead);
        expect(others, `seed ${seed}: held twice`).toEqual([]);
        contender.holds = true;
        taken++;
        await contender.pause();
        await contender.pause();
        contender.holds = false;
        await contender.files.remove('x.write', inode);
      }
      contender.isDone = true;
    })().catch((error: unknown) => {
      failures.push(error as Error);
    });
  };

  const failures: Error[] = [];
  // The first one dies with the lock in its hands.
  start();
  while (contenders[0]?.holds !== true) {
    await contenders[0]?.next?.();
    await new Promise(setImmediate);
  }
  contenders[0].isDead = true;
  for (let i = 0; i < count; i++) start();
  let deaths = 0;
  for (;;) {
    await new Promise(setImmediate);
    for (const failure of failures) throw failure;
    const waiting = contenders.filter(({ isDead, isDone, next }) => !isDead && !isDone && next !== undefined);
    if (waiting.length === 0) break;
    const chosen = waiting[random.below(waiting.length)] as Contender;
    if (random.below(deathEvery) === 0 && deaths < 2 * count) {
      // Between two calls, or within one: then it took effect.
      if (random.below(2) === 0) await chosen.next?.();
      chosen.isDead = true;
      deaths++;
      start();
    } else await chosen.next?.();
  }
  for (const failure of failures) throw failure;

  // Whatever happened, the lock is free now or its holder dead, and a sweep leaves nothing.
  for (const contender of contenders) contender.isDead = true;
  const living: ProcessIdentity = { bootId: '', pid: 999, threadId: 999, startTime: '', pidNamespace: '' };
  const last = new LockFiles(disk, directory, undefined, {
    own: () => living,
    isAlive: ({ pid }) => pid === living.pid,
  });
  // One that died while it wrote its record looks for a while as if it still did.
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5_000 });
  const inode = await last.take('x.write');
  expect(typeof inode, `seed ${seed}`).toBe('bigint');
  expect(await last.holder('x.write')).toEqual(living);
  await last.remove('x.write', inode as bigint);
  await last.sweep();
  vi.useRealTimers();
  await last.close();
  const left = (await disk.readdir(directory)).filter(({ name }) => !name.startsWith('.'));
  expect(left, `seed ${seed}`).toEqual([]);
  return taken;
}

afterEach(() => {
  vi.useRealTimers();
});

describe.each([true, false])('hard links: %s', (hardLinks) => {
  it('two living ones never hold it', async () => {
    let taken = 0;
    for (let seed = 0; seed < 250; seed++) {
      taken += await race({
        seed,
        contenders: 2 + (seed % 4),
        rounds: 4,
        deathEvery: seed % 3 === 0 ? 1_000_000 : 12,
        hardLinks,
      });
    }
    expect(taken).toBeGreaterThan(250);
  });
});
