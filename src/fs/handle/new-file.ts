/** New empty files: with a new data key, there as a whole or not at all. */

import type { BigIntStats } from 'node:fs';

import { ReplacingFile } from '../../os/replacing-file.ts';
import type { FileEnvironment } from '../file/environment.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import { FileHeader } from '../header/file-header.ts';

export interface EmptyFileOptions {
  /** Permission bits of a file that replaces none; the process's umask is taken off. */
  readonly mode: number;
  /** The file that is replaced, which must be a regular one. Without it the name must be free. */
  readonly replaced?: BigIntStats | undefined;
  /** Runs the step by which the file takes its name. */
  readonly renaming?: ((rename: () => Promise<void>) => Promise<void>) | undefined;
}

/**
 * Makes an empty mutable file, on the disk before this ends if the volume is durable.
 * @returns its descriptor, open for reading and writing
 * @throws errno errors, EEXIST when the name is taken and not to be replaced; what the keyring throws
 */
export async function makeEmptyFile(
  env: FileEnvironment,
  systemPath: string,
  { mode, renaming, replaced }: EmptyFileOptions,
): Promise<number> {
  const { durability, keyring, owner, system } = env;
  const file = await ReplacingFile.create(system, systemPath, {
    mode,
    ...(replaced === undefined ? { exclusive: true } : { known: replaced }),
    ...(owner === undefined ? {} : { owner }),
  });
  try {
    const { header, region } = FileHeader.create(keyring, { kind: 'mutable' });
    // An empty body is one segment of nothing: the end of the file is authenticated too.
    const body = header.segments.seal([], 0, true);
    header.wipe();
    await writeAll(system, file.fd, [region, ...body], 0);
    await file.commit({ durable: durability === 'sync', keepOpen: true, renaming });
    return file.fd;
  } catch (error) {
    await file.abort();
    throw error;
  }
}
