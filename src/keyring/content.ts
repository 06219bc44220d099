/** What a keyring holds, as plain data: nothing here is secret, for every key in it is wrapped. */

import type { Suite } from '../aead/suite.ts';
import type { WrappedKey } from '../kms/provider.ts';

/** Bytes of the volume id that the key id of each of its volume keys begins with. */
export const volumePrefixBytes = 8;

/** What new files of the volume are made with, and what their readers must say. */
export interface VolumePolicy {
  readonly suite: Suite;
  /** Sealed bytes of a segment of a mutable file. */
  readonly segmentBytes: number;
  /** Sealed bytes of a segment of a write-once file. */
  readonly writeOnceSegmentBytes: number;
  /** Context keys that every reader has to give. */
  readonly requireContext: readonly string[];
}

/**
 * What may be done with a volume key: `primary` wraps and unwraps, `active` unwraps, `disabled` does neither until it is
 * enabled again, of a `destroyed` one only id and dates are left.
 */
export type VolumeKeyState = 'primary' | 'active' | 'disabled' | 'destroyed';

/** Dates are ISO 8601 in UTC with milliseconds. */
export interface VolumeKeyRecord {
  /** u32, from 1; never used again. */
  readonly version: number;
  /** 16 bytes: the first 8 of the volume id, then 8 random ones. */
  readonly keyId: Uint8Array;
  readonly state: VolumeKeyState;
  readonly created: string;
  /** When its state changed last. */
  readonly changed: string;
  /** 104 bytes; missing once it is destroyed. */
  readonly wrap?: Uint8Array;
}

/** The keyring key under one key of a provider. */
export interface KeyringSlot {
  readonly wrapped: WrappedKey;
  /** The label that the secret had when the slot was made. */
  readonly label?: string;
  /** The provider key that is meant for new wraps in this volume; one slot has it. */
  readonly primary: boolean;
  readonly created: string;
}

export interface KeyringContent {
  /** 16 bytes. */
  readonly volumeId: Uint8Array;
  /** From 1; every change adds at least one. */
  readonly generation: number;
  readonly created: string;
  readonly changed: string;
  readonly policy: VolumePolicy;
  readonly slots: readonly KeyringSlot[];
  /** By version, rising. */
  readonly volumeKeys: readonly VolumeKeyRecord[];
}

/** What identifies a slot. */
export interface SlotName {
  /** The provider's type. */
  readonly type: string;
  readonly keyId: string;
}

export function sameSlot(a: SlotName, b: SlotName): boolean {
  return a.type === b.type && a.keyId === b.keyId;
}
