/**
 * That this process works with the volume, and with which generation of its keyring: for whoever destroys a volume key and has
 * to know that nobody seals anything under it any more.
 *
 * It is said by a lock, `holder.<16 hex digits>.<generation>`, that is taken before anything is sealed. The keyring is looked at
 * after it was taken: whoever replaces the keyring and then looks at the locks finds this one, or this process has seen the new
 * keyring. Another generation is said when the newer keyring is in use here and everything that began before has ended.
 *
 * System calls: one link more with the first change of a volume, and one lstat every other second from then on.
 */

import { hex } from '../../bytes.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import { randomSecret } from '../../random.ts';
import type { FileLocks, HeldLock } from '../locks/file-locks.ts';

const prefix = 'holder.';
const pattern = /^holder\.([0-9a-f]{16})\.(\d{1,16})$/;
/** How often an idle process looks whether the keyring was replaced. */
const lookEveryMs = 2_000;

/** What the name of a lock says, when it is one of these. */
export function parseHolderName(
  name: string,
): { readonly id: string; readonly generation: number } | undefined {
  const match = pattern.exec(name);
  return match === null ? undefined : { id: match[1] as string, generation: Number(match[2]) };
}

/** Calls that began while the keyring was at one generation. */
interface Epoch {
  readonly generation: number;
  running: number;
}

export class Holder {
  readonly #keyring: Keyring;
  readonly #locks: FileLocks;
  readonly #root: string;
  readonly #id: string = hex(randomSecret(8));
  /** Those with calls that run, and the newest one. */
  #epochs: Epoch[];
  #registering: Promise<void> | undefined;
  #said: { readonly generation: number; readonly lock: HeldLock } | undefined;
  #saying: Promise<void> = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  /** @param root for errors */
  constructor(keyring: Keyring, locks: FileLocks, root: string) {
    this.#keyring = keyring;
    this.#locks = locks;
    this.#root = root;
    this.#epochs = [{ generation: keyring.generation, running: 0 }];
  }

  /**
   * Runs what seals new files under the primary volume key or gives files other names: until it has ended this process is known
   * to work with the keyring that it began with. `refresh` is to be called in it before either is done.
   */
  async using<T>(work: () => Promise<T>): Promise<T> {
    this.#advance();
    const epoch = this.#epochs.at(-1) as Epoch;
    epoch.running++;
    try {
      return await work();
    } finally {
      epoch.running--;
      this.#advance();
    }
  }

  /** The newest keyring: one `stat` when it did not change. */
  async refresh(): Promise<void> {
    if (this.#said === undefined) {
      this.#registering ??= this.#register().catch((error: unknown) => {
        this.#registering = undefined;
        throw error;
      });
      await this.#registering;
    }
    await this.#keyring.refresh();
  }

  async #register(): Promise<void> {
    const { generation } = this.#epochs[0] as Epoch;
    this.#said = { generation, lock: await this.#lockFor(generation) };
    watch(new WeakRef(this));
  }

  /** For the timer: looks at the keyring and says what is to be said. Never throws. */
  async look(): Promise<void> {
    try {
      await this.#keyring.refresh();
    } catch {
      // Whoever uses the volume gets to know; until it can be read this process has not seen it.
    }
    this.#advance();
    await this.#saying;
  }

  set timer(timer: NodeJS.Timeout) {
    this.#timer = timer;
    if (this.#closed) clearTimeout(timer);
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Notes a newer keyring, forgets what has ended, and says how far this process is. */
  #advance(): void {
    const { generation } = this.#keyring;
    if ((this.#epochs.at(-1) as Epoch).generation !== generation)
      this.#epochs.push({ generation, running: 0 });
    while (this.#epochs.length > 1 && this.#epochs[0]?.running === 0) this.#epochs.shift();
    if (this.#said === undefined || this.#said.generation === this.#epochs[0]?.generation) return;
    this.#saying = this.#saying.then(() => this.#say()).catch(() => {}); // it is tried again when it looks again
  }

  async #say(): Promise<void> {
    const before = this.#said;
    const { generation } = this.#epochs[0] as Epoch;
    if (before === undefined || this.#closed || before.generation === generation) return;
    this.#said = { generation, lock: await this.#lockFor(generation) };
    await before.lock.release();
  }

  #lockFor(generation: number): Promise<HeldLock> {
    return this.#locks.acquire(`${prefix}${this.#id}.${generation}`, { path: this.#root });
  }

  /** Nothing runs any more, and nothing will. */
  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    await this.#registering?.catch(() => {});
    await this.#saying;
    await this.#said?.lock.release();
  }
}

/** Looks now and then for as long as somebody has the volume; it keeps neither that nor the process alive. */
function watch(reference: WeakRef<Holder>): void {
  const holder = reference.deref();
  if (holder === undefined || holder.closed) return;
  const timer = setTimeout(() => {
    void reference
      .deref()
      ?.look()
      .then(() => watch(reference));
  }, lookEveryMs);
  timer.unref();
  holder.timer = timer;
}
