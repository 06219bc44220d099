/** What the rotation of a secret takes and gives. Types only. */

import type { HolderBehind } from './report-types.ts';
import type { Obstacle, SecretStep } from './secret-steps.ts';

export interface RotateSecretOptions {
  /** The label of the secret to go over to. A provider that the volume was opened with has to have it. */
  to: string;
  /** This step alone; it fails while the one before it is not true. Default: every step that can be done. */
  step?: SecretStep;
  /** The caller vouches that the Machines that cannot be asked have the secret. It is recorded with the time. */
  offline?: boolean;
  /**
   * Keys that lose their slot together with the old secret because they are not at hand, such as a recovery key on paper:
   * `TYPE:KEY-ID`, a key id, or a type of which there is one.
   */
  drop?: readonly string[];
  /** Say what would be done and change nothing. Default false. */
  dryRun?: boolean;
  /** Called with each step when it is clear what came of it. */
  onProgress?: (step: SecretStepReport) => void;
  signal?: AbortSignal;
}

/** `done` by this call, true `before` it, `due` (a dry run would do it), `waiting` for something, or `later`. */
export type SecretStepState = 'done' | 'before' | 'due' | 'waiting' | 'later';

export interface SecretStepReport {
  readonly step: SecretStep;
  readonly state: SecretStepState;
  /** What was done, or is to be. */
  readonly detail: string;
}

/** What a rotation cannot go beyond yet. */
export interface WaitingStep extends Obstacle {
  readonly step: SecretStep;
}

/** A key that lost its slot. */
export interface RetiredKey {
  /** The provider's type. */
  readonly type: string;
  readonly keyId: string;
  readonly label?: string;
}

export interface RotateSecretReport {
  /** 32 hexadecimal digits. */
  readonly volumeId: string;
  /** Of the keyring as it is now. */
  readonly generation: number;
  /** Without a key id where no secret has the label here. */
  readonly to: { readonly label: string; readonly keyId?: string };
  readonly steps: readonly SecretStepReport[];
  /** Slots that this call removed, or would remove; dropped ones too. Whoever has one of these keys and an older keyring still opens what was sealed in its time. */
  readonly retired: readonly RetiredKey[];
  /** Whether all that was asked for is true now. */
  readonly complete: boolean;
  /** The step that has to wait, why, and what to do about it. */
  readonly waiting?: WaitingStep;
  /**
   * Processes that have the volume open and have not taken over the keyring without the old secret, some seconds after it was
   * written: they may lack the new one, and then cannot write any more.
   */
  readonly holdersBehind: readonly HolderBehind[];
  readonly dryRun: boolean;
}
