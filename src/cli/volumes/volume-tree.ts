/** A part of an open volume, with paths as the user spells them and failures in the same terms. */

import type { Stats } from 'node:fs';
import { join, relative } from 'node:path';
import type { Readable } from 'node:stream';

import type { Volume } from '../../fs/volume/volume.ts';
import type { Context } from '../../kms/provider.ts';
import type { SkipReason } from '../walk.ts';
import { inTerms } from './failures.ts';
import type { Place } from './find.ts';
import type { SourceTree } from './source-tree.ts';

const permissionBits = 0o777;
const chunkBytes = 1_048_576;

export class VolumeTree implements SourceTree {
  readonly volume: Volume;
  readonly place: Place;
  readonly #context: Context | undefined;
  /** By mode: whether new files get it as it is. */
  readonly #keptModes = new Map<number, boolean>();

  /** @param context what files must have been sealed with to be read */
  constructor(volume: Volume, place: Place, context?: Context) {
    this.volume = volume;
    this.place = place;
    this.#context = context;
  }

  /** What a path at or below the place, as the user would spell it, is called in the volume. */
  inside(path: string): string {
    return resolveInside(join(this.place.path, relative(this.place.given, path)));
  }

  isRoot(path: string): boolean {
    return this.inside(path) === '/';
  }

  stat(path: string): Promise<Stats> {
    return inTerms(path, this.volume.stat(this.inside(path)));
  }

  lstat(path: string): Promise<Stats> {
    return inTerms(path, this.volume.lstat(this.inside(path)));
  }

  names(folder: string): Promise<string[]> {
    return inTerms(folder, this.volume.readdir(this.inside(folder)));
  }

  /** What is not data does not show in a volume. */
  skips(): SkipReason | undefined {
    return undefined;
  }

  /** The volume takes the umask off, as for any new file; this one is to be exactly as its source is. */
  async settleMode(path: string, mode: number): Promise<void> {
    // The umask stays what it is: one look tells for all files of the same mode.
    const isKept = this.#keptModes.get(mode) ?? ((await this.lstat(path)).mode & permissionBits) === mode;
    this.#keptModes.set(mode, isKept);
    if (!isKept) await inTerms(path, this.volume.chmod(this.inside(path), mode));
  }

  async isDirectory(path: string): Promise<boolean> {
    try {
      return (await this.stat(path)).isDirectory();
    } catch {
      return false; // what is wrong with it, writing to it will say
    }
  }

  readWhole(path: string): Promise<Uint8Array> {
    return this.volume.readFile(
      this.inside(path),
      this.#context === undefined ? {} : { context: this.#context },
    );
  }

  /** @param part both ends included */
  read(path: string, part?: { readonly first: number; readonly last: number }): Readable {
    return this.volume.createReadStream(this.inside(path), {
      highWaterMark: chunkBytes,
      ...(part === undefined ? {} : { start: part.first, end: part.last }),
      ...(this.#context === undefined ? {} : { context: this.#context }),
    });
  }
}

/** Relative, so that what leads out of the volume does so for the volume to refuse: above `/` there is only `/`. */
function resolveInside(path: string): string {
  const relativePath = path.replace(/\/+$/, '');
  return relativePath === '.' || relativePath === '' ? '/' : relativePath;
}
