/** Key ids: 16 bytes on disk, eight groups of four base32 characters for people (docs/format/v1.md §4.3). */

import { createHash } from 'node:crypto';

import { ascii, bytesEqual } from './bytes.ts';
import { keyIdBytes } from './limits.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const checkBytes = 4;
const checkLabel = ascii('volseal/v1/key-id-check');

function check(keyId: Uint8Array): Uint8Array {
  return createHash('sha256').update(checkLabel).update(keyId).digest().subarray(0, checkBytes);
}

/** The shown form of a 16-byte key id, such as `ABCD-EFGH-…` (39 characters). */
export function formatKeyId(keyId: Uint8Array): string {
  const bytes = [...keyId, ...check(keyId)];
  let text = '';
  // Five bytes are eight characters, exactly, four times.
  for (let at = 0; at < bytes.length; at += 5) {
    let value = 0n;
    for (const byte of bytes.slice(at, at + 5)) value = (value << 8n) | BigInt(byte);
    for (let shift = 35n; shift >= 0n; shift -= 5n) text += alphabet[Number((value >> shift) & 31n)];
  }
  return (text.match(/.{4}/g) as string[]).join('-');
}

/** The 16 bytes behind a shown key id, or undefined when it is not one (it carries a checksum). */
export function parseKeyId(text: string): Uint8Array | undefined {
  if (!/^(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}$/.test(text)) return undefined;
  const bytes: number[] = [];
  const characters = text.replaceAll('-', '');
  for (let at = 0; at < characters.length; at += 8) {
    let value = 0n;
    for (const character of characters.slice(at, at + 8)) value = (value << 5n) | BigInt(alphabet.indexOf(character));
    for (let shift = 32n; shift >= 0n; shift -= 8n) bytes.push(Number((value >> shift) & 255n));
  }
  const keyId = Uint8Array.from(bytes.slice(0, keyIdBytes));
  return bytesEqual(check(keyId), Uint8Array.from(bytes.slice(keyIdBytes))) ? keyId : undefined;
}
