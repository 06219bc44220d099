/** The files of a keyring in `.volseal`: `keyring.json`, and `keyring.json.prev` with the generation before it. */

import { type BigIntStats, constants } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { errnoError, hasErrno } from '../errno.ts';
import { VolsealError } from '../errors.ts';
import { maxKeyringBytes } from '../limits.ts';
import { readUpTo } from '../os/descriptor-bytes.ts';
import { makePrivateDirectory } from '../os/private-directory.ts';
import { replaceFile, syncDirectory } from '../os/replacing-file.ts';
import type { System } from '../os/system.ts';
import { isStaleTemporary } from '../os/temporary-name.ts';
import { invalidKeyring } from './v1/refusals.ts';

const fileName = 'keyring.json';
const previousName = 'keyring.json.prev';
const fileMode = 0o600;

/** Who gets what a process of root makes. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A keyring as it lies on the disk. */
export interface StoredKeyring {
  readonly document: Uint8Array;
  /** Changes whenever the file is replaced. */
  readonly stamp: string;
}

function stampOf({ ino, size, mtimeNs }: BigIntStats): string {
  return `${ino}:${size}:${mtimeNs}`;
}

export class KeyringFiles {
  readonly path: string;
  readonly #system: System;
  readonly #directory: string;
  readonly #owner: Owner | undefined;

  /** @param directory the absolute path of `.volseal` */
  constructor(system: System, directory: string, owner: Owner | undefined) {
    this.#system = system;
    this.#directory = directory;
    this.#owner = owner;
    this.path = join(directory, fileName);
  }

  /** One `stat`. */
  async stamp(): Promise<string> {
    try {
      const stats = await this.#system.lookAgain(this.path);
      if (stats === undefined) throw errnoError('ENOENT', 'lstat', this.path);
      return stampOf(stats);
    } catch (error) {
      throw await this.#explained(error);
    }
  }

  /**
   * @throws VolsealError `ERR_VOLSEAL_KEYRING_MISSING`; `ERR_VOLSEAL_KEYRING_INVALID` for what is no file, or too large; and
   *   what the system says
   */
  async read(): Promise<StoredKeyring> {
    return this.#read(fileName);
  }

  /** The generation before, when there is one. For looking at only. */
  async readPrevious(): Promise<StoredKeyring | undefined> {
    try {
      return await this.#read(previousName);
    } catch (error) {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  async #read(name: string): Promise<StoredKeyring> {
    const system = this.#system;
    let descriptor: number;
    try {
      // A link could make us read, and later replace, a file anywhere; a pipe would hold us up.
      const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
      descriptor = await system.open(join(this.#directory, name), flags);
    } catch (error) {
      if (hasErrno(error, 'ELOOP')) throw invalidKeyring(`${name} is not a regular file`, error);
      throw name === fileName ? await this.#explained(error) : error;
    }
    try {
      const stats = await system.fstat(descriptor);
      if (!stats.isFile()) throw invalidKeyring(`${name} is not a regular file`);
      if (stats.size > maxKeyringBytes)
        throw invalidKeyring(`${name} has more than ${maxKeyringBytes} bytes`);
      return {
        document: await readUpTo(system, descriptor, new Uint8Array(Number(stats.size)), 0),
        stamp: stampOf(stats),
      };
    } finally {
      await system.close(descriptor).catch(() => {});
    }
  }

  /** What is there, or nothing. */
  async readIfThere(): Promise<StoredKeyring | undefined> {
    try {
      return await this.read();
    } catch (error) {
      if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_KEYRING_MISSING') return undefined;
      throw error;
    }
  }

  /**
   * Makes `.volseal` where it is missing, and the first keyring in it. A crash leaves all of it or no keyring.
   * @throws VolsealError `ERR_VOLSEAL_VOLUME_EXISTS` where a keyring is already
   */
  async make(document: Uint8Array): Promise<void> {
    await this.makeDirectory();
    try {
      await replaceFile(this.#system, this.path, [document], this.#options({ exclusive: true }));
    } catch (error) {
      if (!hasErrno(error, 'EEXIST')) throw error;
      throw new VolsealError('ERR_VOLSEAL_VOLUME_EXISTS', `there is a keyring already: ${this.path}`, {
        hint: 'open the volume instead; a keyring is only replaced by: volseal keyring restore EXPORT --force',
        path: this.path,
        cause: error,
      });
    }
  }

  /**
   * Replaces the keyring; `previous`, what it was until now, is kept beside it. A crash at any point leaves the old keyring
   * or the new one. Call it under the lock only.
   */
  async replace(document: Uint8Array, previous: Uint8Array | undefined): Promise<void> {
    await this.#removeLeftovers();
    if (previous !== undefined) {
      const previousPath = join(this.#directory, previousName);
      await this.#removeUnlessFile(previousPath);
      await replaceFile(this.#system, previousPath, [previous], this.#options());
    }
    await this.#removeUnlessFile(this.path);
    await replaceFile(this.#system, this.path, [document], this.#options());
  }

  #options(more: { exclusive?: boolean } = {}): Parameters<typeof replaceFile>[3] {
    const owner = this.#owner === undefined ? {} : { owner: this.#owner };
    return { mode: fileMode, durable: true, ...owner, ...more };
  }

  /** Makes `.volseal` where it is missing. */
  async makeDirectory(): Promise<void> {
    const system = this.#system;
    const made = await makePrivateDirectory(system, this.#directory, this.#owner);
    if (!made && !(await system.lstat(this.#directory)).isDirectory())
      throw errnoError('ENOTDIR', 'mkdir', this.#directory);
    // Also when it was there before: whoever made it may not have got so far.
    await syncDirectory(system, dirname(this.#directory));
  }

  /** What a crash left half written may hold a key that is about to be destroyed. */
  async #removeLeftovers(): Promise<void> {
    for (const { name, kind } of await this.#system.readdir(this.#directory)) {
      if (kind === 'file' && isStaleTemporary(name)) {
        await this.#system.unlink(join(this.#directory, name)).catch(() => {});
      }
    }
  }

  /** Replacing would write through a link to wherever it leads. */
  async #removeUnlessFile(path: string): Promise<void> {
    const stats = await this.#system.lstat(path).catch((error: unknown) => {
      if (hasErrno(error, 'ENOENT')) return undefined;
      throw error;
    });
    if (stats?.isSymbolicLink() === true) await this.#system.unlink(path);
  }

  /** A missing file says what that means; other errors stay as they are. */
  async #explained(error: unknown): Promise<unknown> {
    if (!hasErrno(error, 'ENOENT')) return error;
    const root = dirname(this.#directory);
    const exists = async (path: string): Promise<boolean> =>
      this.#system.lstat(path).then(
        () => true,
        () => false,
      );
    if (!(await exists(root))) return error;
    const missing = (await exists(this.#directory))
      ? `${join(basename(this.#directory), fileName)} is missing in ${root}`
      : `there is no ${basename(this.#directory)} in ${root}`;
    const previous = (await exists(join(this.#directory, previousName)))
      ? `; the generation before it is still there as ${previousName}`
      : '';
    return new VolsealError(
      'ERR_VOLSEAL_KEYRING_MISSING',
      `${missing}: without its keyring no file of a volume opens${previous}`,
      {
        hint: `put it back: volseal keyring restore EXPORT --volume ${root}   (a new volume is made by: volseal init ${root})`,
        path: this.path,
        cause: error,
      },
    );
  }
}
