/** Failures as the caller of the volume knows them: Node's codes, and the paths that were given instead of those on the host. */

import { type FsError, isFsError, restateError } from '../../errno.ts';
import { withPath } from '../../errors.ts';

/** What Node says when a function fails: the name of its system call and the paths it was given. */
export interface Call {
  readonly syscall: string;
  readonly path?: string | undefined;
  readonly dest?: string | undefined;
}

const stated = new WeakSet<Error>();

/** Marks an error that says already what the caller shall read. */
export function asStated<E extends Error>(error: E): E {
  stated.add(error);
  return error;
}

/** System calls on descriptors. They keep their names: what failed was not finding the file. */
const ofDescriptors: ReadonlySet<string> = new Set([
  'close',
  'fchmod',
  'fchown',
  'fdatasync',
  'fsync',
  'ftruncate',
  'futime',
  'read',
  'write',
]);

/** The error that the caller of `call` gets for this failure. */
export function stateError(error: unknown, call: Call): unknown {
  if (error instanceof Error && stated.has(error)) return error;
  if (!isFsError(error)) return withPath(error, call.path);
  const { syscall = '' } = error;
  const restated = ofDescriptors.has(syscall)
    ? restateError(error, syscall, call.path)
    : restateError(error, call.syscall, call.path, call.dest);
  return asStated(restated as FsError);
}

/** Does a part of the work; its failures are those of `call`, whatever calls are made around it. */
export async function stating<T>(call: Call, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw stateError(error, call);
  }
}
