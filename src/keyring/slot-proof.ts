/** Whether a slot of a keyring holds its keyring key under a key of a provider: seen, not believed. */

import { unwrapWith } from '../envelope/provider-calls.ts';
import { VolsealError } from '../errors.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { type SlotName, sameSlot } from './content.ts';
import { KeyringKey } from './keyring-key.ts';
import { wrapInfo } from './slots.ts';
import { decodeDocument } from './v1/document.ts';
import { Payload } from './v1/payload.ts';

/**
 * Opens the slot with this provider and verifies the document with the key that comes out.
 * @returns false when there is no such slot, or it opens to something else
 * @throws VolsealError what the provider throws, except for a wrap that is not authentic
 */
export async function slotOpens(
  document: Uint8Array,
  provider: KeyProvider,
  name: SlotName,
): Promise<boolean> {
  const { mac, payload } = decodeDocument(document);
  const { slots, volumeId } = new Payload(payload).lock;
  const slot = slots.find(({ wrapped }) => sameSlot(wrapped, name));
  if (slot === undefined) return false;
  let key: KeyringKey;
  try {
    key = new KeyringKey(await unwrapWith(provider, slot.wrapped, wrapInfo(volumeId)));
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_WRONG_KEY') return false;
    throw error;
  }
  try {
    return key.verifies(payload, mac);
  } finally {
    key.wipe();
  }
}
