/** Secrets as text and as mounted files: what is taken, as which keys, and what is refused (docs/format/v1.md §4.3). */

import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hkdfSha256, labels } from '../../../src/aead/kdf.ts';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { formatKeyId } from '../../../src/key-id.ts';
import { generateSecret, parseSecretFile, parseSecretText } from '../../../src/kms/secret-value.ts';
import type { Secret } from '../../../src/secret.ts';
import {
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceSecretText,
} from '../../reference/keys.ts';

interface Value {
  readonly name: string;
  readonly text?: string;
  readonly fileHex?: string;
}

interface Accepted extends Value {
  readonly ikm: string;
  readonly keyId: string;
  readonly streamKek: string;
  readonly volumeKek: string;
  readonly databaseKek: string;
}

interface Refused extends Value {
  readonly words: string;
}

const bytes = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text, 'hex'));
const path = new URL('../../vectors/secrets.json', import.meta.url);
const vectors = JSON.parse(readFileSync(path, 'utf8')) as {
  volumeId: string;
  databaseId: string;
  accepted: Accepted[];
  refused: Refused[];
};

function parse({ text, fileHex }: Value): Secret {
  return text === undefined
    ? parseSecretFile('VOLSEAL_SECRET_v1', bytes(fileHex as string))
    : parseSecretText('VOLSEAL_SECRET_v1', text);
}

test('the vector file has what it should', () => {
  expect([vectors.accepted.length, vectors.refused.length]).toEqual([28, 56]);
});

describe.each(vectors.accepted)('taken: $name', (vector) => {
  const ikm = bytes(vector.ikm);

  test('as the expected key material', () => {
    expect(hex(parse(vector).bytes())).toBe(vector.ikm);
  });

  test('with the expected key id and key-encryption keys, of src and of the reference', () => {
    const secret = parse(vector);
    expect(formatKeyId(hkdfSha256(secret, labels.keyIdSalt, new Uint8Array(0), 16))).toBe(vector.keyId);
    expect(referenceKeyIdText(referenceKeyId(ikm))).toBe(vector.keyId);
    const scopes = [
      [0, new Uint8Array(16), vector.streamKek],
      [1, bytes(vectors.volumeId), vector.volumeKek],
      [2, bytes(vectors.databaseId), vector.databaseKek],
    ] as const;
    for (const [scope, id, kek] of scopes) {
      expect(hex(hkdfSha256(secret, labels.kekSalt, concatBytes(Uint8Array.of(scope), id), 32))).toBe(kek);
      expect(hex(referenceKek(ikm, scope, id))).toBe(kek);
    }
  });
});

test.each(vectors.refused)('refused: $name', (vector) => {
  let thrown: unknown;
  try {
    parse(vector);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'ERR_VOLSEAL_SECRET_INVALID', name: 'VolsealError' });
  const { message, hint } = thrown as { message: string; hint: string };
  expect(message).toMatch(/^VOLSEAL_SECRET_v1 /);
  expect(message).toContain(vector.words);
  expect(hint).toMatch(/volseal keygen|copy (it|the secret) again|save it as plain ASCII/);
  // Not the value, nor a piece of it that is worth anything.
  const value = vector.text ?? '';
  for (let at = 0; at + 8 <= value.trim().length; at += 4)
    expect(message + hint).not.toContain(value.trim().slice(at, at + 8));
});

test('what keygen makes is taken, and is what the reference writes', () => {
  const made = Array.from({ length: 200 }, generateSecret);
  expect(new Set(made).size).toBe(200);
  for (const text of made) {
    expect(text).toMatch(/^vsk1\.[A-Za-z0-9_-]{48}$/);
    const ikm = parseSecretText('x', text).bytes();
    expect(ikm).toHaveLength(32);
    expect(referenceSecretText(ikm)).toBe(text);
  }
});

test('any one changed character of a keygen text is noticed', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const text = generateSecret();
  fc.assert(
    fc.property(
      fc.integer({ min: 5, max: text.length - 1 }),
      fc.constantFrom(...alphabet),
      (at, character) => {
        fc.pre(text[at] !== character);
        const changed = text.slice(0, at) + character + text.slice(at + 1);
        expect(() => parseSecretText('x', changed)).toThrow(
          expect.objectContaining({ code: 'ERR_VOLSEAL_SECRET_INVALID' }),
        );
      },
    ),
  );
});

test('random bytes give one key in every spelling', () => {
  fc.assert(
    // Bounded from below by what a random value always has: many different bytes, letters of both cases in base64.
    fc.property(fc.uint8Array({ minLength: 40, maxLength: 64 }), (raw) => {
      const buffer = Buffer.from(raw);
      const base64 = buffer.toString('base64');
      fc.pre(
        new Set(raw).size >= 20 &&
          /[A-Z]/.test(base64) &&
          /[a-z]/.test(base64) &&
          raw.some((byte) => byte > 126),
      );
      const spellings = [
        buffer.toString('hex'),
        buffer.toString('hex').toUpperCase(),
        base64,
        base64.replace(/=+$/, ''),
        buffer.toString('base64url'),
        `\n${base64}\r\n`,
      ];
      for (const text of spellings) expect(hex(parseSecretText('x', text).bytes())).toBe(hex(raw));
      for (const file of [raw, ...spellings.map((text) => Buffer.from(text))]) {
        expect(hex(parseSecretFile('x', file).bytes())).toBe(hex(raw));
      }
    }),
    { numRuns: 200 },
  );
});

test('any text at all is taken or refused with our code, and never taken as fewer than 32 bytes', () => {
  const text = fc.oneof(
    fc.string({ maxLength: 200, unit: 'binary' }),
    fc.string({ maxLength: 140, unit: fc.constantFrom(...'abcdefABCDEF0123456789') }),
    fc.string({ minLength: 40, maxLength: 90, unit: fc.constantFrom(...'abcXYZ019+/-_=') }),
  );
  fc.assert(
    fc.property(text, (value) => {
      try {
        const { byteLength } = parseSecretText('x', value);
        expect(byteLength).toBeGreaterThanOrEqual(32);
        expect(byteLength).toBeLessThanOrEqual(64);
      } catch (error) {
        expect(error).toMatchObject({ code: 'ERR_VOLSEAL_SECRET_INVALID' });
      }
    }),
    { numRuns: 1_000 },
  );
});

test('a secret taken from a file does not share the memory of what was read', () => {
  const raw = bytes((vectors.accepted[0] as Accepted).ikm);
  const secret = parseSecretFile('x', raw);
  raw.fill(0);
  expect(hex(secret.bytes())).toBe((vectors.accepted[0] as Accepted).ikm);
});
