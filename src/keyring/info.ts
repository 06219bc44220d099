/** What people and programs are told about a keyring. */

import { hex } from '../bytes.ts';
import { formatKeyId } from '../key-id.ts';
import type { KeyringContent, VolumeKeyState, VolumePolicy } from './content.ts';

export interface KeyringSlotInfo {
  /** The provider's type. */
  readonly type: string;
  readonly keyId: string;
  readonly label?: string;
  readonly primary: boolean;
  readonly created: string;
}

export interface VolumeKeyInfo {
  readonly version: number;
  readonly keyId: string;
  readonly state: VolumeKeyState;
  readonly created: string;
  readonly changed: string;
}

export interface KeyringInfo {
  /** 32 hexadecimal digits. */
  readonly volumeId: string;
  readonly generation: number;
  readonly created: string;
  readonly changed: string;
  readonly policy: VolumePolicy;
  /** Whether one of the slots is a recovery key. */
  readonly recovery: boolean;
  readonly slots: readonly KeyringSlotInfo[];
  readonly volumeKeys: readonly VolumeKeyInfo[];
}

export function describeKeyring(content: KeyringContent): KeyringInfo {
  return {
    volumeId: hex(content.volumeId),
    generation: content.generation,
    created: content.created,
    changed: content.changed,
    policy: { ...content.policy, requireContext: [...content.policy.requireContext] },
    recovery: content.slots.some(({ wrapped }) => wrapped.type === 'recovery'),
    slots: content.slots.map(({ wrapped, label, primary, created }) => {
      const { type, keyId } = wrapped;
      return label === undefined
        ? { type, keyId, primary, created }
        : { type, keyId, label, primary, created };
    }),
    volumeKeys: content.volumeKeys.map(({ version, keyId, state, created, changed }) => {
      return { version, keyId: formatKeyId(keyId), state, created, changed };
    }),
  };
}
