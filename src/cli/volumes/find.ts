/**
 * Which volume is meant: the one that --volume or $VOLSEAL_VOLUME names, else the nearest folder with `.volseal` above
 * the operand, else above the working directory.
 */

import { realpath, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';

import { VolsealError } from '../../errors.ts';
import { invalidArgument } from '../../options.ts';
import { fromSystemError } from '../../system-error.ts';

/** The folder in the root of a volume that holds its keyring. */
const marker = '.volseal';

/** Something in a volume, which need not be there yet. */
export interface Place {
  /** The volume's folder: absolute, without symbolic links. */
  readonly root: string;
  /** Relative to the root; empty for the root itself. */
  readonly path: string;
  /** As the user named it. */
  readonly given: string;
}

export class VolumeFinder {
  /** What names the volume, where something does: then paths are relative to its root. */
  readonly namedBy: '--volume' | '$VOLSEAL_VOLUME' | undefined;
  readonly #named: string;
  /** What was found above a folder. */
  readonly #above = new Map<string, string | undefined>();
  /** The same with symbolic links looked through. */
  readonly #around = new Map<string, string | undefined>();

  /** @param option what --volume says */
  constructor(option: string | undefined, env: Readonly<Record<string, string | undefined>>) {
    if (option === '')
      throw invalidArgument('--volume is an empty name', 'is a variable of the shell empty?');
    const fromEnv = env['VOLSEAL_VOLUME'] ?? '';
    this.#named = option ?? fromEnv;
    this.namedBy = option !== undefined ? '--volume' : fromEnv === '' ? undefined : '$VOLSEAL_VOLUME';
  }

  /** The volume of a command without a path. */
  async root(): Promise<string> {
    return this.namedBy === undefined ? (await this.here()).root : this.#namedRoot();
  }

  /** Where the working directory lies. */
  async here(): Promise<Place> {
    const found = await this.around('.');
    if (found !== undefined) return found;
    throw noVolume('neither the working directory nor a folder above it');
  }

  /** @throws VolsealError `ERR_VOLSEAL_KEYRING_MISSING` for a path that lies in no volume */
  async place(given: string): Promise<Place> {
    checkName(given);
    if (this.namedBy !== undefined) {
      const root = await this.#namedRoot();
      const path = given.replace(/^\/+/, '');
      await this.#refuseHostPath(root, given, path);
      return { root, path, given };
    }
    const found = await this.around(given);
    if (found !== undefined) return found;
    throw noVolume(`${given}: neither it nor a folder above it`, given);
  }

  /** Where an ordinary path lies, if it lies in a volume. */
  async around(given: string): Promise<Place | undefined> {
    checkName(given);
    const full = resolve(given);
    const root = await this.#rootAbove(full);
    if (root !== undefined) return { root: await realpath(root), path: relative(root, full), given };
    // A symbolic link may lead into the middle of a volume.
    const real = await realPathOf(full);
    const realRoot = real === full ? undefined : await this.#rootAbove(real);
    return realRoot === undefined ? undefined : { root: realRoot, path: relative(realRoot, real), given };
  }

  /** The volume that a file lies in. Asked about many files of one folder in a tree, where no links are, it looks once. */
  async rootAround(file: string, inTree: boolean): Promise<string | undefined> {
    if (!inTree) return (await this.around(file))?.root;
    const folder = dirname(resolve(file));
    if (!this.#around.has(folder)) this.#around.set(folder, (await this.around(folder))?.root);
    return this.#around.get(folder);
  }

  /** `--volume /data /data/notes` would mean `/data/data/notes`, which is hardly ever meant where there is no such folder. */
  async #refuseHostPath(root: string, given: string, path: string): Promise<void> {
    if (given !== root && !given.startsWith(`${root}/`)) return;
    const [first = ''] = path.split('/');
    if (first === '' || (await isDirectory(join(root, first)))) return;
    const meant = relative(root, given);
    throw invalidArgument(
      `${given}: with ${this.namedBy} paths are relative to the root of the volume`,
      `${meant === '' ? '/' : meant} is what is meant, or else ${path}`,
    );
  }

  async #namedRoot(): Promise<string> {
    try {
      return await realpath(this.#named);
    } catch (error) {
      throw fromSystemError(error, this.#named);
    }
  }

  async #rootAbove(full: string): Promise<string | undefined> {
    const passed: string[] = [];
    let root: string | undefined;
    for (let folder = full; ; folder = dirname(folder)) {
      if (this.#above.has(folder)) {
        root = this.#above.get(folder);
        break;
      }
      passed.push(folder);
      if (await isDirectory(join(folder, marker))) {
        root = folder;
        break;
      }
      if (dirname(folder) === folder) break;
    }
    for (const folder of passed) this.#above.set(folder, root);
    return root;
  }
}

function checkName(given: string): void {
  if (given === '') throw invalidArgument('a path is an empty name', 'is a variable of the shell empty?');
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // where a folder cannot be searched, what is asked of it will say so
  }
}

/** The path without symbolic links, also when its last parts are not there. */
async function realPathOf(full: string): Promise<string> {
  for (
    let existing = full, rest = '';
    ;
    rest = join(relative(dirname(existing), existing), rest), existing = dirname(existing)
  ) {
    try {
      return join(await realpath(existing), rest).replace(/(?<=.)\/$/, '');
    } catch {
      if (dirname(existing) === existing) return full;
    }
  }
}

function noVolume(where: string, path?: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_KEYRING_MISSING', `${where} is a volume: there is no ${marker}`, {
    hint: 'name it with --volume DIR, or make one: volseal init DIR; where .volseal was lost, volseal keyring restore brings it back',
    path,
  });
}

/** Whether the name asks for a folder. */
export function endsInSlash(given: string): boolean {
  return given.endsWith('/') || given.endsWith(sep);
}
