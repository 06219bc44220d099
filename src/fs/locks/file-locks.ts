/**
 * Locks of a volume, between processes and within one.
 *
 * With warm caches a lock costs one system call to take (link) and two to release (lstat, unlink); the first one of a
 * volume five more (open, write, fstat, close; mkdir for a new volume). A lock that someone else holds: open, read,
 * fstat, close of its file, and three for a look at the process. The lock of a dead process is taken over (lock-files.ts).
 */

import { errnoError } from '../../errno.ts';
import { isOutOfSight, ownIdentity, type ProcessIdentity } from '../../os/process-identity.ts';
import type { System } from '../../os/system.ts';
import { type Busy, LockFiles, type Owner } from './lock-files.ts';

export interface AcquireOptions {
  /** What the lock is for, as the caller named it: for the error. */
  readonly path: string;
  /** How long to wait for its holder. 0 by default: not at all. */
  readonly waitMs?: number;
}

export interface HeldLock {
  /**
   * Only what is still ours is removed. A second call does nothing. After an error of the system the lock file may still
   * be there: it is this object's to take again, and everyone's when the process has ended.
   */
  release(): Promise<void>;
}

const pollMs = 20;
/** Taking the lock of a dead process takes a few system calls: whoever is at it is waited for in any case. */
const claimMs = 100;
const claimPollMs = 2;

/** Called with the lock, or without it when the one before failed to get it. */
type Waiter = (inode: bigint | undefined) => void;

export class FileLocks {
  readonly #files: LockFiles;
  /** Names that this object holds or is about to take, with who waits for them, in order. */
  readonly #waiters: Map<string, Waiter[]> = new Map();

  /** `owner` gets what is made in `directory`, and the directory when it has to be made. */
  constructor(system: System, directory: string, owner?: Owner) {
    this.#files = new LockFiles(system, directory, owner);
  }

  /**
   * Takes a lock. Throws EBUSY with `holderPid` when another process, thread or volume object holds it (the pid is not
   * known while the lock file is being written), and errors of the system that concern `path`.
   */
  async acquire(name: string, options: AcquireOptions): Promise<HeldLock> {
    const untilMs = performance.now() + (options.waitMs ?? 0);
    const waiters = this.#waiters.get(name);
    let inode: bigint | undefined;
    if (waiters === undefined) this.#waiters.set(name, []);
    else inode = await this.#waitTurn(waiters, untilMs, options.path);
    try {
      inode ??= await this.#take(name, untilMs, options.path);
    } catch (error) {
      this.#passOn(name, undefined);
      throw error;
    }
    return this.#held(name, inode, options.path);
  }

  /** Who holds a lock and lives. */
  async holder(name: string): Promise<ProcessIdentity | undefined> {
    return this.#files.holder(name);
  }

  /** Removes what dead processes left in the directory of the locks; how many files that were. */
  async sweep(): Promise<number> {
    return this.#files.sweep();
  }

  /** Tidies up. Locks that are held stay held, and new ones can be taken. */
  async close(): Promise<void> {
    await this.#files.close();
  }

  #held(name: string, inode: bigint, path: string): HeldLock {
    let held = true;
    return {
      release: async () => {
        if (!held) return;
        held = false;
        if ((this.#waiters.get(name)?.length ?? 0) > 0) {
          this.#passOn(name, inode);
          return;
        }
        try {
          await this.#files.remove(name, inode);
        } catch (error) {
          throw concerning(error, path, 'its lock cannot be released');
        } finally {
          this.#passOn(name, undefined);
        }
      },
    };
  }

  #passOn(name: string, inode: bigint | undefined): void {
    const next = this.#waiters.get(name)?.shift();
    if (next === undefined) this.#waiters.delete(name);
    else next(inode);
  }

  async #waitTurn(waiters: Waiter[], untilMs: number, path: string): Promise<bigint | undefined> {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0) throw busyError(path, { holder: ownIdentity() });
    return new Promise((resolve, reject) => {
      const waiter: Waiter = (inode) => {
        clearTimeout(timer);
        resolve(inode);
      };
      const timer = setTimeout(() => {
        waiters.splice(waiters.indexOf(waiter), 1);
        reject(busyError(path, { holder: ownIdentity() }));
      }, leftMs);
      waiters.push(waiter);
    });
  }

  async #take(name: string, untilMs: number, path: string): Promise<bigint> {
    const claimUntilMs = Math.max(untilMs, performance.now() + claimMs);
    for (;;) {
      const taken = await this.#files.take(name).catch((error: unknown) => {
        throw concerning(error, path, 'its lock cannot be taken');
      });
      if (typeof taken === 'bigint') return taken;
      const isClaimed = taken.claimed === true;
      const leftMs = (isClaimed ? claimUntilMs : untilMs) - performance.now();
      if (leftMs <= 0) throw busyError(path, taken);
      // It keeps the process alive: an operation waits here, not merely an open file, and not for longer than it said.
      await new Promise((resolve) => {
        setTimeout(resolve, Math.min(isClaimed ? claimPollMs : pollMs, leftMs));
      });
    }
  }
}

/** In words, for errors. */
export function describeHolder(holder: ProcessIdentity): string {
  const { pid } = holder;
  if (isOutOfSight(holder)) {
    return `process ${pid} of another container on this machine; if that container is gone, remove the lock from .volseal/locks`;
  }
  return pid === process.pid
    ? `this process, ${pid}, through another handle, volume or thread`
    : `process ${pid}`;
}

function busyError(path: string, { holder }: Busy): Error {
  if (holder === undefined) {
    return errnoError('EBUSY', 'open', path, undefined, { detail: 'its lock is just being taken' });
  }
  const { pid } = holder;
  const detail = `held by ${describeHolder(holder)}`;
  return errnoError('EBUSY', 'open', path, undefined, { detail, holderPid: pid });
}

function concerning(error: unknown, path: string, detail: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (!(error instanceof Error) || code === undefined) return error;
  return errnoError(code, 'open', path, undefined, { detail, cause: error });
}
