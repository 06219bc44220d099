/** The keyring key KK and what hangs on it: the MAC of the keyring and the wraps of the volume keys (docs/format/keyring-v1.md §5). */

import { createHmac } from 'node:crypto';

import { expand32, labels } from '../aead/kdf.ts';
import { bytesEqual, concatBytes, constantTimeEqual, u32 } from '../bytes.ts';
import { unwrapLocal, type WrapKeys, wipeWrapKeys, wrapKeys, wrapLocal } from '../kms/local-wrap.ts';
import { dataKeyBytes } from '../limits.ts';
import { randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import type { VolumeKeyRecord } from './content.ts';
import { invalidKeyring } from './v1/refusals.ts';

export class KeyringKey {
  readonly secret: Secret;
  readonly #macKey: Secret;
  readonly #wrapKeys: WrapKeys;

  /** @param secret 32 bytes, taken over */
  constructor(secret: Secret) {
    this.secret = secret;
    this.#macKey = expand32(secret, labels.keyringMac);
    const wrapping = expand32(secret, labels.keyringWrap);
    this.#wrapKeys = wrapKeys(wrapping);
    wrapping.wipe();
  }

  static draw(): KeyringKey {
    return new KeyringKey(new Secret(randomSecret(dataKeyBytes)));
  }

  /** 32 bytes. */
  mac(payload: Uint8Array): Uint8Array {
    return createHmac('sha256', this.#macKey.keyObject()).update(payload).digest();
  }

  verifies(payload: Uint8Array, mac: Uint8Array): boolean {
    return constantTimeEqual(this.mac(payload), mac);
  }

  /** 104 bytes. */
  wrapVolumeKey(volumeId: Uint8Array, { keyId, version }: WrapName, key: Secret): Uint8Array {
    return wrapLocal(this.#wrapKeys, key.bytes(), wrapAad(volumeId, keyId, version));
  }

  /** @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID` when it does not open */
  openVolumeKey(volumeId: Uint8Array, { keyId, version, wrap }: VolumeKeyRecord): Secret {
    const key = wrap && unwrapLocal(this.#wrapKeys, wrap, wrapAad(volumeId, keyId, version));
    if (key === undefined) throw invalidKeyring(`volume key ${version} does not open`);
    return new Secret(key);
  }

  isSame(other: KeyringKey): boolean {
    return bytesEqual(this.secret.bytes(), other.secret.bytes());
  }

  wipe(): void {
    this.secret.wipe();
    this.#macKey.wipe();
    wipeWrapKeys(this.#wrapKeys);
  }
}

interface WrapName {
  /** 16 bytes. */
  readonly keyId: Uint8Array;
  readonly version: number;
}

function wrapAad(volumeId: Uint8Array, keyId: Uint8Array, version: number): Uint8Array {
  return concatBytes(volumeId, keyId, u32(version));
}
