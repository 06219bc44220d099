/**
 * FLOE (c2sp.org/FLOE) a second time: written from the specification, on noble, with BigInt positions, joining and
 * slicing as it pleases. Slow and obvious; it shares no code with src.
 */

import { gcm } from '@noble/ciphers/aes.js';
import { xchacha20poly1305 } from '@noble/ciphers/chacha.js';
import { concatBytes } from '@noble/ciphers/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha384 } from '@noble/hashes/sha2.js';
import { referenceXaesOpen, referenceXaesSeal } from './xaes.ts';

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

/** I2BE(value, length). */
function i2be(value: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = length - 1, rest = value; i >= 0; i--, rest >>= 8n) bytes[i] = Number(rest & 0xffn);
  return bytes;
}

function be2i(bytes: Uint8Array): bigint {
  return bytes.reduce((value, byte) => (value << 8n) | BigInt(byte), 0n);
}

interface Aead {
  readonly nonceBytes: number;
  readonly cipher: (
    key: Uint8Array,
    nonce: Uint8Array,
    associatedData: Uint8Array,
  ) => { encrypt(plain: Uint8Array): Uint8Array; decrypt(sealed: Uint8Array): Uint8Array };
}

/** By AEAD_ID; 0xF1 and 0xF2 are the private extensions of docs/format/v1.md §6. */
const aeads: ReadonlyMap<number, Aead> = new Map<number, Aead>([
  [0, { nonceBytes: 12, cipher: gcm }],
  [0xf1, { nonceBytes: 24, cipher: xchacha20poly1305 }],
  [
    0xf2,
    {
      nonceBytes: 24,
      cipher: (key, nonce, associatedData) => ({
        encrypt: (plain) => referenceXaesSeal(key, nonce, associatedData, plain),
        decrypt: (sealed) => referenceXaesOpen(key, nonce, associatedData, sealed),
      }),
    },
  ],
]);

function aeadOf(id: number): Aead {
  const aead = aeads.get(id);
  if (aead === undefined) throw new Error(`no AEAD ${id}`);
  return aead;
}

export interface ReferenceState {
  readonly aead: Aead;
  readonly segmentBytes: number;
  readonly parameters: Uint8Array;
  readonly iv: Uint8Array;
  readonly associatedData: Uint8Array;
  readonly messageKey: Uint8Array;
  readonly maskBits: bigint;
}

type Bound = Pick<ReferenceState, 'parameters' | 'iv' | 'associatedData'>;

function floeKdf(key: Uint8Array, bound: Bound, purpose: Uint8Array, length: number): Uint8Array {
  // HKDF-Expand of at most one block; noble's own refuses keys shorter than the hash, which FLOE's are.
  const info = concatBytes(bound.parameters, bound.iv, purpose, bound.associatedData);
  return hmac(sha384, key, concatBytes(info, Uint8Array.of(1))).subarray(0, length);
}

const headerTag = (key: Uint8Array, bound: Bound): Uint8Array =>
  floeKdf(key, bound, ascii('HEADER_TAG:'), 32);
const messageKey = (key: Uint8Array, bound: Bound): Uint8Array =>
  floeKdf(key, bound, ascii('MESSAGE_KEY:'), 48);

function segmentKey(state: ReferenceState, position: bigint): Uint8Array {
  const masked = (position >> state.maskBits) << state.maskBits;
  return floeKdf(state.messageKey, state, concatBytes(ascii('DEK:'), i2be(masked, 8)), 32);
}

const segmentAad = (position: bigint, final: boolean): Uint8Array =>
  concatBytes(i2be(position, 8), Uint8Array.of(final ? 1 : 0));

/** startDecryption, for whatever parameters the header names. */
export function referenceStart(
  key: Uint8Array,
  header: Uint8Array,
  associatedData: Uint8Array,
  maskBits = 20,
): ReferenceState {
  if (header.length !== 74) throw new Error('a header has 74 bytes');
  const parameters = header.slice(0, 10);
  if (parameters[1] !== 0 || be2i(parameters.subarray(6)) !== 32n) throw new Error('unknown parameters');
  const bound = { parameters, iv: header.slice(10, 42), associatedData };
  if (be2i(headerTag(key, bound)) !== be2i(header.subarray(42))) throw new Error('invalid header tag');
  return {
    ...bound,
    aead: aeadOf(parameters[0] as number),
    segmentBytes: Number(be2i(parameters.subarray(2, 6))),
    messageKey: messageKey(key, bound),
    maskBits: BigInt(maskBits),
  };
}

/** decryptSegment. */
export function referenceOpenSegment(
  state: ReferenceState,
  sealed: Uint8Array,
  position: bigint,
  final: boolean,
): Uint8Array {
  const { nonceBytes, cipher } = state.aead;
  const prefix = be2i(sealed.subarray(0, 4));
  if (final) {
    if (sealed.length < 4 + nonceBytes + 16 || sealed.length > state.segmentBytes)
      throw new Error('bad length');
    if (prefix !== BigInt(sealed.length)) throw new Error('not the last segment');
  } else {
    if (sealed.length !== state.segmentBytes) throw new Error('bad length');
    if (prefix !== 0xffffffffn) throw new Error('the last segment too early');
  }
  const nonce = sealed.subarray(4, 4 + nonceBytes);
  return cipher(segmentKey(state, position), nonce, segmentAad(position, final)).decrypt(
    sealed.subarray(4 + nonceBytes),
  );
}

/** A whole message; which segment is the last follows from the length of the message. */
export function referenceDecrypt(
  key: Uint8Array,
  message: Uint8Array,
  associatedData: Uint8Array,
  maskBits = 20,
): Uint8Array {
  const state = referenceStart(key, message.subarray(0, 74), associatedData, maskBits);
  const body = message.subarray(74);
  const plain: Uint8Array[] = [];
  let position = 0n;
  let at = 0;
  for (; body.length - at > state.segmentBytes; at += state.segmentBytes, position++) {
    plain.push(referenceOpenSegment(state, body.subarray(at, at + state.segmentBytes), position, false));
  }
  plain.push(referenceOpenSegment(state, body.subarray(at), position, true));
  return concatBytes(...plain);
}

export interface ReferenceMessage {
  readonly aeadId: number;
  readonly segmentBytes: number;
  readonly iv: Uint8Array;
  /** The nonce of a segment: chosen by the caller, so that messages can be made again byte for byte. */
  readonly nonce: (position: bigint) => Uint8Array;
  readonly associatedData: Uint8Array;
  readonly maskBits?: number;
  /** Whole segments followed by an empty last one, which readers must accept. */
  readonly emptyLast?: boolean;
}

/** startEncryption and encryptSegment over a whole plaintext. */
export function referenceEncrypt(key: Uint8Array, plain: Uint8Array, options: ReferenceMessage): Uint8Array {
  const { aeadId, segmentBytes, iv, associatedData } = options;
  const aead = aeadOf(aeadId);
  const parameters = concatBytes(Uint8Array.of(aeadId, 0), i2be(BigInt(segmentBytes), 4), i2be(32n, 4));
  const bound = { parameters, iv, associatedData };
  const maskBits = BigInt(options.maskBits ?? 20);
  const state = { ...bound, aead, segmentBytes, messageKey: messageKey(key, bound), maskBits };
  const message = [parameters, iv, headerTag(key, bound)];
  const step = segmentBytes - 4 - aead.nonceBytes - 16;
  let position = 0n;
  let at = 0;
  for (
    ;
    options.emptyLast === true ? plain.length - at >= step : plain.length - at > step;
    at += step, position++
  ) {
    message.push(sealSegment(state, plain.subarray(at, at + step), position, false, options.nonce(position)));
  }
  message.push(sealSegment(state, plain.subarray(at), position, true, options.nonce(position)));
  return concatBytes(...message);
}

function sealSegment(
  state: ReferenceState,
  plain: Uint8Array,
  position: bigint,
  final: boolean,
  nonce: Uint8Array,
): Uint8Array {
  const sealed = state.aead
    .cipher(segmentKey(state, position), nonce, segmentAad(position, final))
    .encrypt(plain);
  const length = final ? BigInt(4 + nonce.length + sealed.length) : 0xffffffffn;
  return concatBytes(i2be(length, 4), nonce, sealed);
}
