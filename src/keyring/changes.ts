/** The changes of a keyring that rotation and recovery are made of, for {@link Keyring.change}. */

import { VolsealError } from '../errors.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { dataKeyBytes, maxKeyringSlots } from '../limits.ts';
import { invalidArgument } from '../options.ts';
import { randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import { nextVersion, withNewPrimary, withState } from './volume-key-states.ts';
import {
  type KeyringContent,
  type KeyringSlot,
  type SlotName,
  sameSlot,
  type VolumeKeyRecord,
  type VolumeKeyState,
} from './content.ts';
import { KeyringKey } from './keyring-key.ts';
import { makeSlot, type NewSlot, providerOf, slotTitle } from './slots.ts';
import { drawVolumeKeyId } from './volume-keys.ts';

export interface ChangeInput {
  readonly content: KeyringContent;
  readonly key: KeyringKey;
  /** The date of the change. */
  readonly now: string;
  /** Of the open volume. */
  readonly providers: readonly KeyProvider[];
}

export interface Changed {
  /** Generation and date of the change are set when it is written. */
  readonly content: KeyringContent;
  readonly key: KeyringKey;
  /** Whether something was taken away that no generation may hold any more. */
  readonly removes: boolean;
}

export type Change = (input: ChangeInput) => Promise<Changed>;

/** The wrap of a volume key that nobody has seen. */
export function wrapNewVolumeKey(
  volumeId: Uint8Array,
  key: KeyringKey,
  name: { version: number; keyId: Uint8Array },
): Uint8Array {
  const volumeKey = new Secret(randomSecret(dataKeyBytes));
  const wrap = key.wrapVolumeKey(volumeId, name, volumeKey);
  volumeKey.wipe();
  return wrap;
}

function addPrimary({ content, key, now }: Pick<ChangeInput, 'content' | 'key' | 'now'>): KeyringContent {
  const { volumeId, volumeKeys } = content;
  const name = { version: nextVersion(volumeKeys), keyId: drawVolumeKeyId(volumeId) };
  const wrap = wrapNewVolumeKey(volumeId, key, name);
  return { ...content, volumeKeys: withNewPrimary(volumeKeys, { ...name, wrap }, now) };
}

/** A new volume key, which wraps from now on. */
export function addVolumeKey(): Change {
  return async (input) => ({ content: addPrimary(input), key: input.key, removes: false });
}

/** Another state for one volume key; `destroyed` takes its bytes out of both generations. */
export function setVolumeKeyState(version: number, state: VolumeKeyState): Change {
  return async ({ content, key, now }) => {
    const volumeKeys = withState(content.volumeKeys, version, state, now);
    return { content: { ...content, volumeKeys }, key, removes: state === 'destroyed' };
  };
}

/** These slots and a new one of this provider. */
export async function withNewSlot(
  slots: readonly KeyringSlot[],
  provider: KeyProvider,
  key: KeyringKey,
  volumeId: Uint8Array,
  options: NewSlot,
): Promise<KeyringSlot[]> {
  if (slots.length >= maxKeyringSlots)
    throw invalidArgument(`a keyring has at most ${maxKeyringSlots} key slots`, 'remove one first');
  const slot = await makeSlot(provider, key, volumeId, options);
  if (slots.some(({ wrapped }) => sameSlot(wrapped, slot.wrapped)))
    throw invalidArgument(`the keyring has a slot of ${slotTitle(slot)} already`);
  return [...slots, slot];
}

/** One more slot, under the primary key of a provider or the one that is named. */
export function addSlot(provider: KeyProvider, options: { keyId?: string } = {}): Change {
  return async ({ content, key, now }) => {
    const slot = { primary: false, created: now, ...options };
    const slots = await withNewSlot(content.slots, provider, key, content.volumeId, slot);
    return { content: { ...content, slots }, key, removes: false };
  };
}

/** Which slot is meant for new wraps in this volume. */
export function setPrimarySlot(name: SlotName): Change {
  return async ({ content, key }) => {
    const chosen = findSlot(content, name);
    const slots = content.slots.map((slot) => ({ ...slot, primary: slot === chosen }));
    return { content: { ...content, slots }, key, removes: false };
  };
}

export interface RemoveSlotOptions {
  /** Beside the providers of the open volume: who wraps the new keyring key for the slots that stay. */
  readonly providers?: readonly KeyProvider[];
  /** Slots that go too because nobody here can wrap for them: a recovery key that is not at hand, for example. */
  readonly drop?: readonly SlotName[];
}

/**
 * Removes a slot. Whoever held its key may hold the keyring key, so that is replaced, and so is the primary volume key: the old
 * keyring key opens nothing that is written from now on. Every slot that stays is wrapped anew by its provider.
 */
export function removeSlot(name: SlotName, options: RemoveSlotOptions = {}): Change {
  return async ({ content, key, now, providers }) => {
    const dropped = [name, ...(options.drop ?? [])].map((each) => findSlot(content, each));
    const staying = content.slots.filter((slot) => !dropped.includes(slot));
    if (!staying.some(({ primary }) => primary)) {
      throw invalidArgument(
        'the primary slot cannot be removed',
        'make another slot primary first, so that the volume still opens',
      );
    }
    const newKey = KeyringKey.draw();
    try {
      const slots: KeyringSlot[] = [];
      for (const slot of staying)
        slots.push(await wrapAnew(slot, newKey, content, [...(options.providers ?? []), ...providers]));
      const volumeKeys = content.volumeKeys.map((record) =>
        record.wrap === undefined ? record : rewrap(content.volumeId, record, key, newKey),
      );
      const moved = { ...content, slots, volumeKeys };
      return { content: addPrimary({ content: moved, key: newKey, now }), key: newKey, removes: true };
    } catch (error) {
      newKey.wipe();
      throw error;
    }
  };
}

async function wrapAnew(
  slot: KeyringSlot,
  newKey: KeyringKey,
  { volumeId }: KeyringContent,
  providers: readonly KeyProvider[],
): Promise<KeyringSlot> {
  const provider = await providerOf(providers, slot.wrapped);
  if (provider === undefined) {
    throw new VolsealError(
      'ERR_VOLSEAL_KEY_MISSING',
      `${slotTitle(slot)} is needed: its slot stays and has to be wrapped anew`,
      { hint: 'give it too, or name its slot as one to drop' },
    );
  }
  const { primary, created } = slot;
  return makeSlot(provider, newKey, volumeId, { primary, created, keyId: slot.wrapped.keyId });
}

function rewrap(
  volumeId: Uint8Array,
  record: VolumeKeyRecord,
  from: KeyringKey,
  to: KeyringKey,
): VolumeKeyRecord {
  const volumeKey = from.openVolumeKey(volumeId, record);
  const wrap = to.wrapVolumeKey(volumeId, record, volumeKey);
  volumeKey.wipe();
  return { ...record, wrap };
}

/** The same content once more, so that the previous generation holds nothing that was removed: after a crash between two. */
export function writeAgain(): Change {
  return async ({ content, key }) => ({ content, key, removes: false });
}

function findSlot({ slots }: KeyringContent, name: SlotName): KeyringSlot {
  const found = slots.find(({ wrapped }) => sameSlot(wrapped, name));
  if (found !== undefined) return found;
  throw invalidArgument(
    `the keyring has no slot of ${name.type} ${name.keyId}`,
    `it has: ${slots.map(slotTitle).join(', ')}`,
  );
}
