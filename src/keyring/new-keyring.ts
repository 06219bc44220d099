/** What a new keyring holds: a volume id, a keyring key with its slots, and the first volume key. */

import type { KeyProvider } from '../kms/provider.ts';
import { makeRecoveryKey, recoveryKey as recoveryProvider } from '../kms/recovery-key.ts';
import { volumeIdBytes } from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { randomSecret } from '../random.ts';
import { withNewSlot, wrapNewVolumeKey } from './changes.ts';
import type { KeyringSlot, VolumeKeyRecord, VolumePolicy } from './content.ts';
import { KeyringKey } from './keyring-key.ts';
import { type OpenedKeyring, sealDocument } from './opened.ts';
import { completePolicy } from './policy.ts';
import { drawVolumeKeyId } from './volume-keys.ts';

export interface NewKeyringOptions {
  /** Each of them gets a slot under its primary key; the first one's is the primary slot. */
  readonly providers: readonly KeyProvider[];
  readonly policy?: Partial<VolumePolicy> | undefined;
  /** Whether to make a recovery key as one more slot. */
  readonly recovery: boolean;
}

export interface NewKeyring {
  readonly opened: OpenedKeyring;
  /** The text of the recovery key; it is kept nowhere. */
  readonly recoveryKey: string | undefined;
}

/** Nothing is written yet. */
export async function drawKeyring(options: NewKeyringOptions): Promise<NewKeyring> {
  const { providers } = options;
  if (providers.length === 0) throw invalidArgument('a keyring needs a key provider');
  const policy = completePolicy(options.policy);
  const created = new Date().toISOString();
  const volumeId = randomSecret(volumeIdBytes);
  const key = KeyringKey.draw();
  try {
    const volumeKeys = [firstVolumeKey(volumeId, key, created)];
    let slots: KeyringSlot[] = [];
    for (const provider of providers) {
      const primary = slots.length === 0;
      slots = await withNewSlot(slots, provider, key, volumeId, { primary, created });
    }
    const recoveryKey = options.recovery ? makeRecoveryKey() : undefined;
    if (recoveryKey !== undefined) {
      const provider = recoveryProvider(recoveryKey);
      try {
        slots = await withNewSlot(slots, provider, key, volumeId, { primary: false, created });
      } finally {
        provider.close?.();
      }
    }
    const times = { created, changed: created };
    const opened = sealDocument({ volumeId, generation: 1, ...times, policy, slots, volumeKeys }, key);
    return { opened, recoveryKey };
  } catch (error) {
    key.wipe();
    throw error;
  }
}

function firstVolumeKey(volumeId: Uint8Array, key: KeyringKey, now: string): VolumeKeyRecord {
  const name = { version: 1, keyId: drawVolumeKeyId(volumeId) };
  const wrap = wrapNewVolumeKey(volumeId, key, name);
  return { ...name, state: 'primary', created: now, changed: now, wrap };
}
