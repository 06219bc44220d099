/**
 * A new file, or a new content of one, that is either there as a whole or not at all: written under a temporary name in
 * the same directory, synced, renamed, and the directory synced.
 */

import type { Stats } from 'node:fs';
import { type FileHandle, link, open, readlink, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';

import { VolsealError } from '../errors.ts';
import { hex } from '../bytes.ts';
import { randomSecret } from '../random.ts';

export interface AtomicFileOptions {
  readonly overwrite: boolean;
  /** Wins over everything. */
  readonly mode?: number | undefined;
  /** For a file that replaces none. Without either the process's umask decides, as for any new file. */
  readonly modeOfNew?: number | undefined;
}

const permissionBits = 0o7777;

export class AtomicFile {
  readonly handle: FileHandle;
  readonly #temporaryPath: string;
  readonly #path: string;
  readonly #replaced: Stats | undefined;
  readonly #options: AtomicFileOptions;
  #open = true;

  private constructor(
    handle: FileHandle,
    temporaryPath: string,
    path: string,
    replaced: Stats | undefined,
    options: AtomicFileOptions,
  ) {
    this.handle = handle;
    this.#temporaryPath = temporaryPath;
    this.#path = path;
    this.#replaced = replaced;
    this.#options = options;
  }

  /** A symbolic link is written through: what it points to is replaced, not the link. */
  static async create(path: string, options: AtomicFileOptions): Promise<AtomicFile> {
    const target = await targetOf(path);
    const replaced = await stat(target).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    });
    if (replaced !== undefined && !options.overwrite) throw existsError(path);
    if (replaced !== undefined && !replaced.isFile()) {
      throw new VolsealError('ERR_VOLSEAL_IO', `${path}: it is not a regular file`, {
        hint: 'name a file',
        path,
      });
    }
    const temporaryPath = join(dirname(target), `.volseal-${hex(randomSecret(8))}.tmp`);
    const decided = options.mode ?? replaced?.mode ?? options.modeOfNew;
    // Nobody else reads it before it has its final mode.
    const handle = await open(temporaryPath, 'wx', decided === undefined ? 0o666 : 0o600);
    return new AtomicFile(handle, temporaryPath, target, replaced, options);
  }

  /** Makes what was written the content of the path, durably. */
  async commit(): Promise<void> {
    await this.#keepOwnerAndMode();
    await this.handle.sync();
    await this.handle.close();
    this.#open = false;
    // Opened while failing still changes nothing: it needs a descriptor, and the right to read the directory.
    const directory = await openDirectory(dirname(this.#path));
    try {
      if (this.#options.overwrite) await rename(this.#temporaryPath, this.#path);
      else await this.#moveWithoutReplacing();
      await directory?.sync();
    } finally {
      await directory?.close();
    }
  }

  /** Leaves everything as it was. Safe to call after any failure of `commit`. */
  async abort(): Promise<void> {
    if (this.#open) await this.handle.close().catch(() => {});
    this.#open = false;
    await unlink(this.#temporaryPath).catch(() => {});
  }

  async #keepOwnerAndMode(): Promise<void> {
    const replaced = this.#replaced;
    if (replaced !== undefined) {
      const own = await this.handle.stat();
      if (own.uid !== replaced.uid || own.gid !== replaced.gid) {
        // Only root may give files away; others keep the file as their own.
        await this.handle.chown(replaced.uid, replaced.gid).catch(() => {});
      }
    }
    const mode = this.#options.mode ?? replaced?.mode ?? this.#options.modeOfNew;
    if (mode !== undefined) await this.handle.chmod(mode & permissionBits);
  }

  /** `rename` would replace a file that appeared meanwhile; `link` refuses to. */
  async #moveWithoutReplacing(): Promise<void> {
    try {
      await link(this.#temporaryPath, this.#path);
      await unlink(this.#temporaryPath);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') throw existsError(this.#path, error);
      if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'ENOSYS') throw error;
      // No hard links on this file system: take the name first, then replace what is certainly ours.
      await (await open(this.#path, 'wx')).close();
      await rename(this.#temporaryPath, this.#path);
    }
  }
}

/** Where a path leads, also when nothing is there yet. */
async function targetOf(path: string): Promise<string> {
  let target = path;
  // As many links in a row as Linux follows; a loop then fails where the file is opened.
  for (let links = 0; links < 40; links++) {
    const real = await realpath(target).catch(() => undefined);
    if (real !== undefined) return real;
    const next = await readlink(target).catch(() => undefined);
    if (next === undefined) return target;
    target = resolve(dirname(target), next);
  }
  return target;
}

function existsError(path: string, cause?: unknown): VolsealError {
  return new VolsealError('ERR_VOLSEAL_EXISTS', `${path}: it exists already`, {
    hint: 'choose another name, or allow it to be replaced',
    path,
    cause,
  });
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  // Windows has no directories to sync.
  return process.platform === 'win32' ? undefined : open(path, 'r');
}
