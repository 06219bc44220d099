/**
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): HChaCha20 in TypeScript for the subkey, the runtime's
 * ChaCha20-Poly1305 for the data. Where the runtime has none, @noble/ciphers does it all.
 */

import { createCipheriv, createDecipheriv, getCiphers } from 'node:crypto';

import { chacha20poly1305, hchacha } from '@noble/ciphers/chacha.js';

import { concatBytes } from '../bytes.ts';
import { passingKey } from '../passing-key.ts';
import type { Secret } from '../secret.ts';
import type { SealedParts, SegmentAead } from './suite.ts';

const tagLength = { authTagLength: 16 } as const;
// Node's types demand it; only CCM reads it.
const aadOptions = { plaintextLength: 0 } as const;
// "expand 32-byte k" as little-endian words
const sigma = Uint32Array.of(0x61707865, 0x3320646e, 0x79622d32, 0x6b206574);

const keyWords = new Uint32Array(8);
const nonceWords = new Uint32Array(4);
const subkeyWords = new Uint32Array(8);
const innerNonce = new Uint8Array(12);

function readWords(bytes: Uint8Array, words: Uint32Array): Uint32Array {
  for (let i = 0; i < words.length; i++) {
    const at = i * 4;
    words[i] =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24);
  }
  return words;
}

/** The 32-byte subkey for the first 16 bytes of the nonce. Words are little-endian whatever the machine is. */
function deriveSubkey(key: Secret, nonce: Uint8Array, subkey: Uint8Array): void {
  hchacha(sigma, readWords(key.bytes(), keyWords), readWords(nonce, nonceWords), subkeyWords);
  for (let i = 0; i < 8; i++) {
    const word = subkeyWords[i] as number;
    subkey[i * 4] = word;
    subkey[i * 4 + 1] = word >>> 8;
    subkey[i * 4 + 2] = word >>> 16;
    subkey[i * 4 + 3] = word >>> 24;
  }
  subkeyWords.fill(0);
  keyWords.fill(0);
}

/** ChaCha20-Poly1305 (RFC 8439) with a 32-byte one-use key and a 12-byte nonce. */
export interface ChaChaBackend {
  readonly name: 'node' | 'noble';
  seal(
    key: Uint8Array,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    plain: readonly Uint8Array[],
  ): SealedParts;
  open(
    key: Uint8Array,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    ciphertext: readonly Uint8Array[],
    tag: Uint8Array,
  ): Uint8Array[] | undefined;
}

const nodeBackend: ChaChaBackend = {
  name: 'node',
  seal(key, nonce, associatedData, plain) {
    const cipher = createCipheriv('chacha20-poly1305', passingKey(key), nonce, tagLength);
    cipher.setAAD(associatedData, aadOptions);
    const ciphertext: Uint8Array[] = [];
    for (const piece of plain) ciphertext.push(cipher.update(piece));
    cipher.final();
    return { ciphertext, tag: cipher.getAuthTag() };
  },
  open(key, nonce, associatedData, ciphertext, tag) {
    const decipher = createDecipheriv('chacha20-poly1305', passingKey(key), nonce, tagLength);
    decipher.setAAD(associatedData, aadOptions);
    decipher.setAuthTag(tag);
    const plain: Uint8Array[] = [];
    for (const piece of ciphertext) plain.push(decipher.update(piece));
    try {
      decipher.final();
    } catch {
      for (const piece of plain) piece.fill(0);
      return undefined;
    }
    return plain;
  },
};

const nobleBackend: ChaChaBackend = {
  name: 'noble',
  seal(key, nonce, associatedData, plain) {
    const sealed = chacha20poly1305(key, nonce, associatedData).encrypt(concatBytes(...plain));
    return { ciphertext: [sealed.subarray(0, -16)], tag: sealed.subarray(-16) };
  },
  open(key, nonce, associatedData, ciphertext, tag) {
    try {
      return [chacha20poly1305(key, nonce, associatedData).decrypt(concatBytes(...ciphertext, tag))];
    } catch {
      return undefined;
    }
  },
};

/** Chosen once: by what the runtime says it has, checked by using it. */
export function chooseChaChaBackend(): ChaChaBackend {
  if (!getCiphers().includes('chacha20-poly1305')) return nobleBackend;
  try {
    nodeBackend.seal(new Uint8Array(32), new Uint8Array(12), new Uint8Array(0), []);
    return nodeBackend;
  } catch {
    return nobleBackend;
  }
}

let chosen: ChaChaBackend | undefined;

/** The suite over a given backend; tests compare the two. */
export function makeXChaCha(backend: () => ChaChaBackend): SegmentAead {
  const subkey = new Uint8Array(32);
  return {
    suite: 'xchacha20-poly1305',
    cipher: 'xchacha20-poly1305',
    id: 0xf1,
    keyBytes: 32,
    nonceBytes: 24,
    tagBytes: 16,
    rotationMaskBits: 20,
    seal(key, nonce, associatedData, plain) {
      deriveSubkey(key, nonce, subkey);
      const sealed = backend().seal(subkey, takeInnerNonce(nonce), associatedData, plain);
      subkey.fill(0);
      return sealed;
    },
    open(key, nonce, associatedData, ciphertext, tag) {
      deriveSubkey(key, nonce, subkey);
      const plain = backend().open(subkey, takeInnerNonce(nonce), associatedData, ciphertext, tag);
      subkey.fill(0);
      return plain;
    },
  };
}

/** Four zero bytes and the last eight of the 24, in an array that the next call overwrites. */
function takeInnerNonce(nonce: Uint8Array): Uint8Array {
  for (let i = 4; i < 12; i++) innerNonce[i] = nonce[i + 12] as number;
  return innerNonce;
}

export { nobleBackend, nodeBackend };

/** A private extension of FLOE, id 0xF1. */
export const xchacha20Poly1305: SegmentAead = makeXChaCha(() => (chosen ??= chooseChaChaBackend()));
