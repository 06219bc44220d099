/** Handles by path, and what is done through one that is closed again at once. */

import type { OpenFlags } from '../handle/flags.ts';
import { VolumeFileHandle } from '../handle/file-handle.ts';
import type { Mounted } from './mounted.ts';
import { openPath, type OpenPathRequest } from './open-path.ts';

export async function openHandle(
  mounted: Mounted,
  path: string,
  request: OpenPathRequest,
): Promise<VolumeFileHandle> {
  return new VolumeFileHandle(await openPath(mounted, path, request), request.flags, mounted.readonly);
}

/** Whether a call that opens a file so can change anything. */
export function changes({ create, truncate, write }: OpenFlags): boolean {
  return write || create || truncate;
}

/** Opens, does the work and closes. A close that fails after work that did not is the failure: what was written is in doubt. */
export async function withHandle<T>(
  mounted: Mounted,
  path: string,
  request: OpenPathRequest,
  work: (handle: VolumeFileHandle) => Promise<T>,
): Promise<T> {
  const handle = await openHandle(mounted, path, request);
  let result: T;
  try {
    result = await work(handle);
  } catch (error) {
    await handle.close().catch(() => {});
    throw error;
  }
  await handle.close();
  return result;
}
