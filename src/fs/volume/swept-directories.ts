/** Temporary files that dead processes left: removed when something is written in their directory for the first time. */

import type { System } from '../../os/system.ts';
import { isStaleTemporary } from '../../os/temporary-name.ts';
import type { Background } from './background.ts';
import type { Entry } from './paths.ts';

/** Beyond so many directories it is forgotten which were swept. */
const mostRemembered = 10_000;

export class SweptDirectories {
  readonly #system: System;
  readonly #background: Background;
  readonly #swept = new Set<string>();

  constructor(system: System, background: Background) {
    this.#system = system;
    this.#background = background;
  }

  /** Releases an entry. If its directory was not swept yet, that goes on in the background before. */
  async release(entry: Pick<Entry, 'relativeDirectory' | 'release' | 'systemDirectory'>): Promise<void> {
    const { relativeDirectory, systemDirectory } = entry;
    if (this.#swept.has(relativeDirectory)) return entry.release();
    if (this.#swept.size >= mostRemembered) this.#swept.clear();
    this.#swept.add(relativeDirectory);
    this.#background.run(this.#sweepAndRelease(systemDirectory, entry));
  }

  async #sweepAndRelease(systemDirectory: string, entry: Pick<Entry, 'release'>): Promise<void> {
    try {
      for (const { name } of await this.#system.readdir(systemDirectory)) {
        if (isStaleTemporary(name)) await this.#system.unlink(`${systemDirectory}/${name}`);
      }
    } finally {
      await entry.release();
    }
  }
}
