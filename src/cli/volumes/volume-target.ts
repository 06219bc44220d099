/** Where `put` writes to: folders of a volume, made as they are needed, and what is in the place of a result. */

import type { Stats } from 'node:fs';
import { dirname } from 'node:path';

import { VolsealError, type VolsealErrorCode } from '../../errors.ts';
import type { FolderMaker, Item } from '../items.ts';
import type { VolumeTree } from './volume-tree.ts';
import { inTerms, inTermsOf } from './failures.ts';

const elsewhere = 'name another destination';
const permissionBits = 0o777;
/** Whatever the source's mode, the one who writes into the folder must be able to. */
const ownerAll = 0o700;

export class VolumeTarget implements FolderMaker {
  readonly #tree: VolumeTree;
  /** As the user would spell them. */
  readonly #made = new Set<string>();
  /** Folders that were there when they were needed first. */
  readonly #there = new Set<string>();

  constructor(tree: VolumeTree) {
    this.#tree = tree;
  }

  async makeTop(path: string, like: Stats | undefined): Promise<Stats> {
    await this.#makeAll(path);
    if (like !== undefined && this.#made.has(path)) await this.#takeAfter(path, like);
    return this.#tree.stat(path);
  }

  async make(path: string, like: Stats): Promise<void> {
    if (await this.#makeOne(path)) return this.#takeAfter(path, like);
    const existing = await this.#tree.lstat(path);
    if (existing.isDirectory()) return;
    throw existsError(path, 'it exists already and is not a folder', elsewhere);
  }

  /** The folders above a file. */
  async makeAbove(file: string): Promise<void> {
    if (!this.#tree.isRoot(file)) await this.#makeAll(dirname(file));
  }

  /** Takes back those that were made for this file and hold nothing. */
  async takeBack(file: string): Promise<void> {
    for (let path = dirname(file); this.#made.has(path); path = dirname(path)) {
      try {
        await this.#tree.volume.rmdir(this.#tree.inside(path));
      } catch {
        return; // something is in it
      }
      this.#made.delete(path);
    }
  }

  /**
   * Looks at what is in the place of a result.
   * @returns whether something is
   * @throws VolsealError `ERR_VOLSEAL_EXISTS`; `ERR_VOLSEAL_INVALID_ARGUMENT` when it is the source itself
   */
  async checkPlace(
    { destination, inTree, source, sourceStats }: Item,
    mayReplace: boolean,
  ): Promise<boolean> {
    const existing = await lookAtPlace(this.#tree, destination);
    if (existing === undefined) return false;
    if (existing === 'unreadable') {
      if (mayReplace) return true;
      throw existsError(destination, 'it exists already');
    }
    if (existing.isSymbolicLink() && inTree) {
      throw existsError(destination, 'it is a symbolic link, which may lead anywhere', elsewhere);
    }
    const target = existing.isSymbolicLink() ? await lookAtPlace(this.#tree, destination, 'stat') : existing;
    if (target === undefined || target === 'unreadable') return true;
    if (sourceStats !== undefined && target.dev === sourceStats.dev && target.ino === sourceStats.ino) {
      throw new VolsealError(
        'ERR_VOLSEAL_INVALID_ARGUMENT',
        `${source} and its destination are the same file`,
        { hint: elsewhere, path: source },
      );
    }
    if (target.isDirectory()) throw existsError(destination, 'a folder is there', elsewhere);
    if (!mayReplace) throw existsError(destination, 'it exists already');
    return true;
  }

  async #makeAll(path: string): Promise<void> {
    if (this.#made.has(path) || this.#there.has(path) || this.#tree.isRoot(path)) return;
    try {
      await this.#makeOne(path);
    } catch (error) {
      if (
        !(error instanceof VolsealError) ||
        error.code !== 'ERR_VOLSEAL_NOT_FOUND' ||
        dirname(path) === path
      )
        throw error;
      await this.#makeAll(dirname(path));
      await this.#makeOne(path);
    }
  }

  /** @returns false when something is there already */
  async #makeOne(path: string): Promise<boolean> {
    try {
      await this.#tree.volume.mkdir(this.#tree.inside(path));
    } catch (error) {
      const named = inTermsOf(path, error);
      if (!(named instanceof VolsealError) || named.code !== 'ERR_VOLSEAL_EXISTS') throw named;
      this.#there.add(path);
      return false;
    }
    this.#made.add(path);
    return true;
  }

  #takeAfter(path: string, like: Stats): Promise<void> {
    const mode = (like.mode & permissionBits) | ownerAll;
    return inTerms(path, this.#tree.volume.chmod(this.#tree.inside(path), mode));
  }
}

/**
 * What is in a place of a volume, if anything. A file whose header does not open is there all the same.
 * @param how `stat` follows a symbolic link
 */
export async function lookAtPlace(
  tree: VolumeTree,
  path: string,
  how: 'lstat' | 'stat' = 'lstat',
): Promise<Stats | 'unreadable' | undefined> {
  try {
    return await tree[how](path);
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    // A link that leads nowhere, or out of the volume: writing to it will say what is wrong.
    if (error.code === 'ERR_VOLSEAL_NOT_FOUND' || how === 'stat') return undefined;
    if (isAboutContent.has(error.code)) return 'unreadable';
    throw error;
  }
}

/** What reading the header of a file fails with that is there. */
const isAboutContent: ReadonlySet<string> = new Set([
  'ERR_VOLSEAL_HEADER_CONFLICT',
  'ERR_VOLSEAL_HEADER_DAMAGED',
  'ERR_VOLSEAL_HEADER_INVALID',
  'ERR_VOLSEAL_HEADER_TAMPERED',
  'ERR_VOLSEAL_JOURNAL_TAMPERED',
  'ERR_VOLSEAL_KEY_MISSING',
  'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
  'ERR_VOLSEAL_NOT_SEALED',
  'ERR_VOLSEAL_TAMPERED',
  'ERR_VOLSEAL_TRUNCATED',
  'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
  'ERR_VOLSEAL_UNSUPPORTED_SUITE',
  'ERR_VOLSEAL_UNSUPPORTED_VERSION',
  'ERR_VOLSEAL_WRONG_KEY',
] satisfies VolsealErrorCode[]);

function existsError(path: string, why: string, hint?: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_EXISTS', `${path}: ${why}`, { hint, path });
}
