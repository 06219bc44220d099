/** Key slots, format version 1: bytes to and from what a key provider understands (docs/format/v1.md §4). */

import { createHash } from 'node:crypto';

import { labels } from '../../aead/kdf.ts';
import { ascii, bytesEqual, concatBytes, readU16, readU32, u16, u32, utf8 } from '../../bytes.ts';
import { internalError, VolsealError } from '../../errors.ts';
import { formatKeyId, parseKeyId } from '../../key-id.ts';
import { localWrapBytes } from '../../kms/local-wrap.ts';
import type { WrappedKey } from '../../kms/provider.ts';
import { keyIdBytes, maxExternalWrapBytes, maxHintBytes } from '../../limits.ts';
import { slotHeadBytes } from './constants.ts';

/** Providers whose wrap is the local one, by slot type. */
const localTypes: ReadonlyMap<number, string> = new Map([
  [1, 'volume-key'],
  [2, 'fly-secrets'],
  [3, 'recovery'],
]);
const externalType = 128;
const hintPattern = /^[A-Za-z0-9_]{0,32}$/;

/** A key slot as read: what a provider unwraps, and what people are shown. */
export interface Slot {
  readonly wrapped: WrappedKey;
  readonly keyVersion: number;
  /** The label that the secret had when the slot was written. */
  readonly label?: string;
}

export function slotFromWrapped(wrapped: WrappedKey, keyVersion: number = 0): Slot {
  const label = localTypes.has(slotTypeOf(wrapped.type))
    ? Buffer.from(wrapped.bytes.subarray(localWrapBytes)).toString('latin1')
    : '';
  return label === '' ? { wrapped, keyVersion } : { wrapped, keyVersion, label };
}

function slotTypeOf(providerType: string): number {
  for (const [type, name] of localTypes) if (name === providerType) return type;
  return externalType;
}

export function encodeSlot(slot: Slot): Uint8Array {
  const { type: providerType, keyId, bytes } = slot.wrapped;
  const type = slotTypeOf(providerType);
  if (type === externalType) return encodeExternal(providerType, keyId, bytes);
  const rawKeyId = parseKeyId(keyId);
  const hint = bytes.subarray(localWrapBytes);
  if (
    rawKeyId === undefined ||
    bytes.length < localWrapBytes ||
    !hintPattern.test(Buffer.from(hint).toString('latin1'))
  ) {
    throw internalError(`malformed wrap of provider ${providerType}`);
  }
  return concatBytes(Uint8Array.of(type, hint.length), rawKeyId, u32(slot.keyVersion), bytes);
}

function encodeExternal(providerType: string, keyId: string, bytes: Uint8Array): Uint8Array {
  const type = ascii(providerType);
  const id = utf8(keyId);
  const blob = concatBytes(Uint8Array.of(type.length), type, u16(id.length), id, u16(bytes.length), bytes);
  if (
    !/^[\x21-\x7e]{1,64}$/.test(providerType) ||
    id.length === 0 ||
    !keyId.isWellFormed() ||
    blob.length > maxExternalWrapBytes
  ) {
    throw new VolsealError(
      'ERR_VOLSEAL_PROVIDER_FAILED',
      `key provider ${JSON.stringify(providerType)} returned a wrap that does not fit`,
      {
        hint: `type, key id and wrapped key may take ${maxExternalWrapBytes} bytes together`,
      },
    );
  }
  return concatBytes(Uint8Array.of(externalType, 0), externalKeyId(type, id), u32(0), blob);
}

function externalKeyId(type: Uint8Array, keyId: Uint8Array): Uint8Array {
  const separator = Uint8Array.of(0);
  const digest = createHash('sha256')
    .update(labels.externalKey)
    .update(separator)
    .update(type)
    .update(separator)
    .update(keyId)
    .digest();
  return digest.subarray(0, keyIdBytes);
}

/** A slot from its bytes, or undefined when they are not one. */
export function parseSlot(bytes: Uint8Array): Slot | undefined {
  if (bytes.length <= slotHeadBytes) return undefined;
  const type = bytes[0] as number;
  const hintBytes = bytes[1] as number;
  const rawKeyId = bytes.subarray(2, 2 + keyIdBytes);
  const keyVersion = readU32(bytes, 2 + keyIdBytes);
  const rest = bytes.slice(slotHeadBytes);
  if (type === externalType)
    return hintBytes === 0 && keyVersion === 0 ? parseExternal(rawKeyId, rest) : undefined;
  const providerType = localTypes.get(type);
  if (providerType === undefined) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
      `it has a key slot of an unknown type (${type})`,
      {
        hint: 'a newer volseal may know it; upgrade and try again',
      },
    );
  }
  const hint = Buffer.from(rest.subarray(localWrapBytes)).toString('latin1');
  if (rest.length !== localWrapBytes + hintBytes || hintBytes > maxHintBytes || !hintPattern.test(hint))
    return undefined;
  if (type === 1 ? hintBytes !== 0 : keyVersion !== 0) return undefined;
  return slotFromWrapped({ type: providerType, keyId: formatKeyId(rawKeyId), bytes: rest }, keyVersion);
}

function parseExternal(rawKeyId: Uint8Array, blob: Uint8Array): Slot | undefined {
  if (blob.length > maxExternalWrapBytes) return undefined;
  const typeBytes = blob[0] as number;
  const idAt = 1 + typeBytes + 2;
  if (typeBytes === 0 || idAt > blob.length) return undefined;
  const bytesAt = idAt + readU16(blob, idAt - 2) + 2;
  if (bytesAt === idAt + 2 || bytesAt > blob.length) return undefined;
  if (bytesAt + readU16(blob, bytesAt - 2) !== blob.length) return undefined;
  const type = blob.subarray(1, 1 + typeBytes);
  const id = blob.subarray(idAt, bytesAt - 2);
  const keyId = Buffer.from(id).toString('utf8');
  const providerType = Buffer.from(type).toString('latin1');
  if (!/^[\x21-\x7e]{1,64}$/.test(providerType) || !bytesEqual(utf8(keyId), id)) return undefined;
  if (!bytesEqual(externalKeyId(type, id), rawKeyId)) return undefined;
  return { wrapped: { type: providerType, keyId, bytes: blob.subarray(bytesAt) }, keyVersion: 0 };
}
