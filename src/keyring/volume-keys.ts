/** The volume keys of an open keyring at work: they wrap and unwrap the data keys of files (docs/format/v1.md §4). */

import { labels } from '../aead/kdf.ts';
import { bytesEqual, concatBytes, u32 } from '../bytes.ts';
import type { Slot } from '../envelope/v1/slot.ts';
import { VolsealError } from '../errors.ts';
import { formatKeyId, parseKeyId } from '../key-id.ts';
import {
  localWrapBytes,
  unwrapLocal,
  type WrapKeys,
  wipeWrapKeys,
  wrapKeys,
  wrapLocal,
} from '../kms/local-wrap.ts';
import { keyIdBytes } from '../limits.ts';
import { fillRandom } from '../random.ts';
import { Secret } from '../secret.ts';
import { type KeyringContent, type VolumeKeyRecord, volumePrefixBytes } from './content.ts';

const slotType = Uint8Array.of(1);

/** The id of a new volume key. */
export function drawVolumeKeyId(volumeId: Uint8Array): Uint8Array {
  const random = new Uint8Array(keyIdBytes - volumePrefixBytes);
  fillRandom(random);
  return concatBytes(volumeId.subarray(0, volumePrefixBytes), random);
}

interface Entry {
  readonly record: VolumeKeyRecord;
  readonly keyIdText: string;
  /** Derived on first use: a keyring may hold a thousand keys, and most are never asked for. */
  keys: WrapKeys | undefined;
}

/** The associated data of a data key under a volume key. */
function slotAad({ record }: Entry, fileId: Uint8Array, floeHeader: Uint8Array): Uint8Array {
  return concatBytes(labels.slot, slotType, record.keyId, u32(record.version), fileId, floeHeader);
}

export class VolumeKeys {
  readonly #volumeId: Uint8Array;
  readonly #open: (record: VolumeKeyRecord) => Secret;
  readonly #entries = new Map<string, Entry>();
  readonly #primary: Entry;
  readonly #primaryKeys: WrapKeys;

  /**
   * Opens the primary key, the others when they are needed.
   * @param open gives the key of a record that has one, and throws when it does not open
   */
  constructor(content: KeyringContent, open: (record: VolumeKeyRecord) => Secret) {
    this.#volumeId = content.volumeId;
    this.#open = open;
    let primary: Entry | undefined;
    for (const record of content.volumeKeys) {
      const entry: Entry = { record, keyIdText: formatKeyId(record.keyId), keys: undefined };
      this.#entries.set(entry.keyIdText, entry);
      if (record.state === 'primary') primary = entry;
    }
    this.#primary = primary as Entry; // a keyring without one does not parse
    this.#primaryKeys = this.#keysOf(this.#primary);
  }

  #keysOf(entry: Entry): WrapKeys {
    if (entry.keys === undefined) {
      const key = this.#open(entry.record);
      entry.keys = wrapKeys(key);
      key.wipe();
    }
    return entry.keys;
  }

  get primary(): { readonly keyId: string; readonly version: number } {
    return { keyId: this.#primary.keyIdText, version: this.#primary.record.version };
  }

  wrapDataKey(dataKey: Secret, fileId: Uint8Array, floeHeader: Uint8Array): Slot {
    const { record, keyIdText } = this.#primary;
    const bytes = wrapLocal(this.#primaryKeys, dataKey.bytes(), slotAad(this.#primary, fileId, floeHeader));
    return { wrapped: { type: 'volume-key', keyId: keyIdText, bytes }, keyVersion: record.version };
  }

  unwrapDataKey(slots: readonly Slot[], fileId: Uint8Array, floeHeader: Uint8Array): Secret {
    const found = this.#usable(slots);
    if (found === undefined) throw this.#refusal(slots);
    const { slot, entry } = found;
    const bytes = slot.wrapped.bytes.subarray(0, localWrapBytes);
    const key =
      slot.keyVersion === entry.record.version
        ? unwrapLocal(this.#keysOf(entry), bytes, slotAad(entry, fileId, floeHeader))
        : undefined;
    if (key !== undefined) return new Secret(key);
    throw new VolsealError(
      'ERR_VOLSEAL_WRONG_KEY',
      `the key slot of volume key ${entry.record.version} (key id ${entry.keyIdText}) does not open: it was changed or comes from another file`,
      { hint: 'restore the file from a backup' },
    );
  }

  #usable(slots: readonly Slot[]): { slot: Slot; entry: Entry } | undefined {
    for (const slot of slots) {
      if (slot.wrapped.type !== 'volume-key') continue;
      const entry = this.#entries.get(slot.wrapped.keyId);
      if (entry?.record.state === 'primary' || entry?.record.state === 'active') return { slot, entry };
    }
    return undefined;
  }

  /** Why none of these slots can be opened: what the keyring does not know counts for more than what it has put away. */
  #refusal(slots: readonly Slot[]): VolsealError {
    const ours = slots.filter(({ wrapped }) => wrapped.type === 'volume-key' && this.#isOurs(wrapped.keyId));
    const unknown = ours.find(({ wrapped }) => !this.#entries.has(wrapped.keyId));
    if (unknown !== undefined) {
      return new VolsealError(
        'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
        `the keyring is older than this file: it does not know volume key ${unknown.keyVersion} (key id ${unknown.wrapped.keyId})`,
        { hint: 'put the newest keyring back: volseal keyring restore EXPORT' },
      );
    }
    const known = ours[0] && this.#entries.get(ours[0].wrapped.keyId);
    if (known !== undefined) return putAway(known);
    return new VolsealError(
      'ERR_VOLSEAL_KEY_MISSING',
      'no volume key of this volume opens it: it was sealed in another volume or outside of any',
      { hint: 'open it through the volume it comes from, or read it with the keys that it was sealed with' },
    );
  }

  #isOurs(keyIdText: string): boolean {
    const keyId = parseKeyId(keyIdText);
    if (keyId === undefined) return false;
    const prefix = this.#volumeId.subarray(0, volumePrefixBytes);
    return bytesEqual(keyId.subarray(0, volumePrefixBytes), prefix);
  }

  wipe(): void {
    for (const entry of this.#entries.values()) {
      if (entry.keys !== undefined) wipeWrapKeys(entry.keys);
      entry.keys = undefined;
    }
    this.#entries.clear();
  }
}

function putAway({ record, keyIdText }: Entry): VolsealError {
  const name = `volume key ${record.version} (key id ${keyIdText})`;
  if (record.state === 'destroyed') {
    return new VolsealError('ERR_VOLSEAL_KEY_MISSING', `${name} was destroyed on ${record.changed}`, {
      hint: 'what was sealed under it alone cannot be opened again on this volume',
    });
  }
  return new VolsealError('ERR_VOLSEAL_KEY_MISSING', `${name} is disabled since ${record.changed}`, {
    hint: 'enable it again to open what was sealed under it',
  });
}
