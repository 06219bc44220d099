/** Temporary files that dead processes left: removed when something is written in their directory for the first time. */

import type { System } from '../../os/system.ts';
import { isStaleTemporary } from '../../os/temporary-name.ts';
import type { Entry } from './paths.ts';

/** Beyond so many directories it is forgotten which were swept. */
const mostRemembered = 10_000;

export class SweptDirectories {
  readonly #system: System;
  readonly #swept = new Set<string>();
  readonly #sweeping = new Set<Promise<void>>();

  constructor(system: System) {
    this.#system = system;
  }

  /** Releases an entry. If its directory was not swept yet, that goes on in the background before. */
  async release(entry: Pick<Entry, 'relativeDirectory' | 'release' | 'systemDirectory'>): Promise<void> {
    const { relativeDirectory, systemDirectory } = entry;
    if (this.#swept.has(relativeDirectory)) return entry.release();
    if (this.#swept.size >= mostRemembered) this.#swept.clear();
    this.#swept.add(relativeDirectory);
    const sweeping = this.#sweep(systemDirectory)
      .catch(() => {}) // it only tidies up
      .then(async () => entry.release())
      .finally(() => this.#sweeping.delete(sweeping));
    this.#sweeping.add(sweeping);
  }

  async #sweep(systemDirectory: string): Promise<void> {
    for (const { name } of await this.#system.readdir(systemDirectory)) {
      if (isStaleTemporary(name)) await this.#system.unlink(`${systemDirectory}/${name}`);
    }
  }

  /** Resolves when nothing is being swept. */
  async whenIdle(): Promise<void> {
    await Promise.all(this.#sweeping);
  }
}
