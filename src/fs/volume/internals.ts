/**
 * The way from a volume to what it is made of, for the layer above: rotation works on headers and on the keyring. Not exported
 * from the package.
 */

import { argumentType } from '../handle/argument-errors.ts';
import type { Mounted } from './mounted.ts';
import type { Operations } from './operations.ts';

export interface VolumeInternals {
  readonly mounted: Mounted;
  readonly operations: Operations;
}

const internalsOf = new WeakMap<object, VolumeInternals>();

/** For the constructor of a volume. */
export function registerInternals(volume: object, internals: VolumeInternals): void {
  internalsOf.set(volume, internals);
}

/** @throws TypeError for what is not a volume that `openVolume` made */
export function volumeInternals(volume: object): VolumeInternals {
  const internals = internalsOf.get(volume);
  if (internals === undefined) throw argumentType('volume', 'a volume that openVolume gave', volume);
  return internals;
}
