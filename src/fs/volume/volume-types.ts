/** Options of the functions of a volume: those of `node:fs/promises` and fs-extra, and the encryption context. */

import type { MakeDirectoryOptions } from 'node:fs';

import type { ReadStreamOptions } from '../handle/read-stream.ts';
import type { WriteStreamOptions } from '../handle/write-stream.ts';
import type { ContextOptions } from './context.ts';
import type { CopyFilter } from './copy-tree.ts';
import type { JsonFormat, JsonReviver } from './json.ts';

type Mode = number | string;
type Flags = string | number;

export interface ReadFileOptions extends ContextOptions {
  encoding?: BufferEncoding | null | undefined;
  /** Default `'r'`. */
  flag?: Flags | undefined;
  /** Aborts with `ERR_VOLSEAL_ABORTED`. */
  signal?: AbortSignal | undefined;
}

export interface WriteFileOptions extends ContextOptions {
  encoding?: BufferEncoding | null | undefined;
  /** Of a file that is made; the umask is taken off. Default 0o666. */
  mode?: Mode | undefined;
  /** Default `'w'`: the new content replaces the old one in one step, under a new data key. */
  flag?: Flags | undefined;
  /** On the disk when it ends, also in a volume without durability. Default false. */
  flush?: boolean | undefined;
  /** A write-once body: FLOE, which any implementation of it opens. It is rewritten when it is opened for writing. Default false. */
  immutable?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface AppendFileOptions extends ContextOptions {
  encoding?: BufferEncoding | null | undefined;
  mode?: Mode | undefined;
  /** Default `'a'`. */
  flag?: Flags | undefined;
  flush?: boolean | undefined;
  signal?: AbortSignal | undefined;
}

export interface OpenFileOptions extends ContextOptions {
  /** Of a file that is made; the umask is taken off. Default 0o666. */
  mode?: Mode | undefined;
}

export interface VolumeReadStreamOptions extends ReadStreamOptions, ContextOptions {
  /** Default `'r'`. */
  flags?: Flags | undefined;
  mode?: Mode | undefined;
}

export interface VolumeWriteStreamOptions extends WriteStreamOptions, ContextOptions {
  /** Default `'w'`: the file is replaced in one step when the stream finishes. With `start` or other flags it is written in place. */
  flags?: Flags | undefined;
  mode?: Mode | undefined;
  /** As for `writeFile`. */
  immutable?: boolean | undefined;
}

export interface ReaddirOptions {
  encoding?: BufferEncoding | 'buffer' | null | undefined;
  withFileTypes?: boolean | undefined;
  /** Links to directories are not followed. */
  recursive?: boolean | undefined;
}

export interface OpendirOptions {
  encoding?: BufferEncoding | null | undefined;
  /** Accepted and without effect. */
  bufferSize?: number | undefined;
  recursive?: boolean | undefined;
}

export type MkdirOptions = MakeDirectoryOptions;

export interface EncodedNameOptions {
  encoding?: BufferEncoding | 'buffer' | null | undefined;
}

interface RetryOptions {
  /** More tries after EBUSY, EMFILE, ENFILE, ENOTEMPTY and EPERM. Default 0. */
  maxRetries?: number | undefined;
  /** By so many milliseconds each wait is longer than the one before. Default 100. */
  retryDelay?: number | undefined;
}

export type RmdirOptions = RetryOptions;

export interface RmOptions extends RetryOptions {
  /** Nothing there is no error. Default false. */
  force?: boolean | undefined;
  recursive?: boolean | undefined;
}

export interface CpOptions {
  /** Copy what links lead to. Default false. */
  dereference?: boolean | undefined;
  /** With `force: false`: an existing destination is an error. Default false. */
  errorOnExist?: boolean | undefined;
  filter?: CopyFilter | undefined;
  /** Replace what is there. Default true. */
  force?: boolean | undefined;
  /** As the third argument of `copyFile`. Default 0. */
  mode?: number | undefined;
  preserveTimestamps?: boolean | undefined;
  recursive?: boolean | undefined;
  /** Keep the text of links. Default false: the copy of a link leads to where the link leads. */
  verbatimSymlinks?: boolean | undefined;
}

export interface MoveOptions {
  /** Replace what is there. Default false. */
  overwrite?: boolean | undefined;
}

export interface ReadJsonOptions extends ReadFileOptions {
  reviver?: JsonReviver | undefined;
  /** False: null for what is not JSON. Default true. */
  throws?: boolean | undefined;
}

export interface WriteJsonOptions extends WriteFileOptions, JsonFormat {}
