/** `inspect`: what a sealed file says about itself to anyone. */

import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

import { describeHeader, type Inspection } from '../envelope/inspect.ts';
import { findHeader } from '../envelope/region.ts';
import { VolsealError } from '../errors.ts';
import { maxRegionBytes } from '../limits.ts';
import { readFully } from '../stream/file-bytes.ts';
import { pathOf } from './endpoints.ts';
import { invalidArgument } from '../options.ts';
import { type PathLike, presentError } from './options.ts';

export type { Inspection };

/**
 * Describes sealed data without any key. Nothing of it is authenticated: it is what the header claims.
 * @param source a path, or the sealed bytes (the first 65,536 are enough, but then sizes are those of what was given)
 * @throws VolsealError `ERR_VOLSEAL_NOT_SEALED`, `ERR_VOLSEAL_UNSUPPORTED_VERSION`, `ERR_VOLSEAL_UNSUPPORTED_SUITE`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE`,
 *   `ERR_VOLSEAL_HEADER_DAMAGED`, `ERR_VOLSEAL_HEADER_INVALID`, `ERR_VOLSEAL_HEADER_CONFLICT`, `ERR_VOLSEAL_TRUNCATED`, `ERR_VOLSEAL_NOT_FOUND`,
 *   `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_IO`, `ERR_VOLSEAL_INVALID_ARGUMENT`
 */
export async function inspect(source: PathLike | Uint8Array): Promise<Inspection> {
  if (source instanceof Uint8Array)
    return describeHeader(findHeader(source.subarray(0, maxRegionBytes)), source.length);
  const path = pathOf(source);
  if (path === undefined) throw invalidArgument('inspect takes a path or bytes');
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stats = await handle.stat();
    if (!stats.isFile()) {
      throw new VolsealError('ERR_VOLSEAL_IO', 'it is not a regular file', {
        hint: 'inspect takes files, or bytes',
      });
    }
    const start = await readFully(handle, new Uint8Array(maxRegionBytes), 0);
    return describeHeader(findHeader(start), stats.size);
  } catch (error) {
    throw presentError(error, path, false);
  } finally {
    await handle?.close();
  }
}
