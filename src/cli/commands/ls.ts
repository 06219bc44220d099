/** `volseal ls`: what a folder of a volume holds, with sizes of the plaintext. */

import type { Stats } from 'node:fs';
import { join } from 'node:path';

import { VolsealError } from '../../errors.ts';
import { throwIfAborted } from '../../options.ts';
import { exitCodes, worseExitCode } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import { printable } from '../printable.ts';
import type { Reporter } from '../report.ts';
import { inTerms } from '../volumes/failures.ts';
import type { VolumeFinder } from '../volumes/find.ts';
import { headerOf } from '../volumes/header-of.ts';
import { withVolumes } from '../volumes/opened.ts';
import { VolumeTree } from '../volumes/volume-tree.ts';

export interface LsOptions {
  readonly long: boolean;
  readonly recursive: boolean;
}

type Kind = 'file' | 'folder' | 'symlink' | 'other';

interface Listed {
  /** As people are shown it: below the folder that was named. */
  readonly name: string;
  /** As the user would spell it. */
  readonly path: string;
  readonly kind: Kind;
}

const columnGap = '  ';

export function ls(
  io: Io,
  reporter: Reporter,
  path: string | undefined,
  options: LsOptions,
  finder: VolumeFinder,
  kms: readonly string[],
): Promise<number> {
  return withVolumes(io, kms, async (volumes) => {
    const isHere = path === undefined && finder.namedBy === undefined;
    const place = isHere ? await finder.here() : await finder.place(path ?? '/');
    const tree = new VolumeTree(await volumes.open(place.root, { readonly: true }), place);
    return new Listing(io, reporter, tree, options).list(place.given);
  });
}

class Listing {
  readonly #io: Io;
  readonly #reporter: Reporter;
  readonly #tree: VolumeTree;
  readonly #options: LsOptions;
  #exitCode: number = exitCodes.done;

  constructor(io: Io, reporter: Reporter, tree: VolumeTree, options: LsOptions) {
    this.#io = io;
    this.#reporter = reporter;
    this.#tree = tree;
    this.#options = options;
  }

  async list(given: string): Promise<number> {
    const stats = await this.#tree.stat(given);
    if (stats.isDirectory()) await this.#folder(given, '');
    else await this.#show({ name: given, path: given, kind: kindOf(await this.#tree.lstat(given)) });
    return this.#exitCode;
  }

  async #folder(folder: string, above: string): Promise<void> {
    const { volume } = this.#tree;
    const entries = await inTerms(folder, volume.readdir(this.#tree.inside(folder), { withFileTypes: true }));
    const sorted = entries.map((entry) => ({ entry, key: Buffer.from(entry.name) }));
    sorted.sort((a, b) => Buffer.compare(a.key, b.key));
    for (const { entry } of sorted) {
      // Whoever reads it has enough.
      if (this.#io.stdout.destroyed) return;
      throwIfAborted(this.#io.signal);
      const listed = {
        name: join(above, entry.name),
        path: join(folder, entry.name),
        kind: kindOf(entry),
      };
      await this.#try(listed.path, () => this.#show(listed));
      if (this.#options.recursive && listed.kind === 'folder')
        await this.#try(listed.path, () => this.#folder(listed.path, listed.name));
    }
  }

  /** One that cannot be read does not keep the others. */
  async #try(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code === 'ERR_VOLSEAL_ABORTED') throw error;
      // Gone since its folder was read.
      if (error.code === 'ERR_VOLSEAL_NOT_FOUND') return;
      this.#exitCode = worseExitCode(this.#exitCode, this.#reporter.failure(error, { path }));
    }
  }

  async #show({ kind, name, path }: Listed): Promise<void> {
    const slash = kind === 'folder' ? '/' : '';
    if (!this.#options.long && !this.#reporter.json) {
      this.#reporter.print(`${printable(name)}${slash}`);
      return;
    }
    const stats = await this.#tree.lstat(path);
    const sealed = kind === 'file' ? await this.#isSealed(path) : undefined;
    const target =
      kind === 'symlink'
        ? await inTerms(path, this.#tree.volume.readlink(this.#tree.inside(path)))
        : undefined;
    if (this.#reporter.json) {
      this.#reporter.document({
        path,
        kind,
        ...(sealed === undefined ? {} : { plainBytes: stats.size, sealed }),
        mode: octal(stats.mode),
        uid: stats.uid,
        gid: stats.gid,
        modified: stats.mtime.toISOString(),
        ...(target === undefined ? {} : { target }),
      });
      return;
    }
    const size = kind === 'file' ? stats.size.toLocaleString('en-US') : '-';
    const arrow = target === undefined ? '' : ` -> ${printable(target)}`;
    const remark = sealed === false ? '  NOT SEALED' : '';
    const when = stats.mtime.toISOString().slice(0, 19).replace('T', ' ');
    const columns = [
      octal(stats.mode),
      size.padStart(15),
      when,
      `${printable(name)}${slash}${arrow}${remark}`,
    ];
    this.#reporter.print(columns.join(columnGap));
  }

  /** What is in the folder of a volume need not have come through the volume. */
  async #isSealed(path: string): Promise<boolean> {
    const { place } = this.#tree;
    try {
      await headerOf(join(place.root, this.#tree.inside(path)));
      return true;
    } catch (error) {
      return !(error instanceof VolsealError && error.code === 'ERR_VOLSEAL_NOT_SEALED');
    }
  }
}

function kindOf(entry: Pick<Stats, 'isFile' | 'isDirectory' | 'isSymbolicLink'>): Kind {
  if (entry.isFile()) return 'file';
  if (entry.isDirectory()) return 'folder';
  return entry.isSymbolicLink() ? 'symlink' : 'other';
}

function octal(mode: number): string {
  return (mode & 0o7777).toString(8).padStart(4, '0');
}
