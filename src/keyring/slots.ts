/** The slots of a keyring: the keyring key under a key of each provider (docs/format/keyring-v1.md §5). */

import {
  clean,
  describeProvider,
  hasKey,
  missingSecretHint,
  namesOfKeys,
  unwrapWith,
  wrapAndReopen,
} from '../envelope/provider-calls.ts';
import { slotFromWrapped } from '../envelope/v1/slot.ts';
import { VolsealError } from '../errors.ts';
import type { KeyProvider, ProviderInfo, WrapInfo } from '../kms/provider.ts';
import { maxExternalWrapBytes } from '../limits.ts';
import type { KeyringSlot, SlotName } from './content.ts';
import { KeyringKey } from './keyring-key.ts';
import { checkSlot, type KeyringLock } from './v1/payload.ts';

export function wrapInfo(volumeId: Uint8Array): WrapInfo {
  return { scope: 'volume', id: volumeId, aad: volumeId, context: {} };
}

export interface NewSlot {
  readonly primary: boolean;
  readonly created: string;
  /** The provider's key to use; its primary key without this. */
  readonly keyId?: string | undefined;
}

/** Wraps the keyring key and opens the wrap again before it counts. */
export async function makeSlot(
  provider: KeyProvider,
  key: KeyringKey,
  volumeId: Uint8Array,
  { primary, created, keyId }: NewSlot,
): Promise<KeyringSlot> {
  const info = wrapInfo(volumeId);
  const wrapped = await wrapAndReopen(provider, key.secret, keyId === undefined ? info : { ...info, keyId });
  if (keyId !== undefined && wrapped.keyId !== keyId) {
    throw new VolsealError(
      'ERR_VOLSEAL_PROVIDER_FAILED',
      `key provider ${provider.type} wrapped under the key ${clean(wrapped.keyId)}, not under ${clean(keyId)}`,
      { hint: 'give a provider whose primary key is the wanted one' },
    );
  }
  const { label } = slotFromWrapped(wrapped);
  const slot = { wrapped, primary, created, ...(label === undefined ? {} : { label }) };
  try {
    checkSlot(slot);
  } catch (cause) {
    throw new VolsealError(
      'ERR_VOLSEAL_PROVIDER_FAILED',
      `key provider ${clean(provider.type)} returned a wrap that does not fit into a keyring`,
      { hint: `type, key id and wrapped key may take ${maxExternalWrapBytes} bytes together`, cause },
    );
  }
  return slot;
}

/** The given provider that has the key of this slot. */
export async function providerOf(
  providers: readonly KeyProvider[],
  slot: SlotName,
): Promise<KeyProvider | undefined> {
  for (const provider of providers) {
    if (provider.type !== slot.type) continue;
    const { keys } = await describeProvider(provider, undefined);
    if (keys.some(({ keyId }) => keyId === slot.keyId)) return provider;
  }
  return undefined;
}

/**
 * The keyring key out of a slot that a given provider has the key for. Another slot is only tried when a provider cannot
 * be reached, never when a slot does not open.
 */
export async function openLock(providers: readonly KeyProvider[], lock: KeyringLock): Promise<KeyringKey> {
  const infos: ProviderInfo[] = [];
  let unavailable: VolsealError | undefined;
  // The primary slot is the one that is known to be wanted.
  const slots = lock.slots.toSorted((a, b) => Number(b.primary) - Number(a.primary));
  for (const provider of providers) {
    try {
      const described = await describeProvider(provider, undefined);
      infos.push(described);
      const slot = slots.find(({ wrapped }) => hasKey(described, wrapped));
      if (slot === undefined) continue;
      return new KeyringKey(await openSlot(provider, slot, lock.volumeId));
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_PROVIDER_UNAVAILABLE') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable ?? keyMissing(lock.slots, infos);
}

async function openSlot(
  provider: KeyProvider,
  slot: KeyringSlot,
  volumeId: Uint8Array,
): ReturnType<typeof unwrapWith> {
  try {
    return await unwrapWith(provider, slot.wrapped, wrapInfo(volumeId));
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_WRONG_KEY') throw error;
    throw new VolsealError(
      'ERR_VOLSEAL_WRONG_KEY',
      `the keyring does not open with ${slotTitle(slot)}: its slot was changed or comes from another volume`,
      { hint: 'put a good copy back: volseal keyring restore EXPORT', cause: error },
    );
  }
}

/** How people call a slot. */
export function slotTitle({ wrapped, label }: KeyringSlot): string {
  const { type, keyId } = wrapped;
  if (type === 'fly-secrets') return `the Fly secret ${label ?? '(without a label)'} (key id ${keyId})`;
  if (type === 'recovery') return `the recovery key (key id ${keyId})`;
  return `${clean(type)} ${clean(keyId)}`;
}

function keyMissing(slots: readonly KeyringSlot[], infos: readonly ProviderInfo[]): VolsealError {
  const wanted = slots.map(slotTitle).join(', or ');
  return new VolsealError(
    'ERR_VOLSEAL_KEY_MISSING',
    `no key here opens the keyring: it needs ${wanted}; here: ${namesOfKeys(infos)}`,
    { hint: missingHint(slots, infos) },
  );
}

function missingHint(slots: readonly KeyringSlot[], infos: readonly ProviderInfo[]): string {
  const fly =
    slots.find(({ wrapped, primary }) => wrapped.type === 'fly-secrets' && primary) ??
    slots.find(({ wrapped }) => wrapped.type === 'fly-secrets');
  const first =
    fly === undefined
      ? `give the key provider ${clean(slots[0]?.wrapped.type ?? '')}`
      : missingSecretHint(fly.label ?? 'LABEL', infos);
  const hasRecovery = slots.some(({ wrapped }) => wrapped.type === 'recovery');
  return hasRecovery ? `${first}; when it is lost for good, the recovery key opens the volume` : first;
}
