/** HKDF-Expand (RFC 5869 §2.3) and the one table of the labels that keep derived keys apart (docs/format/v1.md). */

import { hkdfSync } from 'node:crypto';

import { ascii } from '../bytes.ts';
import { Secret } from '../secret.ts';
import { hmacOnce } from './hmac.ts';

type LabelName =
  | 'kekSalt'
  | 'keyIdSalt'
  | 'keyCheck'
  | 'slot'
  | 'keyringSlot'
  | 'keyringMac'
  | 'keyringWrap'
  | 'recoveryCheck'
  | 'slotEncryption'
  | 'slotCommitment'
  | 'externalKey'
  | 'headerMac'
  | 'floeKey'
  | 'journal'
  | 'body';

/** Every label of the formats. Two uses never share one. */
export const labels: Readonly<Record<LabelName, Uint8Array>> = {
  kekSalt: ascii('volseal/v1/kek'),
  keyIdSalt: ascii('volseal/v1/kid'),
  keyCheck: ascii('volseal/v1/key-check'),
  slot: ascii('volseal/v1/slot'),
  keyringSlot: ascii('volseal/v1/keyring-slot'),
  keyringMac: ascii('volseal/v1/keyring-mac'),
  keyringWrap: ascii('volseal/v1/keyring-wrap'),
  recoveryCheck: ascii('volseal/v1/recovery-check'),
  slotEncryption: ascii('volseal/v1/slot-enc'),
  slotCommitment: ascii('volseal/v1/slot-com'),
  externalKey: ascii('volseal/v1/external-key'),
  headerMac: ascii('volseal/v1/header-mac'),
  floeKey: ascii('volseal/v1/floe'),
  journal: ascii('volseal/v1/journal'),
  body: ascii('volseal/v1/body'),
};

const one = Uint8Array.of(1);

/** The first block of HKDF-Expand-SHA-256: E(key, label, 32) of docs/format/v1.md §1. */
export function expand32(key: Secret, label: Uint8Array): Secret {
  return new Secret(hmacOnce('sha256', key, [label, one]));
}

/**
 * The first `bytes` (at most 48) bytes of HKDF-Expand-SHA-384 over the parts joined (c2sp.org/FLOE, KDF id 0).
 * `crypto.hkdf` always extracts first and limits `info`, so Expand is written as the HMAC it is.
 */
export function expandSha384(key: Secret, info: readonly Uint8Array[], bytes: number): Uint8Array {
  return hmacOnce('sha384', key, [...info, one]).subarray(0, bytes);
}

/** HKDF-SHA-256 (RFC 5869), extract and expand. */
export function hkdfSha256(ikm: Secret, salt: Uint8Array, info: Uint8Array, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', ikm.bytes(), salt, info, bytes));
}
