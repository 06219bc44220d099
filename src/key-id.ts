/** Key ids: 16 bytes on disk, eight groups of four base32 characters for people (docs/format/v1.md §4.3). */

import { createHash } from 'node:crypto';

import { ascii, bytesEqual } from './bytes.ts';
import { keyIdBytes } from './limits.ts';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const checkBytes = 4;
const checkLabel = ascii('volseal/v1/key-id-check');
const shownPattern = /^(?:[A-Z2-7]{4}-){7}[A-Z2-7]{4}$/;

function check(keyId: Uint8Array): Uint8Array {
  return createHash('sha256').update(checkLabel).update(keyId).digest().subarray(0, checkBytes);
}

let lastFormatted: Uint8Array | undefined;
let lastFormattedText = '';

/** The shown form of a 16-byte key id, such as `ABCD-EFGH-…` (39 characters). */
export function formatKeyId(keyId: Uint8Array): string {
  // Most processes open what was sealed under one key.
  if (lastFormatted === undefined || !bytesEqual(lastFormatted, keyId)) {
    lastFormattedText = format(keyId);
    lastFormatted = new Uint8Array(keyId); // `slice` of a Buffer would share its memory
  }
  return lastFormattedText;
}

function format(keyId: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of [...keyId, ...check(keyId)]) {
    bits = (bits << 8) | byte;
    bitCount += 8;
    while (bitCount >= 5) {
      bitCount -= 5;
      text += alphabet[(bits >>> bitCount) & 31];
    }
    bits &= (1 << bitCount) - 1;
  }
  return (text.match(/.{4}/g) as string[]).join('-');
}

let lastText = '';
let lastKeyId: Uint8Array | undefined;

/** The 16 bytes behind a shown key id, or undefined when it is not one (it carries a checksum). */
export function parseKeyId(text: string): Uint8Array | undefined {
  // Most processes seal under one key.
  if (text !== lastText) {
    lastKeyId = parse(text);
    lastText = text;
  }
  return lastKeyId?.slice();
}

function parse(text: string): Uint8Array | undefined {
  if (!shownPattern.test(text)) return undefined;
  const bytes: number[] = [];
  let bits = 0;
  let bitCount = 0;
  for (const character of text) {
    if (character === '-') continue;
    bits = (bits << 5) | alphabet.indexOf(character);
    bitCount += 5;
    if (bitCount >= 8) {
      bitCount -= 8;
      bytes.push(bits >>> bitCount);
      bits &= (1 << bitCount) - 1;
    }
  }
  const keyId = Uint8Array.from(bytes.slice(0, keyIdBytes));
  return bytesEqual(check(keyId), Uint8Array.from(bytes.slice(keyIdBytes))) ? keyId : undefined;
}
