/** What the functions of `volseal/rotate` take and give. Types only. */

import type { Keys } from '../kms/provider.ts';
import type { VolumeKeyState } from '../keyring/content.ts';

/** Where a long run is. */
export interface RunProgress {
  /** Files looked at, of this run and of the one that it resumes. */
  readonly files: number;
  /** Known once they have been counted; files that come or go meanwhile make it inexact. */
  readonly totalFiles?: number;
  /** Bytes of headers read and written by this run. */
  readonly bytes: number;
  /** Of this run, over the last seconds. */
  readonly filesPerSecond: number;
  readonly etaSeconds?: number;
}

export interface RunOptions {
  /** Say what would be done and change nothing. Default false. */
  dryRun?: boolean;
  /** Files that are worked on at the same time. Default 4. */
  jobs?: number;
  /** Operations on the disk in a second: reads, writes and syncs of headers. Default: half of what the Machine's volume allows. */
  maxIops?: number;
  onProgress?: (progress: RunProgress) => void;
  /** When it is aborted the run ends with `ERR_VOLSEAL_ABORTED`; the same call again goes on where it was. */
  signal?: AbortSignal;
}

export interface RotateVolumeKeyOptions {
  dryRun?: boolean;
  signal?: AbortSignal;
}

export interface RotateVolumeKeyReport {
  /** Of the new primary volume key. Empty in a dry run: it is drawn when the key is made. */
  readonly keyId: string;
  readonly version: number;
  /** Of the keyring that has it. */
  readonly generation: number;
}

export interface RewrapOptions extends RunOptions {
  /** Files and folders of the volume; everything by default. A run over some of them has no checkpoint. */
  paths?: readonly string[];
}

export interface PathReason {
  /** In the volume, beginning with `/`. */
  readonly path: string;
  readonly reason: string;
}

export interface PathFailure {
  /** In the volume, beginning with `/`. */
  readonly path: string;
  /** `ERR_VOLSEAL_*`, or that of the system. */
  readonly code: string;
  readonly message: string;
}

export interface RewrapReport {
  /** Under which all headers that were looked at are now. */
  readonly keyId: string;
  readonly version: number;
  /** Files whose header was written. In a dry run: would be. */
  readonly rewrapped: number;
  readonly alreadyCurrent: number;
  /** What has no header of this volume, and files that somebody is just making. The first 1,000. */
  readonly skipped: readonly PathReason[];
  readonly skippedFiles: number;
  /** The first 1,000. */
  readonly failed: readonly PathFailure[];
  readonly failedFiles: number;
  /** Unfinished files of dead processes that were removed. */
  readonly leftoversRemoved: number;
  readonly headerBytesRead: number;
  readonly headerBytesWritten: number;
  /** Files that the run before had done already, when this one went on where it was. */
  readonly resumedFrom?: { readonly files: number; readonly path: string };
  /** Whether every header of the volume that was in sight is under the primary key: nothing failed, nothing was left. */
  readonly complete: boolean;
  readonly dryRun: boolean;
}

/** What a key of an audit is. `secret`: of any key provider, a recovery key included. */
export type AuditedKeyKind = 'volume-key' | 'secret';

/** What still holds one key. */
export interface AuditedKey {
  /** `vk:N` or `TYPE:LABEL`, or `TYPE:KEY-ID` where there is no label. */
  readonly id: string;
  /** As it is shown everywhere. */
  readonly keyId: string;
  readonly kind: AuditedKeyKind;
  /** A volume key's; of a secret `primary` or `active`; `unknown` for what headers name and no keyring has. */
  readonly state: VolumeKeyState | 'unknown';
  /** Files with at least one header half under it. */
  readonly files: number;
  readonly halves: number;
  /** Journals of such files: their content opens with the data key in the header. */
  readonly journals: number;
  /** Of the keyring on the disk, `keyring.json` or `keyring.json.prev`, that hold it. */
  readonly generations: readonly number[];
  /** Some of the files. */
  readonly examples: readonly string[];
}

export interface AuditOptions {
  /** `vk:N`, `TYPE:LABEL`, a key id, a label. Default: every key. */
  key?: string;
  /** Headers read at the same time. Default 4. */
  jobs?: number;
  maxIops?: number;
  onProgress?: (progress: RunProgress) => void;
  signal?: AbortSignal;
}

export interface AuditReport {
  readonly volumeId: string;
  /** Of the keyring that was audited. */
  readonly generation: number;
  /** Every key, or the one that was asked for. */
  readonly keys: readonly AuditedKey[];
  /** Files of this volume that were looked at. */
  readonly files: number;
  readonly headerBytesRead: number;
  /** What may hold any key, because it could not be read. The first 1,000. */
  readonly unreadable: readonly PathFailure[];
  readonly unreadableFiles: number;
  /** What needs no key of this volume: not sealed, sealed by itself or in another volume. */
  readonly strangers: number;
  /** Processes that have the volume open and may not have seen this keyring yet. */
  readonly holdersBehind: readonly HolderBehind[];
  /**
   * With a key: nothing here holds it but the keyring itself, and everything could be read. Without: no file needs any key but
   * the primary volume key, and everything could be read.
   */
  readonly clean: boolean;
  /**
   * Until when snapshots of the volume can hold headers under a key that was in use until now: the longest retention, 60 days
   * from now.
   */
  readonly snapshotsUntil: string;
}

export interface HolderBehind {
  readonly pid: number;
  /** The generation of the keyring that it works with; 0 when it is just opening the volume. */
  readonly generation: number;
}

export interface RetireOptions {
  /** Do everything but the destruction. */
  dryRun?: boolean;
  /** For a secret, beside those that the volume was opened with: who wraps the new keyring key for the slots that stay. */
  keys?: Keys;
  /** For a secret: slots that go too because nobody here can wrap for them. A key id, `TYPE:LABEL` or `TYPE:`. */
  drop?: readonly string[];
  jobs?: number;
  maxIops?: number;
  onProgress?: (progress: RunProgress) => void;
  signal?: AbortSignal;
}

export interface RetireReport {
  readonly id: string;
  readonly keyId: string;
  readonly kind: AuditedKeyKind;
  /** Of the keyring on the disk; neither it nor the one before it holds the key. A floor for `VOLSEAL_KEYRING_MIN`. */
  readonly generation: number;
  /** Of a secret. */
  readonly label?: string;
  /** Whether it was destroyed before this call. */
  readonly alreadyRetired: boolean;
  /** Snapshots of the volume can hold headers or keyrings under it until then. */
  readonly snapshotsUntil: string;
  /** What this call could not look at: copies of the key and of headers elsewhere. One sentence each. */
  readonly notChecked: readonly string[];
  readonly dryRun: boolean;
}

export type PlannedRotation = 'volume-key' | 'rewrap';

export interface PlanStep {
  /** The step, as the command calls it. */
  readonly step: string;
  readonly detail: string;
  readonly done: boolean;
}

export interface RotationPlan {
  readonly what: PlannedRotation;
  readonly steps: readonly PlanStep[];
  /** Files whose header has to be written. */
  readonly files: number;
  readonly totalFiles: number;
  /** Bytes of headers that are read and written. */
  readonly bytes: number;
  readonly syncs: number;
  /** Headers that this volume can be expected to write in a second: measured on it, and the limit on operations. */
  readonly filesPerSecond: number;
  readonly estimatedSeconds: number;
  readonly command: string;
}
