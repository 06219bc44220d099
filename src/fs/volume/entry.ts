/**
 * `initVolume` and `openVolume`, which load the rest when they are first called: most programs that import the package
 * seal single files, and volumes would take as long to load as all they need.
 */

import { nodeSystem } from '../../os/node-system.ts';
import type { InitVolumeOptions, NewVolume, OpenVolumeOptions } from './init.ts';
import type { Volume } from './volume.ts';

/**
 * Makes a directory that exists the root of a volume: `.volseal` with a new keyring. Plaintext files that are there stay
 * as they are; the volume does not read them.
 * @throws VolsealError `ERR_VOLSEAL_VOLUME_EXISTS`; `ERR_VOLSEAL_KEYRING_MISSING` when there are sealed files whose keyring is
 *   gone; `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_NOT_FOUND`, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION` and what
 *   the providers throw
 */
export async function initVolume(root: string | URL, options: InitVolumeOptions): Promise<NewVolume> {
  const { initVolumeOn } = await import('./init.ts');
  return initVolumeOn(nodeSystem, root, options);
}

/**
 * Opens a volume.
 * @throws VolsealError `ERR_VOLSEAL_KEYRING_MISSING`, `ERR_VOLSEAL_KEYRING_INVALID`, `ERR_VOLSEAL_KEYRING_TAMPERED`,
 *   `ERR_VOLSEAL_KEYRING_ROLLED_BACK`, `ERR_VOLSEAL_VOLUME_MISMATCH`, `ERR_VOLSEAL_KEY_MISSING`, `ERR_VOLSEAL_WRONG_KEY`,
 *   `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_NOT_FOUND`, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION` and what the
 *   providers throw
 */
export async function openVolume(root: string | URL, options: OpenVolumeOptions): Promise<Volume> {
  const { openVolumeOn } = await import('./init.ts');
  return openVolumeOn(nodeSystem, root, options);
}
