/**
 * Directories held open, so that what happens in them happens in those and in no others, whatever is renamed or linked
 * meanwhile: an entry is reached as `/proc/self/fd/N/name`. The last few are kept: asking a descriptor for its path
 * tells whether the directory is still where it was, and costs less than opening it again.
 */

import { constants } from 'node:fs';

import type { System } from '../../os/system.ts';

const keptDirectories = 16;

/** Linux has it, Node does not name it: a descriptor that only stands for a place, and needs no right to read it. */
const O_PATH = process.platform === 'linux' ? 0o10000000 : 0;
export const placeOnly: number = constants.O_RDONLY | O_PATH;
const directoryOnly = placeOnly | (constants.O_DIRECTORY ?? 0);

export interface HeldDirectory {
  /** By which the system reaches it: put a `/` and a name behind it. */
  readonly systemPath: string;
  /** Where it lies on the host. */
  readonly realPath: string;
  release(): Promise<void>;
}

interface Kept {
  readonly descriptor: number;
  users: number;
  kept: boolean;
}

export class HeldDirectories {
  readonly #system: System;
  /** By real path, the one used last at the end. */
  readonly #kept = new Map<string, Kept>();

  constructor(system: System) {
    this.#system = system;
  }

  /**
   * @param absolutePath may lead through symbolic links and `..`
   * @param canonical whether it does certainly neither, except by links: then it may be found among those that are kept
   */
  async hold(absolutePath: string, canonical: boolean): Promise<HeldDirectory> {
    const system = this.#system;
    const found = canonical ? this.#kept.get(absolutePath) : undefined;
    if (found !== undefined) {
      found.users++;
      if ((await system.pathOf(found.descriptor)) === absolutePath) {
        if (this.#kept.get(absolutePath) === found) {
          this.#kept.delete(absolutePath);
          this.#kept.set(absolutePath, found);
        }
        return this.#held(absolutePath, found);
      }
      if (this.#kept.get(absolutePath) === found) this.#kept.delete(absolutePath);
      found.kept = false;
      await this.#release(found);
    }
    const descriptor = await system.open(absolutePath, directoryOnly);
    const opened: Kept = { descriptor, users: 1, kept: false };
    try {
      const realPath = await system.pathOf(descriptor);
      if (realPath === undefined) throw new TypeError('a descriptor without a path');
      if (canonical && realPath === absolutePath && !this.#kept.has(realPath))
        await this.#keep(realPath, opened);
      return this.#held(realPath, opened);
    } catch (error) {
      await this.#release(opened);
      throw error;
    }
  }

  /** Closes what is held for later. */
  async close(): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    for (const kept of all) {
      kept.kept = false;
      if (kept.users === 0) await this.#system.close(kept.descriptor).catch(() => {});
    }
  }

  async #keep(realPath: string, opened: Kept): Promise<void> {
    opened.kept = true;
    this.#kept.set(realPath, opened);
    if (this.#kept.size <= keptDirectories) return;
    const [oldestPath, oldest] = this.#kept.entries().next().value as [string, Kept];
    this.#kept.delete(oldestPath);
    oldest.kept = false;
    if (oldest.users === 0) await this.#system.close(oldest.descriptor).catch(() => {});
  }

  #held(realPath: string, kept: Kept): HeldDirectory {
    return {
      systemPath: descriptorPath(kept.descriptor),
      realPath,
      release: () => this.#release(kept),
    };
  }

  async #release(kept: Kept): Promise<void> {
    kept.users--;
    if (kept.users === 0 && !kept.kept) await this.#system.close(kept.descriptor).catch(() => {});
  }
}

/** The path by which the kernel reaches what a descriptor stands for, without looking at any name on the way. */
export function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`;
}
