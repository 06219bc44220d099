/** A system that fails on demand, and that knows what is open. */

import { constants } from 'node:fs';

import { errnoError } from '../../src/errno.ts';
import type { System } from '../../src/os/system.ts';

export type CallName = keyof System;

export interface Call {
  /** 1 for the first call. */
  readonly number: number;
  readonly name: CallName;
  /** The path, or that of the descriptor when it was opened. */
  readonly path: string;
  /** The flags of `open`. */
  readonly flags: number;
}

/**
 * `before`: nothing happened. `after`: it happened, and failed to say so. `short`: less was read or written than asked.
 * `skip`: nothing happened, and it says it did.
 */
export type Fault = { readonly code: string; readonly when: 'before' | 'after' } | 'short' | 'skip';

/** Undefined: the call goes through. */
export type Decide = (call: Call) => Fault | undefined;

const broken: Fault = { code: 'EIO', when: 'before' };
const full: Fault = { code: 'ENOSPC', when: 'before' };
const done: Fault = { code: 'EIO', when: 'after' };

const special: Readonly<Partial<Record<CallName, readonly Fault[]>>> = {
  open: [broken, { code: 'EMFILE', when: 'before' }],
  read: [broken, 'short'],
  writev: [broken, full, done, 'short'],
  mkdir: [broken, full],
  link: [broken, full],
  symlink: [broken, full],
  ftruncate: [broken, full],
  rename: [broken, full, done],
  fsync: [broken, full],
  fdatasync: [broken, full],
  // It says that it does not know, rather than fail.
  pathOf: [],
  // A descriptor is gone whatever close says.
  close: [done],
};

/** How a call can fail on a disk that is full or broken, or on a system that has no descriptors left. */
export function faultsOf({ name, flags }: Call): readonly Fault[] {
  const faults = special[name] ?? [broken];
  return (flags & constants.O_CREAT) === 0 ? faults : [...faults, full];
}

/** A simulated one is told which of its syncs failed. */
type Inner = System & { failSync?(descriptor: number): void };

export class FaultySystem {
  readonly system: System;
  readonly calls: Call[] = [];
  readonly #inner: Inner;
  readonly #open: Map<number, { readonly path: string; readonly flags: number }> = new Map();
  #decide: Decide;

  constructor(inner: Inner, decide: Decide = () => undefined) {
    this.#inner = inner;
    this.#decide = decide;
    this.system = new Proxy(inner, {
      get: (target, name, receiver) => {
        const method: unknown = Reflect.get(target, name, receiver);
        if (typeof method !== 'function') return method;
        return (...args: unknown[]) => this.#call(name as CallName, args);
      },
    });
  }

  /** The paths of the descriptors that are open. */
  get openDescriptors(): readonly string[] {
    return [...this.#open.values()].map(({ path }) => path);
  }

  /** Replaces what decides; counting starts again. */
  decide(decide: Decide): void {
    this.#decide = decide;
    this.calls.length = 0;
  }

  async #call(name: CallName, args: readonly unknown[]): Promise<unknown> {
    const of = typeof args[0] === 'number' ? this.#open.get(args[0]) : undefined;
    const path = of?.path ?? String(args[0]);
    const flags = name === 'open' ? (args[1] as number) : 0;
    const call: Call = { number: this.calls.length + 1, name, path, flags };
    this.calls.push(call);
    const fault = this.#decide(call);
    if (fault === undefined) return this.#through(name, args);
    if (fault === 'skip') return undefined;
    if (fault === 'short') return this.#through(name, shortened(name, args));
    if (fault.when === 'after') await this.#through(name, args);
    else if (name === 'fsync' || name === 'fdatasync') this.#inner.failSync?.(args[0] as number);
    throw errnoError(fault.code, name, typeof args[0] === 'string' ? args[0] : undefined, undefined, {
      detail: 'injected',
    });
  }

  async #through(name: CallName, args: readonly unknown[]): Promise<unknown> {
    const method = this.#inner[name] as (...given: readonly unknown[]) => Promise<unknown>;
    const result = await method.apply(this.#inner, args as unknown[]);
    if (name === 'open') {
      this.#open.set(result as number, { path: String(args[0]), flags: args[1] as number });
    }
    if (name === 'close') this.#open.delete(args[0] as number);
    return result;
  }
}

/** The arguments for half of it, at least for one byte. */
function shortened(name: CallName, args: readonly unknown[]): readonly unknown[] {
  if (name === 'read') return args.with(3, Math.ceil((args[3] as number) / 2));
  if (name !== 'writev') return args;
  const parts = args[1] as readonly Uint8Array[];
  const all = Buffer.concat(parts);
  return args.with(1, [all.subarray(0, Math.ceil(all.length / 2))]);
}
