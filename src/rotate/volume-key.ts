/** A new primary volume key: new files use it at once, headers are moved over by a rewrap. */

import type { Volume } from '../fs/volume/volume.ts';
import { addVolumeKey } from '../keyring/changes.ts';
import { nextVersion } from '../keyring/volume-key-states.ts';
import { checkFlag, checkOptions, throwIfAborted } from '../options.ts';
import { checkWritable, duringCall } from './internals.ts';
import type { RotateVolumeKeyOptions, RotateVolumeKeyReport } from './report-types.ts';

/**
 * Makes a new primary volume key. The one before still opens what is under it; `rewrap` moves that over.
 * @throws VolsealError `ERR_VOLSEAL_PERMISSION` on a volume that was opened read-only, `ERR_VOLSEAL_TOO_LARGE` when the keyring is
 *   full, `ERR_VOLSEAL_ABORTED`; errors of the system, EBUSY among them while somebody else changes the keyring
 */
export async function rotateVolumeKey(
  volume: Volume,
  options: RotateVolumeKeyOptions = {},
): Promise<RotateVolumeKeyReport> {
  checkOptions('rotateVolumeKey', options, ['dryRun', 'signal']);
  checkFlag('dryRun', options.dryRun);
  throwIfAborted(options.signal);
  return duringCall(volume, async (mounted) => {
    checkWritable(mounted, 'rotateVolumeKey');
    const { keyring } = mounted.environment;
    if (options.dryRun === true) {
      await keyring.refresh();
      const version = nextVersion(keyring.info().volumeKeys);
      return { keyId: '', version, generation: keyring.generation + 1 };
    }
    await keyring.change(addVolumeKey());
    return { ...keyring.primary, generation: keyring.generation };
  });
}
