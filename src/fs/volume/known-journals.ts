/**
 * Which journals there are, without asking for each file: the names in their directory stay the same as long as its time
 * of change does. One `stat` then tells what `access` of a journal would, and can be made before the file id is known.
 */

import type { BigIntStats } from 'node:fs';

import type { System } from '../../os/system.ts';

/** A change shows in the time of change after so long, however coarse the clock of the file system is. */
const settledAfterMs = 2_000;

interface Listed {
  readonly stamp: string;
  readonly names: ReadonlySet<string>;
}

export class KnownJournals {
  readonly #system: System;
  readonly #directory: string;
  #listed: Listed | undefined;
  #isListing = false;

  constructor(system: System, directory: string) {
    this.#system = system;
    this.#directory = directory;
  }

  /**
   * The journals there are at some moment between the call and its end; undefined while they come and go. Never fails:
   * whoever then asks for one journal gets to know.
   */
  async names(): Promise<ReadonlySet<string> | undefined> {
    const stats = await this.#system.lookAgain(this.#directory).catch(() => undefined);
    if (stats === undefined) return undefined;
    if (this.#listed?.stamp === stampOf(stats)) return this.#listed.names;
    // While it changes all the time listing it would be in vain.
    if (!isSettled(stats) || this.#isListing) return undefined;
    this.#isListing = true;
    try {
      this.#listed = await this.#list(stampOf(stats));
      return this.#listed?.names;
    } catch {
      return undefined;
    } finally {
      this.#isListing = false;
    }
  }

  /** Undefined when something changed meanwhile. */
  async #list(stamp: string): Promise<Listed | undefined> {
    const entries = await this.#system.readdir(this.#directory);
    const after = await this.#system.stat(this.#directory);
    return stampOf(after) === stamp ? { stamp, names: new Set(entries.map(({ name }) => name)) } : undefined;
  }
}

/** Whether no later change can have the same time of change. */
function isSettled({ ctimeMs }: BigIntStats): boolean {
  return Number(ctimeMs) + settledAfterMs < Date.now();
}

function stampOf({ ctimeNs, dev, ino }: BigIntStats): string {
  return `${dev}:${ino}:${ctimeNs}`;
}
