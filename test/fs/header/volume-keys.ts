/** A keyring for tests of headers: volume keys in memory, slots as docs/format/v1.md §4 has them. */

import { ascii, concatBytes, u32 } from '../../../src/bytes.ts';
import type { Slot } from '../../../src/envelope/v1/slot.ts';
import { VolsealError } from '../../../src/errors.ts';
import type { NewFileKeys, ReloadableFileKeys } from '../../../src/fs/header/file-keys.ts';
import { formatKeyId, parseKeyId } from '../../../src/key-id.ts';
import { unwrapLocal, wrapKeys, wrapLocal } from '../../../src/kms/local-wrap.ts';
import { Secret } from '../../../src/secret.ts';

export interface VolumeKey {
  readonly keyId: Uint8Array;
  readonly version: number;
  readonly bytes: Uint8Array;
}

export function volumeKey(version: number, volume = 1): VolumeKey {
  return {
    keyId: concatBytes(new Uint8Array(8).fill(volume), new Uint8Array(8).fill(0x80 + version)),
    version,
    bytes: new Uint8Array(32).fill(volume * 16 + version),
  };
}

function slotAad(key: VolumeKey, fileId: Uint8Array, floeHeader: Uint8Array): Uint8Array {
  return concatBytes(
    ascii('volseal/v1/slot'),
    Uint8Array.of(1),
    key.keyId,
    u32(key.version),
    fileId,
    floeHeader,
  );
}

export class TestKeys implements NewFileKeys, ReloadableFileKeys {
  readonly policy: NewFileKeys['policy'] = {
    suite: 'aes-256-gcm',
    segmentBytes: 16_384,
    writeOnceSegmentBytes: 65_536,
  };
  /** The last one is the primary. */
  keys: readonly VolumeKey[];
  /** What {@link reload} will find. */
  onDisk: readonly VolumeKey[];
  reloads = 0;
  unwraps = 0;

  constructor(keys: readonly VolumeKey[] = [volumeKey(1)], onDisk: readonly VolumeKey[] = keys) {
    this.keys = keys;
    this.onDisk = onDisk;
  }

  wrapDataKey(dataKey: Secret, fileId: Uint8Array, floeHeader: Uint8Array): Slot {
    return this.wrapUnder(this.keys.at(-1) as VolumeKey, dataKey.bytes(), fileId, floeHeader);
  }

  wrapUnder(key: VolumeKey, dataKey: Uint8Array, fileId: Uint8Array, floeHeader: Uint8Array): Slot {
    const wrap = wrapKeys(new Secret(Uint8Array.from(key.bytes)));
    const bytes = wrapLocal(wrap, dataKey, slotAad(key, fileId, floeHeader));
    const wrapped = { type: 'volume-key', keyId: formatKeyId(key.keyId), bytes };
    return { wrapped, keyVersion: key.version };
  }

  unwrapDataKey(slots: readonly Slot[], fileId: Uint8Array, floeHeader: Uint8Array): Secret {
    this.unwraps++;
    const ofVolumes = slots.filter(({ wrapped }) => wrapped.type === 'volume-key');
    for (const { wrapped, keyVersion } of ofVolumes) {
      const keyId = parseKeyId(wrapped.keyId) as Uint8Array;
      const key = this.keys.find(
        (known) => Buffer.compare(known.keyId, keyId) === 0 && known.version === keyVersion,
      );
      if (key === undefined) continue;
      const wrap = wrapKeys(new Secret(Uint8Array.from(key.bytes)));
      const dataKey = unwrapLocal(wrap, wrapped.bytes, slotAad(key, fileId, floeHeader));
      if (dataKey === undefined) throw new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the slot does not open');
      return new Secret(dataKey);
    }
    const own = (this.keys[0] as VolumeKey).keyId.subarray(0, 8);
    const ofThisVolume = ofVolumes.some(({ wrapped }) => {
      const keyId = parseKeyId(wrapped.keyId) as Uint8Array;
      return Buffer.compare(keyId.subarray(0, 8), own) === 0;
    });
    throw ofThisVolume
      ? new VolsealError('ERR_VOLSEAL_KEYRING_ROLLED_BACK', 'the keyring is older than this file')
      : new VolsealError('ERR_VOLSEAL_KEY_MISSING', 'sealed in another volume');
  }

  async reload(): Promise<void> {
    this.reloads++;
    this.keys = this.onDisk;
  }
}
