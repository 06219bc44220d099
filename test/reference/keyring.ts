/** A keyring read a second time: docs/format/keyring-v1.md on noble and JSON.parse, sharing no code with src. */

import { concatBytes, equalBytes } from '@noble/ciphers/utils.js';
import { hmac } from '@noble/hashes/hmac.js';
import { sha256 } from '@noble/hashes/sha2.js';
import {
  ascii,
  bigEndian,
  referenceExpand,
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceUnwrap,
} from './keys.ts';

export const base64url = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'base64url'));
const toBase64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

/** As it stands in the payload. */
export interface ReferenceSlot {
  readonly type: string;
  readonly keyId: string;
  readonly label?: string;
  readonly primary: boolean;
  readonly created: string;
  readonly wrap: string;
}

export interface ReferenceVolumeKey {
  readonly version: number;
  readonly keyId: string;
  readonly state: string;
  readonly created: string;
  readonly changed: string;
  readonly wrap?: string;
}

export interface ReferencePayload {
  readonly volumeId: string;
  readonly generation: number;
  readonly created: string;
  readonly changed: string;
  readonly policy: Readonly<Record<string, unknown>>;
  readonly slots: readonly ReferenceSlot[];
  readonly volumeKeys: readonly ReferenceVolumeKey[];
}

export interface ReferenceDocument {
  readonly volsealKeyring: number;
  readonly payload: string;
  readonly mac: string;
}

export function referenceDocument(document: Uint8Array): ReferenceDocument {
  return JSON.parse(Buffer.from(document).toString('utf8')) as ReferenceDocument;
}

export function referencePayload(document: Uint8Array): ReferencePayload {
  const payload = base64url(referenceDocument(document).payload);
  return JSON.parse(Buffer.from(payload).toString('utf8')) as ReferencePayload;
}

const slotTypes: Readonly<Record<string, number>> = { 'fly-secrets': 2, recovery: 3 };

export function referenceKeyringSlotAad(volumeId: Uint8Array, type: string, keyId: Uint8Array): Uint8Array {
  return concatBytes(
    ascii('volseal/v1/keyring-slot'),
    volumeId,
    Uint8Array.of(slotTypes[type] ?? Number.NaN),
    keyId,
  );
}

/** The 16 bytes that a shown key id begins with. */
export function keyIdBytesOf(text: string): Uint8Array {
  const bits = Array.from(text.replaceAll('-', ''), (character) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(character).toString(2).padStart(5, '0'),
  ).join('');
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).slice(0, 16), (eight) => Number.parseInt(eight, 2));
}

/** The keyring key out of the slot of this key material. Throws when there is none, or it does not open. */
function referenceKeyringKey(payload: ReferencePayload, type: string, ikm: Uint8Array): Uint8Array {
  const keyId = referenceKeyId(ikm);
  const slot = payload.slots.find((one) => one.type === type && one.keyId === referenceKeyIdText(keyId));
  if (slot === undefined) throw new Error('no slot of this key');
  const volumeId = base64url(payload.volumeId);
  const aad = referenceKeyringSlotAad(volumeId, type, keyId);
  return referenceUnwrap(referenceKek(ikm, 1, volumeId), base64url(slot.wrap), aad);
}

function referenceMac(keyringKey: Uint8Array, payload: Uint8Array): Uint8Array {
  return hmac(sha256, referenceExpand(keyringKey, 'volseal/v1/keyring-mac'), payload);
}

function volumeKeyAad(volumeId: Uint8Array, keyId: Uint8Array, version: number): Uint8Array {
  return concatBytes(volumeId, keyId, bigEndian(BigInt(version), 4));
}

/** The 32 bytes of a volume key. */
function referenceVolumeKey(
  keyringKey: Uint8Array,
  payload: ReferencePayload,
  { keyId, version, wrap }: ReferenceVolumeKey,
): Uint8Array {
  const aad = volumeKeyAad(base64url(payload.volumeId), keyIdBytesOf(keyId), version);
  return referenceUnwrap(referenceExpand(keyringKey, 'volseal/v1/keyring-wrap'), base64url(wrap ?? ''), aad);
}

/** A document of any payload text under this keyring key: what an attacker who holds the key, or a later version, can write. */
export function referenceSeal(keyringKey: Uint8Array, payloadText: string): Uint8Array {
  const payload = Uint8Array.from(Buffer.from(payloadText, 'utf8'));
  const mac = referenceMac(keyringKey, payload);
  return documentOf(payload, mac);
}

export function documentOf(payload: Uint8Array, mac: Uint8Array): Uint8Array {
  const text = JSON.stringify({
    volsealKeyring: 1,
    payload: toBase64url(payload),
    mac: toBase64url(mac),
  });
  return Uint8Array.from(Buffer.from(text));
}

/** Everything of a keyring, in the order of the document: slot, MAC, volume keys. */
export function referenceOpen(
  document: Uint8Array,
  type: string,
  ikm: Uint8Array,
): { payload: ReferencePayload; keyringKey: Uint8Array; volumeKeys: ReadonlyMap<number, Uint8Array> } {
  const { mac, payload: encoded } = referenceDocument(document);
  const payload = referencePayload(document);
  const keyringKey = referenceKeyringKey(payload, type, ikm);
  if (!equalBytes(referenceMac(keyringKey, base64url(encoded)), base64url(mac))) {
    throw new Error('the MAC does not match');
  }
  const volumeKeys = new Map<number, Uint8Array>();
  for (const record of payload.volumeKeys) {
    if (record.wrap !== undefined)
      volumeKeys.set(record.version, referenceVolumeKey(keyringKey, payload, record));
  }
  return { payload, keyringKey, volumeKeys };
}

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

/** The text of a recovery key. */
export function referenceRecoveryText(key: Uint8Array): string {
  const check = sha256(concatBytes(ascii('volseal/v1/recovery-check'), key)).subarray(0, 3);
  const bits = [...key, ...check].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const characters = (bits.match(/.{5}/g) ?? []).map((five) => crockford[Number.parseInt(five, 2)]);
  return `vrk1-${(characters.join('').match(/.{4}/g) ?? []).join('-')}`;
}

/** The 32 bytes of a recovery key in the form in which it is printed. */
export function recoveryBytesOf(text: string): Uint8Array {
  const bits = Array.from(text.slice(5).replaceAll('-', ''), (character) =>
    crockford.indexOf(character).toString(2).padStart(5, '0'),
  ).join('');
  return Uint8Array.from((bits.match(/.{8}/g) ?? []).slice(0, 32), (eight) => Number.parseInt(eight, 2));
}
