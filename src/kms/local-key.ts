/** Key-encryption keys out of input key material that this process holds: of a Fly secret or a recovery key. */

import { hkdfSha256, labels } from '../aead/kdf.ts';
import { concatBytes, hex } from '../bytes.ts';
import { formatKeyId } from '../key-id.ts';
import { dataKeyBytes, keyIdBytes } from '../limits.ts';
import { Secret } from '../secret.ts';
import {
  localWrapBytes,
  unwrapLocal,
  type WrapKeys,
  wipeWrapKeys,
  wrapKeys,
  wrapLocal,
} from './local-wrap.ts';
import type { WrapInfo } from './provider.ts';

const scopeIds = { stream: 0, volume: 1, database: 2 } as const;
const keyVersion = new Uint8Array(4);
/** Volumes and databases are few in one process; the cache only must not grow without end. */
const maxCachedKeks = 256;

export class LocalKey {
  /** The shown form. */
  readonly keyId: string;
  readonly #slotType: number;
  readonly #ikm: Secret;
  readonly #keyIdRaw: Uint8Array;
  readonly #keks = new Map<string, WrapKeys>();

  /**
   * @param slotType the type of the slots that it makes (docs/format/v1.md §4)
   * @param ikm 32 to 64 bytes, taken over
   */
  constructor(slotType: number, ikm: Secret) {
    this.#slotType = slotType;
    this.#ikm = ikm;
    this.#keyIdRaw = hkdfSha256(ikm, labels.keyIdSalt, new Uint8Array(0), keyIdBytes);
    this.keyId = formatKeyId(this.#keyIdRaw);
  }

  /** 104 bytes. */
  wrap(key: Uint8Array, info: WrapInfo): Uint8Array {
    return wrapLocal(this.#keys(info), key, this.#aad(info));
  }

  /** The 32-byte key; undefined when the first 104 bytes are no wrap of this key for what `info` says. */
  unwrap(wrapped: Uint8Array, info: WrapInfo): Uint8Array | undefined {
    const key = unwrapLocal(this.#keys(info), wrapped.subarray(0, localWrapBytes), this.#aad(info));
    return key?.length === dataKeyBytes ? key : undefined;
  }

  /** docs/format/v1.md §4.1; the slot of a keyring is bound in an order of its own (docs/format/keyring-v1.md §5). */
  #aad(info: WrapInfo): Uint8Array {
    const type = Uint8Array.of(this.#slotType);
    if (info.scope === 'volume') return concatBytes(labels.keyringSlot, info.aad, type, this.#keyIdRaw);
    return concatBytes(labels.slot, type, this.#keyIdRaw, keyVersion, info.aad);
  }

  /** KEKs are derived once for each volume or database. */
  #keys(info: WrapInfo): WrapKeys {
    const name = `${info.scope}:${hex(info.id)}`;
    const cached = this.#keks.get(name);
    if (cached !== undefined) return cached;
    const scope = Uint8Array.of(scopeIds[info.scope]);
    const kek = new Secret(hkdfSha256(this.#ikm, labels.kekSalt, concatBytes(scope, info.id), 32));
    const keys = wrapKeys(kek);
    kek.wipe();
    if (this.#keks.size >= maxCachedKeks) this.#forgetKeks();
    this.#keks.set(name, keys);
    return keys;
  }

  #forgetKeks(): void {
    for (const keys of this.#keks.values()) wipeWrapKeys(keys);
    this.#keks.clear();
  }

  wipe(): void {
    this.#ikm.wipe();
    this.#forgetKeks();
  }
}
