/**
 * From paths of the volume to what the system can be asked about. Where a path leads is decided by what was reached, not
 * by its text: the real path of an open descriptor is checked, and what follows is done to that descriptor. Nobody can
 * put a symbolic link in between.
 */

import { constants } from 'node:fs';

import { errnoError } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import type { System } from '../../os/system.ts';
import { descriptorPath, type HeldDirectory, HeldDirectories, placeOnly } from './held-directories.ts';
import { isHidden, isHiddenEntry, metadataName, outsideVolume, splitPath } from './path-rules.ts';

/** Something with a place in the volume, held until it is released. */
export interface Place {
  /** By which the system reaches it, and nothing else. */
  readonly systemPath: string;
  /** Its real path below the root; empty for the root. */
  readonly relativePath: string;
  release(): Promise<void>;
}

/** A name in a directory that is held: there need not be anything of that name. */
export interface Entry extends Place {
  readonly name: string;
  /** The real path of the directory below the root. */
  readonly relativeDirectory: string;
  /** By which the system reaches the directory. */
  readonly systemDirectory: string;
  /** Whether the path ended in a slash, so that only a directory can be meant. */
  readonly slash: boolean;
}

/** A descriptor, opened through links, of something that lies in the volume. */
export interface OpenedPlace {
  readonly descriptor: number;
  readonly relativePath: string;
}

/** A descriptor of something that may yet turn out to lie elsewhere. */
export interface OpeningPlace {
  readonly descriptor: number;
  /** Its real path below the root; fails when it lies outside, or does not exist for the API. */
  readonly place: Promise<string>;
}

/** Names that do not exist for the API: not found by those who look, refused to those who would make them. */
export type Reserved = 'absent' | 'refused';

/** A FIFO is refused later, not waited for; a terminal does not become ours. */
const harmless = (constants.O_NONBLOCK ?? 0) | (constants.O_NOCTTY ?? 0);
/** To read what is there itself, not what a link leads to. */
export const readNoFollow: number = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | harmless;

export class VolumePaths {
  /** Real and absolute. */
  readonly root: string;
  readonly #system: System;
  readonly #prefix: string;
  /** Undefined where descriptors cannot be used as paths: then real paths are looked up before they are used. */
  readonly #held: HeldDirectories | undefined;
  readonly #rootDescriptor: number | undefined;

  private constructor(system: System, root: string, rootDescriptor: number | undefined) {
    this.#system = system;
    this.root = root;
    this.#prefix = root === '/' ? '/' : `${root}/`;
    this.#rootDescriptor = rootDescriptor;
    if (rootDescriptor !== undefined) this.#held = new HeldDirectories(system);
  }

  /** @param root real and absolute, the root of a volume */
  static async open(system: System, root: string): Promise<VolumePaths> {
    const descriptor = await system
      .open(root, placeOnly | (constants.O_DIRECTORY ?? 0))
      .catch(() => undefined);
    if (descriptor === undefined) return new VolumePaths(system, root, undefined);
    const path = await system.pathOf(descriptor);
    const works =
      path === root &&
      (await system.access(`${descriptorPath(descriptor)}/${metadataName}`).then(
        () => true,
        () => false,
      ));
    if (works) return new VolumePaths(system, root, descriptor);
    await system.close(descriptor).catch(() => {});
    return new VolumePaths(system, root, undefined);
  }

  /** Whether the system is one whose descriptors tell where they lead. */
  get byDescriptors(): boolean {
    return this.#held !== undefined;
  }

  async close(): Promise<void> {
    await this.#held?.close();
    if (this.#rootDescriptor !== undefined) await this.#system.close(this.#rootDescriptor).catch(() => {});
  }

  /**
   * The place of the last name of a path, whatever is there. Links on the way are followed, the last one is not.
   * @throws errno ENOENT, ENOTDIR, ELOOP of the directories on the way; `ERR_VOLSEAL_OUTSIDE_VOLUME`; for a reserved name
   *   ENOENT or, when it would be made, EINVAL
   */
  async entry(text: string, reserved: Reserved): Promise<Entry> {
    if (text === '') throw errnoError('ENOENT', 'open', text);
    const { parent, name, slash } = splitPath(text);
    const directory = await this.#directory(parent, text);
    try {
      return this.#entryIn(directory, name, slash, reserved);
    } catch (error) {
      await directory.release();
      throw error;
    }
  }

  /** The place of a name in a directory that is held. The directory stays the caller's to release, before or after. */
  child(directory: Place, name: string): Entry {
    const held: HeldDirectory = {
      systemPath: directory.systemPath,
      realPath: directory.relativePath === '' ? this.root : this.#prefix + directory.relativePath,
      release: () => Promise.resolve(),
    };
    return this.#entryIn(held, name, false, 'absent');
  }

  #entryIn(directory: HeldDirectory, name: string, slash: boolean, reserved: Reserved): Entry {
    const relativeDirectory = this.#relative(directory.realPath) as string;
    // By the text it may still be inside: through a link it is one step above where the link leads.
    if (name === '..' && relativeDirectory === '') throw outsideVolume(name);
    if (isHiddenEntry(relativeDirectory, name)) {
      if (reserved === 'absent') throw errnoError('ENOENT', 'open');
      throw errnoError('EINVAL', 'open', undefined, undefined, {
        detail: `the name ${name} is reserved by volseal`,
      });
    }
    return {
      systemPath: `${directory.systemPath}/${name}${slash ? '/' : ''}`,
      relativePath: relativeDirectory === '' ? name : `${relativeDirectory}/${name}`,
      name,
      relativeDirectory,
      systemDirectory: directory.systemPath,
      slash,
      release: () => directory.release(),
    };
  }

  /** Holds the directory that `parent` leads to; `text` is for errors. */
  async #directory(parent: string, text: string): Promise<HeldDirectory> {
    if (parent === '') return this.#rootDirectory();
    const { clean, canonical } = cleanUp(parent);
    if (clean === '') return this.#rootDirectory();
    let held: HeldDirectory;
    if (this.#held === undefined) {
      const realPath = await this.#system.realpath(this.#prefix + clean);
      if (!(await this.#system.stat(realPath)).isDirectory()) throw errnoError('ENOTDIR', 'open', text);
      held = { systemPath: realPath, realPath, release: () => Promise.resolve() };
    } else {
      held = await this.#held.hold(this.#prefix + clean, canonical);
    }
    try {
      this.#inside(held.realPath, text);
      return held;
    } catch (error) {
      await held.release();
      throw error;
    }
  }

  #rootDirectory(): HeldDirectory {
    const systemPath = this.#rootDescriptor === undefined ? this.root : descriptorPath(this.#rootDescriptor);
    return { systemPath, realPath: this.root, release: () => Promise.resolve() };
  }

  /**
   * Opens what a path leads to, links followed. Not for flags that make or change something: by then it would be done.
   * @throws errno as `open`; `ERR_VOLSEAL_OUTSIDE_VOLUME`
   */
  async open(text: string, flags: number): Promise<OpenedPlace> {
    const { descriptor, place } = await this.opening(text, flags);
    try {
      return { descriptor, relativePath: await place };
    } catch (error) {
      await this.#system.close(descriptor).catch(() => {});
      throw error;
    }
  }

  /** The same, without waiting for the check of where it lies: nothing may be done with it, or told of it, before. */
  async opening(text: string, flags: number): Promise<OpeningPlace> {
    const path = await this.#followable(text);
    const descriptor = await this.#system.open(path, flags | harmless);
    const place = this.#placeOf(descriptor, path, text);
    place.catch(() => {}); // awaited later
    return { descriptor, place };
  }

  async #placeOf(descriptor: number, path: string, text: string): Promise<string> {
    const realPath = this.#held === undefined ? path : await this.#system.pathOf(descriptor);
    return this.#inside(realPath as string, text);
  }

  /** Holds what a path leads to, links followed. Needs no right to read it. */
  async follow(text: string): Promise<Place> {
    if (this.#held === undefined) {
      const systemPath = await this.#followable(text);
      const release = (): Promise<void> => Promise.resolve();
      return { systemPath, relativePath: this.#inside(systemPath, text), release };
    }
    const { descriptor, relativePath } = await this.open(text, placeOnly);
    return {
      systemPath: descriptorPath(descriptor),
      relativePath,
      release: () => this.#system.close(descriptor).catch(() => {}),
    };
  }

  /** Holds the directory that an entry is: not a link to one. @throws errno ENOTDIR */
  async directoryAt({
    relativePath,
    systemPath,
  }: Pick<Place, 'relativePath' | 'systemPath'>): Promise<Place> {
    const system = this.#system;
    if (this.#held === undefined) {
      if (!(await system.lstat(systemPath)).isDirectory()) throw errnoError('ENOTDIR', 'open');
      return { systemPath, relativePath, release: () => Promise.resolve() };
    }
    const flags = placeOnly | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);
    const descriptor = await system.open(systemPath, flags);
    return {
      systemPath: descriptorPath(descriptor),
      relativePath,
      release: () => system.close(descriptor).catch(() => {}),
    };
  }

  /** The place that the link at `entry` points to, whatever is there. `text` is for errors. */
  linked(entry: Entry, target: string, text: string, reserved: Reserved): Promise<Entry> {
    return this.entry(this.#targetPath(entry.relativeDirectory, target, text), reserved).catch(
      (error: unknown) => {
        throw error instanceof VolsealError ? outsideVolume(text) : error;
      },
    );
  }

  /** What a link in a directory of the volume points to, as a path of the volume. */
  #targetPath(relativeDirectory: string, target: string, text: string): string {
    if (!target.startsWith('/')) {
      try {
        const path = `${relativeDirectory}/${target}`;
        splitPath(path);
        return path;
      } catch {
        throw outsideVolume(text);
      }
    }
    if (target !== this.root && !target.startsWith(this.#prefix)) throw outsideVolume(text);
    return `/${target.slice(this.#prefix.length)}`;
  }

  /** The path to give to the system for something that is to be followed. */
  async #followable(text: string): Promise<string> {
    if (text === '') throw errnoError('ENOENT', 'open', text);
    splitPath(text);
    const path = this.#prefix + text.replace(/^\/+/, '');
    if (this.#held !== undefined) return path;
    const realPath = await this.#system.realpath(path);
    this.#inside(realPath, text);
    // realpath(3) lets a slash behind a file pass.
    return text.endsWith('/') && realPath !== this.root ? `${realPath}/` : realPath;
  }

  /**
   * The real path below the root.
   * @throws `ERR_VOLSEAL_OUTSIDE_VOLUME`; ENOENT for what does not exist for the API
   */
  #inside(realPath: string, text: string): string {
    const relativePath = this.#relative(
      realPath.length > 1 && realPath.endsWith('/') ? realPath.slice(0, -1) : realPath,
    );
    if (relativePath === undefined) throw outsideVolume(text);
    if (isHidden(relativePath)) throw errnoError('ENOENT', 'open', text);
    return relativePath;
  }

  #relative(realPath: string): string | undefined {
    if (realPath === this.root) return '';
    return realPath.startsWith(this.#prefix) ? realPath.slice(this.#prefix.length) : undefined;
  }
}

/** Without empty parts and `.`; canonical when no `..` is left either. */
function cleanUp(path: string): { clean: string; canonical: boolean } {
  const canonical = !path.includes('..') || !path.split('/').includes('..');
  if (!/(^|\/)(\.?\/|\.$|$)/.test(path)) return { clean: path, canonical };
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return { clean: parts.join('/'), canonical };
}
