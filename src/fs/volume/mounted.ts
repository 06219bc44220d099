/** An open volume, as the functions of its API see it. */

import type { System } from '../../os/system.ts';
import type { FileEnvironment } from '../file/environment.ts';
import type { OpenFiles } from '../handle/open-files.ts';
import type { Background } from './background.ts';
import type { Holder } from './holder.ts';
import type { KnownJournals } from './known-journals.ts';
import type { LeftJournals } from './left-journals.ts';
import type { VolumePaths } from './paths.ts';
import type { SweptDirectories } from './swept-directories.ts';

export interface Mounted {
  readonly system: System;
  readonly environment: FileEnvironment;
  readonly paths: VolumePaths;
  /** Those that handles are open on. */
  readonly files: OpenFiles;
  /** Undefined where times of change are not to be relied on. */
  readonly journals: KnownJournals | undefined;
  readonly leftJournals: LeftJournals;
  readonly swept: SweptDirectories;
  readonly background: Background;
  /** By which others know that this process works with the volume. */
  readonly holder: Holder;
  /** Nothing may be changed. */
  readonly readonly: boolean;
  /** Aborted when the volume begins to close: streams that nobody has ended yet will not be. */
  readonly closing: AbortSignal;
  /** Aborted some seconds later: who still waits for somebody else's data gives up. */
  readonly givingUp: AbortSignal;
}

/** Whether what is done is on the disk before it is said to be done. */
export function isDurable({ environment }: Mounted): boolean {
  return environment.durability === 'sync';
}
