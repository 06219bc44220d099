/**
 * XAES-256-GCM as the AEAD of mutable bodies, id 0xF2 (docs/format/v1.md §6.2). Segments are sealed again in their places
 * without an end, so neither a 12-byte random nonce under one key nor a counter on a disk that can be copied will do: the 24
 * bytes are random, and no state has to be kept.
 *
 * A subkey belongs to the first half of a nonce. A writer keeps that half, and with it the subkey, for a bounded number of
 * seals, which makes a seal cost what AES-256-GCM costs; a reader keeps the subkeys it met last.
 */

import { randomSecret, fillRandom } from '../random.ts';
import { Secret } from '../secret.ts';
import { type AesKey, openAesGcm, sealAesGcm } from './aes-gcm.ts';
import type { SealedParts, SegmentAead, SegmentCipher } from './suite.ts';
import { deriveSubkey, openXaes, sealXaes } from './xaes.ts';

/** A private extension of FLOE's table, id 0xF2. Each call derives its subkey anew; an open file uses {@link XaesCipher}. */
export const xaes256Gcm: SegmentAead = {
  suite: 'aes-256-gcm',
  cipher: 'xaes-256-gcm',
  id: 0xf2,
  keyBytes: 32,
  nonceBytes: 24,
  tagBytes: 16,
  rotationMaskBits: 20,
  seal: sealXaes,
  open: openXaes,
};

const prefixBytes = 12;

/** 2^20 random 96-bit nonces under one AES-256-GCM key: a collision has a probability below 2^-57. */
export const sealsPerSubkey: number = 2 ** 20;

/** Files written in a few sessions have as many prefixes; more than these are derived again, at about 3 µs each. */
const keptSubkeys = 8;

/** The subkey of one prefix under one segment key. */
interface Subkey {
  readonly segmentKey: Secret;
  readonly prefix: Uint8Array;
  readonly secret: Secret;
  used: boolean;
}

export class XaesCipher implements SegmentCipher {
  readonly #sealsPerSubkey: number;
  #sealing: Subkey | undefined;
  #sealsLeft = 0;
  /** Last used first. */
  readonly #opening: Subkey[] = [];
  // Arrays that the cipher copies before the call returns. Nothing here runs across an await.
  readonly #fresh: Uint8Array = new Uint8Array(prefixBytes);

  /** @param limit seals under one prefix; tests take fewer */
  constructor(limit: number = sealsPerSubkey) {
    this.#sealsPerSubkey = limit;
  }

  seal(
    key: Secret,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    plain: readonly Uint8Array[],
  ): SealedParts {
    const subkey = this.#subkeyForSealing(key);
    const fresh = this.#fresh;
    fillRandom(fresh);
    for (let i = 0; i < prefixBytes; i++) {
      nonce[i] = subkey.prefix[i] as number;
      nonce[i + prefixBytes] = fresh[i] as number;
    }
    return sealAesGcm(aesKey(subkey), fresh, associatedData, plain);
  }

  open(
    key: Secret,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    ciphertext: readonly Uint8Array[],
    tag: Uint8Array,
  ): Uint8Array[] | undefined {
    const subkey = this.#subkeyForOpening(key, nonce);
    const fresh = this.#fresh;
    for (let i = 0; i < prefixBytes; i++) fresh[i] = nonce[i + prefixBytes] as number;
    return openAesGcm(aesKey(subkey), fresh, associatedData, ciphertext, tag);
  }

  wipe(): void {
    this.#sealing?.secret.wipe();
    this.#sealing = undefined;
    for (const { secret } of this.#opening) secret.wipe();
    this.#opening.length = 0;
  }

  #subkeyForSealing(key: Secret): Subkey {
    let subkey = this.#sealing;
    if (subkey === undefined || subkey.segmentKey !== key || this.#sealsLeft === 0) {
      subkey?.secret.wipe();
      subkey = makeSubkey(key, randomSecret(prefixBytes));
      this.#sealing = subkey;
      this.#sealsLeft = this.#sealsPerSubkey;
    }
    this.#sealsLeft--;
    return subkey;
  }

  #subkeyForOpening(key: Secret, nonce: Uint8Array): Subkey {
    const sealing = this.#sealing;
    if (sealing !== undefined && isOf(sealing, key, nonce)) return sealing;
    const kept = this.#opening;
    const at = kept.findIndex((subkey) => isOf(subkey, key, nonce));
    if (at === 0) return kept[0] as Subkey;
    const [found] = at === -1 ? [] : kept.splice(at, 1);
    const subkey = found ?? makeSubkey(key, Uint8Array.from(nonce.subarray(0, prefixBytes)));
    kept.unshift(subkey);
    if (kept.length > keptSubkeys) kept.pop()?.secret.wipe();
    return subkey;
  }
}

function makeSubkey(segmentKey: Secret, prefix: Uint8Array): Subkey {
  return { segmentKey, prefix, secret: new Secret(deriveSubkey(segmentKey, prefix)), used: false };
}

/** A subkey met once is cheapest as raw bytes; from the second use on OpenSSL's own copy pays. */
function aesKey(subkey: Subkey): AesKey {
  if (subkey.used) return subkey.secret.keyObject();
  subkey.used = true;
  return subkey.secret.passingKey();
}

function isOf({ segmentKey, prefix }: Subkey, key: Secret, nonce: Uint8Array): boolean {
  if (segmentKey !== key) return false;
  for (let i = 0; i < prefixBytes; i++) if (prefix[i] !== nonce[i]) return false;
  return true;
}
