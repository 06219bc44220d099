/** The value of a secret: made by `volseal keygen`, parsed from text or from a mounted file (docs/format/v1.md §4.3). */

import { createHash } from 'node:crypto';

import { labels } from '../aead/kdf.ts';
import { bytesEqual, concatBytes } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { maxSecretBytes, minSecretBytes } from '../limits.ts';
import { randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';

const prefix = 'vsk1.';
const generatedBytes = 32;
const checkBytes = 4;

function check(ikm: Uint8Array): Uint8Array {
  return createHash('sha256').update(labels.keyCheck).update(ikm).digest().subarray(0, checkBytes);
}

/** A new secret: `vsk1.` and 48 base64url characters (32 random bytes and a checksum). */
export function generateSecret(): string {
  const ikm = randomSecret(generatedBytes);
  const text = prefix + Buffer.from(concatBytes(ikm, check(ikm))).toString('base64url');
  ikm.fill(0);
  return text;
}

const keygenHint = 'make a secret with: volseal keygen';

function refuse(name: string, why: string, hint: string = keygenHint): VolsealError {
  return new VolsealError('ERR_VOLSEAL_SECRET_INVALID', `${name} ${why}`, { hint });
}

/**
 * Input key material from the text of a secret.
 * @param name what to call the secret in errors; its value never appears there
 * @throws VolsealError `ERR_VOLSEAL_SECRET_INVALID`
 */
export function parseSecretText(name: string, value: string): Secret {
  const text = value.replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, '');
  if (text === '') throw refuse(name, 'is empty');
  const ikm = text.startsWith(prefix) ? parseGenerated(name, text) : parseForeign(name, text);
  refuseGuessable(name, ikm);
  return new Secret(ikm);
}

function parseGenerated(name: string, text: string): Uint8Array {
  const encoded = text.slice(prefix.length);
  const bytes = decodeBase64(encoded);
  if (bytes?.length !== generatedBytes + checkBytes || /[+/=]/.test(encoded)) {
    throw refuse(
      name,
      'starts like a volseal secret but is not a whole one',
      'copy it again in full: vsk1. and 48 characters',
    );
  }
  const ikm = bytes.subarray(0, generatedBytes);
  if (bytesEqual(check(ikm), bytes.subarray(generatedBytes))) return ikm;
  throw refuse(name, 'has a typing or copying error: its checksum does not match', 'copy the secret again');
}

function parseForeign(name: string, text: string): Uint8Array {
  // 64 hexadecimal digits are valid base64 too, so hexadecimal is tried first.
  if (/^(?:[0-9a-f]{2}){32,64}$/i.test(text)) return Buffer.from(text, 'hex');
  const bytes = decodeBase64(text);
  const isWords = !/[A-Z]/.test(text) || !/[a-z]/.test(text);
  // Hexadecimal of another length is most likely meant as such, even where it is base64 too.
  if ((bytes === undefined || isWords) && /^(?:[0-9a-f]{2})+$/i.test(text))
    throw wrongLength(name, text.length / 2);
  if (bytes === undefined) throw refuse(name, 'is neither a volseal secret nor hexadecimal nor base64');
  if (bytes.length < minSecretBytes || bytes.length > maxSecretBytes) throw wrongLength(name, bytes.length);
  if (isWords) throw refuse(name, 'looks like words or digits, not like random bytes');
  return bytes;
}

function wrongLength(name: string, bytes: number): VolsealError {
  if (bytes > maxSecretBytes) return refuse(name, `holds ${bytes} bytes, more than ${maxSecretBytes}`);
  return refuse(name, `is too short: ${bytes} bytes where at least ${minSecretBytes} random ones are needed`);
}

/** Canonical base64 or base64url, padded or not; undefined for anything else. */
function decodeBase64(text: string): Uint8Array | undefined {
  const url = /^[A-Za-z0-9_-]+={0,2}$/.test(text);
  if (!url && !/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return undefined;
  const encoding = url ? 'base64url' : 'base64';
  const bytes = Buffer.from(text, encoding);
  const bare = text.replace(/=+$/, '');
  const padded = bare.length + ((4 - (bare.length % 4)) % 4);
  if (text.length !== bare.length && text.length !== padded) return undefined;
  return bytes.toString(encoding).replace(/=+$/, '') === bare ? bytes : undefined;
}

function isText(byte: number): boolean {
  return byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127);
}

/**
 * Input key material from a mounted file: text like a variable's, or 32 to 64 bytes as they are. Fly mounts the
 * base64-decoded value, so both forms of one secret give the same key.
 * @throws VolsealError `ERR_VOLSEAL_SECRET_INVALID`
 */
export function parseSecretFile(name: string, content: Uint8Array): Secret {
  const textBytes = content.reduce((count, byte) => count + (isText(byte) ? 1 : 0), 0);
  if (textBytes === content.length) return parseSecretText(name, Buffer.from(content).toString('latin1'));
  // A byte-order mark or one stray character must not turn text into another key than the variable would give.
  if (textBytes >= content.length * 0.85) {
    throw refuse(
      name,
      'is text with a few bytes that are not ASCII',
      'save it as plain ASCII without a byte-order mark',
    );
  }
  if (content.length < minSecretBytes || content.length > maxSecretBytes)
    throw wrongLength(name, content.length);
  const ikm = Uint8Array.from(content);
  refuseGuessable(name, ikm);
  return new Secret(ikm);
}

/** Catches constants, counters, repeated pieces and encoded text. It cannot catch every guessable value. */
function refuseGuessable(name: string, ikm: Uint8Array): void {
  const distinct = new Set(ikm).size;
  const step = ((ikm[1] as number) - (ikm[0] as number)) & 255;
  const counts = ikm.every((byte, i) => i === 0 || ((byte - (ikm[i - 1] as number)) & 255) === step);
  const repeats = [1, 2, 4, 8, 16].some((period) =>
    ikm.every((byte, i) => i < period || byte === ikm[i - period]),
  );
  if (distinct < 12 || counts || repeats) throw refuse(name, 'is not random: its bytes repeat or count');
  if (ikm.every((byte) => byte >= 32 && byte < 127)) {
    throw refuse(name, 'is encoded text, not random bytes', `${keygenHint} (passphrases are not keys)`);
  }
}
