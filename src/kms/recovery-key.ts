/**
 * `recoveryKey()`: a key on paper, for the day when the secret is gone. As text it is `vrk1-` and 14 groups of four
 * characters of Crockford's base32: 32 random bytes and a checksum (docs/format/keyring-v1.md §6).
 */

import { createHash } from 'node:crypto';

import { labels } from '../aead/kdf.ts';
import { bytesEqual, concatBytes } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { throwIfAborted } from '../options.ts';
import { randomSecret } from '../random.ts';
import { Secret } from '../secret.ts';
import { LocalKey } from './local-key.ts';
import type { KeyProvider, ProviderInfo, WrapInfo, WrappedKey } from './provider.ts';

const slotType = 3;
const prefix = 'VRK1';
/** Digits and capitals without I, L, O and U. */
const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const keyBytes = 32;
const checkBytes = 3;
const characters = ((keyBytes + checkBytes) * 8) / 5;
const groupLength = 4;

function check(key: Uint8Array): Uint8Array {
  return createHash('sha256').update(labels.recoveryCheck).update(key).digest().subarray(0, checkBytes);
}

/** A new recovery key as text, 74 characters; whoever has it opens what it was made for. */
export function makeRecoveryKey(): string {
  const key = randomSecret(keyBytes);
  const text = formatRecoveryKey(key);
  key.fill(0);
  return text;
}

function formatRecoveryKey(key: Uint8Array): string {
  let text = '';
  let bits = 0;
  let bitCount = 0;
  for (const byte of concatBytes(key, check(key))) {
    bits = (bits << 8) | byte;
    for (bitCount += 8; bitCount >= 5; bitCount -= 5) text += alphabet[(bits >>> (bitCount - 5)) & 31];
    bits &= (1 << bitCount) - 1;
  }
  return `vrk1-${(text.match(/.{4}/g) as string[]).join('-')}`;
}

function refuse(why: string, hint: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_SECRET_INVALID', `the recovery key ${why}`, { hint });
}

const compareHint = 'compare it with what was written down, group by group';

/**
 * The 32 bytes behind a text. Case, spaces, dashes and line ends do not matter, the prefix may be missing, and I, L and O
 * are read as the digits they look like.
 */
function parseRecoveryKey(text: string): Uint8Array {
  if (/^\s*vsk1\./i.test(text)) {
    throw refuse(
      'is a secret, which begins with vsk1., and no recovery key',
      'recovery keys begin with vrk1-',
    );
  }
  const bare = text
    .toUpperCase()
    .replace(/[\s\p{Dash}_.]+/gu, '')
    .replaceAll(/[IL]/g, '1')
    .replaceAll('O', '0');
  if (bare === '') throw refuse('is empty', 'it begins with vrk1- and was printed when the volume was made');
  const digits = bare.startsWith(prefix) && !isWhole(bare) ? bare.slice(prefix.length) : bare;
  const bad = Array.from(digits).findIndex((character) => !alphabet.includes(character));
  if (bad !== -1) {
    throw refuse(
      `has a character in group ${groupOf(bad)} that recovery keys do not have`,
      'they have digits and letters without I, L, O and U',
    );
  }
  if (digits.length !== characters) {
    const count = Math.abs(digits.length - characters);
    const difference = digits.length < characters ? `${count} missing` : `${count} too many`;
    throw refuse(
      `has ${digits.length} characters after vrk1-, where it takes ${characters}: ${difference}`,
      compareHint,
    );
  }
  const values = valuesOf(digits);
  const key = keyOf(values);
  if (key !== undefined) return key;
  const group = likelyMistake(values);
  throw refuse(
    'has a typing or copying error: its checksum does not match',
    group === undefined ? compareHint : `compare group ${group} with what was written down`,
  );
}

function valuesOf(digits: string): number[] {
  return Array.from(digits, (character) => alphabet.indexOf(character));
}

/** One key in a million begins with the four characters of the prefix. */
function isWhole(digits: string): boolean {
  if (digits.length !== characters) return false;
  const key = keyOf(valuesOf(digits));
  key?.fill(0);
  return key !== undefined;
}

function groupOf(index: number): number {
  return Math.floor(index / groupLength) + 1;
}

/** The key of 56 five-bit values, when their checksum matches. */
function keyOf(values: readonly number[]): Uint8Array | undefined {
  const bytes = new Uint8Array(keyBytes + checkBytes);
  let at = 0;
  let bits = 0;
  let bitCount = 0;
  for (const value of values) {
    bits = (bits << 5) | value;
    bitCount += 5;
    if (bitCount < 8) continue;
    bitCount -= 8;
    bytes[at++] = bits >>> bitCount;
    bits &= (1 << bitCount) - 1;
  }
  const key = bytes.slice(0, keyBytes);
  if (bytesEqual(check(key), bytes.subarray(keyBytes))) return key;
  key.fill(0);
  return undefined;
}

/** The group where one other character, or two neighbours exchanged, would make the checksum match. */
function likelyMistake(values: readonly number[]): number | undefined {
  const tryWith = (changed: readonly number[]): boolean => {
    const key = keyOf(changed);
    key?.fill(0);
    return key !== undefined;
  };
  for (let i = 0; i < values.length; i++) {
    for (let value = 0; value < alphabet.length; value++)
      if (tryWith(values.with(i, value))) return groupOf(i);
    const [left, right] = [values[i], values[i + 1]];
    if (right !== undefined && tryWith(values.with(i, right).with(i + 1, left as number))) return groupOf(i);
  }
  return undefined;
}

/**
 * A provider over the key of this text. It wraps and unwraps as a Fly secret does, in slots of its own type.
 * @throws VolsealError `ERR_VOLSEAL_SECRET_INVALID`; the message tells where the mistake is, as far as that can be told
 */
export function recoveryKey(text: string): KeyProvider {
  if (typeof text !== 'string') throw refuse('must be text', 'it begins with vrk1-');
  return new RecoveryKey(parseRecoveryKey(text));
}

class RecoveryKey implements KeyProvider {
  readonly type = 'recovery';
  readonly #key: LocalKey;
  #closed = false;

  constructor(key: Uint8Array) {
    this.#key = new LocalKey(slotType, new Secret(key));
  }

  async wrap(key: Uint8Array, info: WrapInfo): Promise<WrappedKey> {
    this.#checkOpen(info);
    return { type: this.type, keyId: this.#key.keyId, bytes: this.#key.wrap(key, info) };
  }

  async unwrap(wrapped: WrappedKey, info: WrapInfo): Promise<Uint8Array> {
    this.#checkOpen(info);
    const { keyId } = this.#key;
    if (wrapped.keyId !== keyId) {
      throw new VolsealError('ERR_VOLSEAL_KEY_MISSING', `this recovery key is not ${wrapped.keyId}`, {
        hint: `it has the key id ${keyId}; find the one that was made for this volume`,
      });
    }
    const key = this.#key.unwrap(wrapped.bytes, info);
    if (key !== undefined) return key;
    throw new VolsealError(
      'ERR_VOLSEAL_WRONG_KEY',
      `the slot of the recovery key (key id ${keyId}) does not open: it was changed or comes from elsewhere`,
      { hint: 'restore it from a backup' },
    );
  }

  async describe(): Promise<ProviderInfo> {
    const { keyId } = this.#key;
    return { type: this.type, primary: keyId, keys: [{ keyId, primary: true }] };
  }

  #checkOpen({ signal }: WrapInfo): void {
    throwIfAborted(signal);
    if (this.#closed) {
      throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the recovery key was closed', {
        hint: 'call recoveryKey() again, or close later',
      });
    }
  }

  close(): void {
    this.#closed = true;
    this.#key.wipe();
  }
}
