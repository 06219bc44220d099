/** What a header needs of a volume's keyring. */

import type { Suite } from '../../aead/suite.ts';
import type { Slot } from '../../envelope/v1/slot.ts';
import type { Secret } from '../../secret.ts';

/** Wraps and unwraps data keys under volume keys held in memory: no provider is called, nothing is awaited. */
export interface FileKeys {
  /** A slot under the primary volume key. */
  wrapDataKey(dataKey: Secret, fileId: Uint8Array, floeHeader: Uint8Array): Slot;
  /**
   * The data key, which the caller wipes.
   * @throws VolsealError `ERR_VOLSEAL_KEYRING_ROLLED_BACK`, `ERR_VOLSEAL_KEY_MISSING`, `ERR_VOLSEAL_WRONG_KEY`
   */
  unwrapDataKey(slots: readonly Slot[], fileId: Uint8Array, floeHeader: Uint8Array): Secret;
}

/** With what new files of the volume are made as long as nothing else is asked for. */
export interface NewFileKeys extends FileKeys {
  readonly policy: {
    readonly suite: Suite;
    /** Sealed bytes of a whole segment of a mutable file. */
    readonly segmentBytes: number;
    readonly writeOnceSegmentBytes: number;
  };
}

/** A keyring that may have been changed on the disk since it was read. */
export interface ReloadableFileKeys extends FileKeys {
  /** Reads the keyring again. */
  reload(): Promise<void>;
}
