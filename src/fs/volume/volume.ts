/** A volume: the file API of an application over its encrypted directory. */

import { type BigIntStats, constants, type Dirent, type Stats } from 'node:fs';

import { hex } from '../../bytes.ts';
import type { KeyringInfo } from '../../keyring/keyring.ts';
import type { FileEnvironment } from '../file/environment.ts';
import { argumentType, checkInteger } from '../handle/argument-errors.ts';
import { VolumeFileHandle } from '../handle/file-handle.ts';
import { parseMode, parseOpenFlags } from '../handle/flags.ts';
import type { OpenFiles } from '../handle/open-files.ts';
import type { VolumeReadStream } from '../handle/read-stream.ts';
import { type StatOptions, statsAs } from '../handle/stats.ts';
import { secondsOf } from '../handle/time-arguments.ts';
import type { VolumeWriteStream } from '../handle/write-stream.ts';
import {
  changeMode,
  changeOwner,
  changeTimes,
  checkAccess,
  lstatOf,
  makeLink,
  readLink,
  realPathOf,
  statOf,
} from './attributes.ts';
import { Background } from './background.ts';
import { encodedName, optionalBoolean, optionalInteger, optionsObject } from './call-options.ts';
import { closeVolume } from './close-volume.ts';
import { appendFileCall, type Caller, readFileCall, truncateCall, writeFileCall } from './content-calls.ts';
import { contextOptionNames, demandOf } from './context.ts';
import { copyFileCall, cpCall } from './copy-calls.ts';
import type { WritableData } from './data.ts';
import { opendirCall, readdirCall } from './directory-calls.ts';
import type { VolumeDirectory } from './directory-stream.ts';
import { changes, openHandle } from './handles.ts';
import { Holder } from './holder.ts';
import { readJsonCall, writeJsonCall } from './json.ts';
import { KnownJournals } from './known-journals.ts';
import { registerInternals } from './internals.ts';
import type { LeftJournals } from './left-journals.ts';
import { makeDirectories, makeDirectory, makeTemporaryDirectory, parentOf } from './make-directories.ts';
import type { Mounted } from './mounted.ts';
import { Operations } from './operations.ts';
import { pathText, type VolumePath } from './path-rules.ts';
import type { VolumePaths } from './paths.ts';
import { emptyDirectory, remove, removeDirectory, removeFile } from './remove.ts';
import { moveEntry, renameEntry } from './rename.ts';
import { type Retries, withRetries } from './retries.ts';
import { readStreamCall, writeStreamCall } from './stream-calls.ts';
import { SweptDirectories } from './swept-directories.ts';
import type * as types from './volume-types.ts';
import type { NewContentStream } from './write-stream.ts';

/** What a volume is made of; it takes all of it over. */
export interface VolumeParts {
  readonly environment: FileEnvironment;
  readonly files: OpenFiles;
  readonly leftJournals: LeftJournals;
  readonly paths: VolumePaths;
  readonly readonly: boolean;
}

const anybody = 2 ** 32 - 1;
const accessModes = constants.R_OK | constants.W_OK | constants.X_OK;

/**
 * Made by `openVolume`. Functions, options and errors are those of `node:fs/promises` and of fs-extra; sizes are of the
 * plaintext. Paths are POSIX and relative to the root of the volume, a leading `/` being that root.
 *
 * Beside what Node throws: `ERR_VOLSEAL_OUTSIDE_VOLUME` for a path that leaves the volume, also through a symbolic link;
 * `ERR_VOLSEAL_NOT_SEALED` for the content of a file that was not sealed in it; what opening sealed data throws, when it is
 * not authentic; `ERR_VOLSEAL_CONTEXT_MISMATCH`; EBUSY with `holderPid` when another process writes to the file; EROFS in a
 * volume that was opened read-only; `ERR_VOLSEAL_UNKNOWN_OPTION` for options that a function does not know; and
 * `ERR_VOLSEAL_CLOSED`.
 */
export class Volume {
  /** Real and absolute. */
  readonly root: string;
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly #mounted: Mounted;
  readonly #operations: Operations;
  readonly #caller: Caller;
  readonly #closing = new AbortController();
  readonly #givingUp = new AbortController();
  #closed: Promise<void> | undefined;

  /** Use `openVolume`. */
  constructor({ environment, files, leftJournals, paths, readonly }: VolumeParts) {
    this.root = paths.root;
    this.id = hex(environment.keyring.volumeId);
    this.#operations = new Operations(readonly);
    const background = new Background();
    this.#mounted = {
      system: environment.system,
      environment,
      paths,
      files,
      journals: paths.byDescriptors
        ? new KnownJournals(environment.system, environment.journalDirectory)
        : undefined,
      leftJournals,
      swept: new SweptDirectories(environment.system, background),
      background,
      holder: new Holder(environment.keyring, environment.locks, paths.root),
      readonly,
      closing: this.#closing.signal,
      givingUp: this.#givingUp.signal,
    };
    this.#caller = { mounted: this.#mounted, operations: this.#operations };
    registerInternals(this, this.#caller);
  }

  /** What the keyring holds, without keys. */
  get keyring(): KeyringInfo {
    this.#operations.checkOpen();
    return this.#mounted.environment.keyring.info();
  }

  // ---- content

  /** The content of a file, authenticated as a whole. Of a handle: from where it is. */
  readFile(
    path: VolumePath | VolumeFileHandle,
    options?: (types.ReadFileOptions & { encoding?: null | undefined }) | null,
  ): Promise<Buffer>;
  readFile(
    path: VolumePath | VolumeFileHandle,
    options: (types.ReadFileOptions & { encoding: BufferEncoding }) | BufferEncoding,
  ): Promise<string>;
  readFile(
    path: VolumePath | VolumeFileHandle,
    options?: types.ReadFileOptions | BufferEncoding | null,
  ): Promise<string | Buffer>;
  async readFile(path: unknown, options?: unknown): Promise<string | Buffer> {
    if (path instanceof VolumeFileHandle) return path.readFile(options as BufferEncoding);
    return readFileCall(this.#caller, path, options);
  }

  /**
   * Replaces a file in one step, or makes it: under a new data key, on the disk when the promise is fulfilled. Of a handle,
   * or with other flags than `w` and `wx`: writes in place.
   */
  async writeFile(
    path: VolumePath | VolumeFileHandle,
    data: WritableData,
    options?: types.WriteFileOptions | BufferEncoding | null,
  ): Promise<void> {
    if (path instanceof VolumeFileHandle) return path.writeFile(data, options);
    return writeFileCall(this.#caller, path, data, options);
  }

  async appendFile(
    path: VolumePath | VolumeFileHandle,
    data: WritableData,
    options?: types.AppendFileOptions | BufferEncoding | null,
  ): Promise<void> {
    if (path instanceof VolumeFileHandle) return path.appendFile(data, options);
    return appendFileCall(this.#caller, path, data, options);
  }

  async truncate(path: VolumePath, length?: number | null): Promise<void> {
    return truncateCall(this.#caller, path, length);
  }

  /** With `w` an empty file replaces the one that is there. The last argument is a mode, or options. */
  async open(
    path: VolumePath,
    flags?: string | number | null,
    options?: number | string | types.OpenFileOptions | null,
  ): Promise<VolumeFileHandle> {
    const parsed = parseOpenFlags(flags);
    const given =
      typeof options === 'object'
        ? optionsObject('open', options, ['mode', ...contextOptionNames])
        : { mode: options };
    const mode = parseMode(given['mode'], 0o666);
    return this.#operations.run({ syscall: 'open', path, changes: changes(parsed) }, (text) =>
      openHandle(this.#mounted, text, { flags: parsed, mode, demand: demandOf(this.#mounted, given) }),
    );
  }

  createReadStream(
    path: VolumePath,
    options?: types.VolumeReadStreamOptions | BufferEncoding | null,
  ): VolumeReadStream {
    return readStreamCall(this.#caller, path, options);
  }

  /** The content appears as a whole when the stream finishes; with `start`, or flags other than `w` and `wx`, in place. */
  createWriteStream(
    path: VolumePath,
    options?: types.VolumeWriteStreamOptions | BufferEncoding | null,
  ): NewContentStream | VolumeWriteStream {
    return writeStreamCall(this.#caller, path, options);
  }

  // ---- entries

  stat(path: VolumePath, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  stat(path: VolumePath, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  stat(path: VolumePath, options?: StatOptions): Promise<Stats | BigIntStats>;
  async stat(path: VolumePath, options?: StatOptions): Promise<Stats | BigIntStats> {
    const given = statOptions('stat', options);
    return this.#look('stat', path, async (text) => statsAs(await statOf(this.#mounted, text), given));
  }

  lstat(path: VolumePath, options?: StatOptions & { bigint?: false | undefined }): Promise<Stats>;
  lstat(path: VolumePath, options: StatOptions & { bigint: true }): Promise<BigIntStats>;
  lstat(path: VolumePath, options?: StatOptions): Promise<Stats | BigIntStats>;
  async lstat(path: VolumePath, options?: StatOptions): Promise<Stats | BigIntStats> {
    const given = statOptions('lstat', options);
    return this.#look('lstat', path, async (text) => statsAs(await lstatOf(this.#mounted, text), given));
  }

  async access(path: VolumePath, mode: number = constants.F_OK): Promise<void> {
    checkInteger('mode', mode, 0, accessModes);
    return this.#look('access', path, (text) => checkAccess(this.#mounted, text, mode));
  }

  /** Whether there is something that can be reached. Never fails because of the path. */
  async exists(path: VolumePath): Promise<boolean> {
    this.#operations.checkOpen();
    return this.access(path).then(
      () => true,
      () => false,
    );
  }

  /** The same as {@link exists}, by its name in fs-extra. */
  pathExists(path: VolumePath): Promise<boolean> {
    return this.exists(path);
  }

  async chmod(path: VolumePath, mode: number | string): Promise<void> {
    const bits = parseMode(mode);
    return this.#change('chmod', path, (text) => changeMode(this.#mounted, text, bits));
  }

  /** -1 leaves the one or the other as it is. */
  async chown(path: VolumePath, uid: number, gid: number): Promise<void> {
    checkInteger('uid', uid, -1, anybody);
    checkInteger('gid', gid, -1, anybody);
    return this.#change('chown', path, (text) => changeOwner(this.#mounted, text, uid, gid));
  }

  async utimes(
    path: VolumePath,
    atime: number | string | Date,
    mtime: number | string | Date,
  ): Promise<void> {
    const [atimeSeconds, mtimeSeconds] = [atime, mtime].map((time) => {
      const seconds = secondsOf(time);
      if (seconds === undefined)
        throw argumentType('time', 'an instance of Date or an Time in seconds', time);
      return seconds;
    }) as [number, number];
    return this.#change('utime', path, (text) =>
      changeTimes(this.#mounted, text, atimeSeconds, mtimeSeconds),
    );
  }

  /** The target is relative to the directory of the link, and must not lead out of the volume. `type` is of no effect. */
  async symlink(target: VolumePath, path: VolumePath, _type?: string | null): Promise<void> {
    const names = ['target', 'path'] as const;
    return this.#operations.run(
      { syscall: 'symlink', path: target, dest: path, names, changes: true },
      (text, at) => makeLink(this.#mounted, text, at),
    );
  }

  readlink(
    path: VolumePath,
    options?: BufferEncoding | (types.EncodedNameOptions & { encoding?: BufferEncoding }) | null,
  ): Promise<string>;
  readlink(path: VolumePath, options: types.EncodedNameOptions | 'buffer'): Promise<string | Buffer>;
  async readlink(path: VolumePath, options?: unknown): Promise<string | Buffer> {
    const { encoding } = optionsObject('readlink', options, ['encoding']);
    return this.#look('readlink', path, async (text) =>
      encodedName(await readLink(this.#mounted, text), encoding),
    );
  }

  /** The path without links, `.` and `..`, from the root of the volume on: it begins with `/`. */
  realpath(
    path: VolumePath,
    options?: BufferEncoding | (types.EncodedNameOptions & { encoding?: BufferEncoding }) | null,
  ): Promise<string>;
  realpath(path: VolumePath, options: types.EncodedNameOptions | 'buffer'): Promise<string | Buffer>;
  async realpath(path: VolumePath, options?: unknown): Promise<string | Buffer> {
    const { encoding } = optionsObject('realpath', options, ['encoding']);
    return this.#look('realpath', path, async (text) =>
      encodedName(await realPathOf(this.#mounted, text), encoding),
    );
  }

  /** In a durable volume the new name is on the disk when the promise is fulfilled. */
  async rename(oldPath: VolumePath, newPath: VolumePath): Promise<void> {
    const names = ['oldPath', 'newPath'] as const;
    return this.#operations.run(
      { syscall: 'rename', path: oldPath, dest: newPath, names, changes: true },
      (from, to) => renameEntry(this.#mounted, from, to),
    );
  }

  /** As `rename`, with the directories that are missing; replaces what is there only with `overwrite`. */
  async move(source: VolumePath, destination: VolumePath, options?: types.MoveOptions): Promise<void> {
    const { overwrite } = optionsObject('move', options, ['overwrite']);
    const replace = optionalBoolean('overwrite', overwrite);
    const names = ['src', 'dest'] as const;
    return this.#operations.run(
      { syscall: 'rename', path: source, dest: destination, names, changes: true },
      (from, to) => moveEntry(this.#mounted, from, to, replace),
    );
  }

  /** The copy gets a data key of its own; kind, context and mode of the file are kept. `mode` as in Node. */
  async copyFile(source: VolumePath, destination: VolumePath, mode?: number | null): Promise<void> {
    return copyFileCall(this.#caller, source, destination, mode);
  }

  /** Each file gets a data key of its own. */
  async cp(source: VolumePath, destination: VolumePath, options?: types.CpOptions | null): Promise<void> {
    return cpCall(this.#caller, source, destination, options);
  }

  async unlink(path: VolumePath): Promise<void> {
    return this.#change('unlink', path, (text) => removeFile(this.#mounted, text));
  }

  // ---- directories

  readdir(
    path: VolumePath,
    options?:
      | (types.ReaddirOptions & { encoding?: BufferEncoding | null; withFileTypes?: false })
      | BufferEncoding
      | null,
  ): Promise<string[]>;
  readdir(path: VolumePath, options: types.ReaddirOptions & { withFileTypes: true }): Promise<Dirent[]>;
  readdir(
    path: VolumePath,
    options: 'buffer' | (types.ReaddirOptions & { encoding: 'buffer'; withFileTypes?: false }),
  ): Promise<Buffer[]>;
  async readdir(path: VolumePath, options?: unknown): Promise<(string | Buffer | Dirent)[]> {
    return readdirCall(this.#caller, path, options);
  }

  async opendir(path: VolumePath, options?: types.OpendirOptions | null): Promise<VolumeDirectory> {
    return opendirCall(this.#caller, path, options);
  }

  mkdir(path: VolumePath, options: types.MkdirOptions & { recursive: true }): Promise<string | undefined>;
  mkdir(path: VolumePath, options?: number | string | types.MkdirOptions | null): Promise<string | undefined>;
  /** With `recursive` the first directory that was made. */
  async mkdir(
    path: VolumePath,
    options?: number | string | types.MkdirOptions | null,
  ): Promise<string | undefined> {
    const given =
      typeof options === 'object'
        ? optionsObject('mkdir', options, ['recursive', 'mode'])
        : { mode: options };
    const mode = parseMode(given['mode'] ?? 0o777);
    const recursive = optionalBoolean('options.recursive', (given as { recursive?: unknown }).recursive);
    return this.#change('mkdir', path, async (text) => {
      if (recursive) return makeDirectories(this.#mounted, text, mode);
      await makeDirectory(this.#mounted, text, mode);
      return undefined;
    });
  }

  /** With all that are missing above it. The first one that was made. */
  async ensureDir(
    path: VolumePath,
    options?: number | { mode?: number | undefined },
  ): Promise<string | undefined> {
    const given =
      typeof options === 'number' ? { mode: options } : optionsObject('ensureDir', options, ['mode']);
    const mode = parseMode(given.mode, 0o777);
    return this.#change('mkdir', path, (text) => makeDirectories(this.#mounted, text, mode));
  }

  mkdtemp(
    prefix: VolumePath,
    options?: BufferEncoding | (types.EncodedNameOptions & { encoding?: BufferEncoding }) | null,
  ): Promise<string>;
  mkdtemp(prefix: VolumePath, options: types.EncodedNameOptions | 'buffer'): Promise<string | Buffer>;
  async mkdtemp(prefix: VolumePath, options?: unknown): Promise<string | Buffer> {
    const { encoding } = optionsObject('mkdtemp', options, ['encoding']);
    const names = ['prefix', ''] as const;
    return this.#operations.run({ syscall: 'mkdtemp', path: prefix, names, changes: true }, async (text) =>
      encodedName(await makeTemporaryDirectory(this.#mounted, text), encoding),
    );
  }

  async rmdir(path: VolumePath, options?: types.RmdirOptions | null): Promise<void> {
    const retries = retriesOf(optionsObject('rmdir', options, ['maxRetries', 'retryDelay']));
    return this.#change('rmdir', path, (text) =>
      withRetries(retries, () => removeDirectory(this.#mounted, text)),
    );
  }

  async rm(path: VolumePath, options?: types.RmOptions | null): Promise<void> {
    const given = optionsObject('rm', options, ['force', 'recursive', 'maxRetries', 'retryDelay']);
    const request = {
      force: optionalBoolean('options.force', given['force']),
      recursive: optionalBoolean('options.recursive', given['recursive']),
    };
    const retries = retriesOf(given);
    return this.#change('rm', path, (text) =>
      withRetries(retries, () => remove(this.#mounted, text, request)),
    );
  }

  /** Removes everything in a directory, or makes it. */
  async emptyDir(path: VolumePath): Promise<void> {
    return this.#change('scandir', path, (text) => emptyDirectory(this.#mounted, text));
  }

  // ---- as in fs-extra

  /** As `writeFile`, with the directories that are missing. */
  async outputFile(
    path: VolumePath,
    data: WritableData,
    options?: types.WriteFileOptions | BufferEncoding | null,
  ): Promise<void> {
    const parent = parentOf(pathText(path));
    if (parent !== undefined) await this.ensureDir(parent);
    return this.writeFile(path, data, options);
  }

  /** The value that a file holds as JSON. What it holds is not quoted in errors. */
  async readJson(
    path: VolumePath,
    options?: types.ReadJsonOptions | BufferEncoding | null,
  ): Promise<unknown> {
    return readJsonCall(this.#caller, path, options);
  }

  async writeJson(
    path: VolumePath,
    value: unknown,
    options?: types.WriteJsonOptions | BufferEncoding | null,
  ): Promise<void> {
    return writeJsonCall(this.#caller, path, value, options);
  }

  // ---- the end

  /**
   * Refuses new calls, finishes those that run, syncs and closes what is open, and wipes the keys. Streams that were not
   * ended are destroyed, and after three seconds calls that wait for somebody else's data fail: all within five seconds.
   * @throws the first error of a sync or close; everything is closed and wiped all the same
   */
  close(): Promise<void> {
    this.#closed ??= closeVolume(this.#caller, this.#closing, this.#givingUp);
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #look<T>(syscall: string, path: VolumePath, work: (path: string) => Promise<T>): Promise<T> {
    return this.#operations.run({ syscall, path, changes: false }, work);
  }

  #change<T>(syscall: string, path: VolumePath, work: (path: string) => Promise<T>): Promise<T> {
    return this.#operations.run({ syscall, path, changes: true }, work);
  }
}

function statOptions(what: string, options: StatOptions | undefined): StatOptions {
  const { bigint } = optionsObject(what, options, ['bigint']);
  return { bigint: optionalBoolean('bigint', bigint) };
}

function retriesOf(given: Readonly<Record<string, unknown>>): Retries {
  return {
    maxRetries: optionalInteger('options.maxRetries', given['maxRetries'], 0, 0),
    retryDelayMs: optionalInteger('options.retryDelay', given['retryDelay'], 0, 100),
  };
}
