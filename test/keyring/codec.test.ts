/** Keyrings as bytes and back, at their limits and past them. */

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, u32 } from '../../src/bytes.ts';
import type { KeyringContent, KeyringSlot, VolumeKeyRecord } from '../../src/keyring/content.ts';
import { decodeDocument, encodeDocument } from '../../src/keyring/v1/document.ts';
import { encodePayload, Payload } from '../../src/keyring/v1/payload.ts';
import { formatKeyId } from '../../src/key-id.ts';
import { arbitraryContent } from './arbitrary-content.ts';
import { codeOf } from './scratch.ts';

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('utf8');
const bytesOf = (document: string): Uint8Array => Uint8Array.from(Buffer.from(document));

test('any content comes back from its bytes', () => {
  fc.assert(
    fc.property(arbitraryContent, (content) => {
      const payload = new Payload(encodePayload(content));
      expect(payload.content()).toEqual(content);
      expect(payload.lock).toEqual({ volumeId: content.volumeId, slots: content.slots });
    }),
    { numRuns: 150 },
  );
});

test('what stands behind the wrap of a Fly secret is its label, and is not stored twice', () => {
  fc.assert(
    fc.property(arbitraryContent, (content) => {
      const withHints: KeyringContent = {
        ...content,
        slots: content.slots.map((slot) => {
          const { wrapped } = slot;
          const isLocal = wrapped.type === 'fly-secrets' || wrapped.type === 'recovery';
          const bytes = isLocal ? concatBytes(wrapped.bytes, bytesOf('hint')) : wrapped.bytes;
          return { ...slot, wrapped: { ...wrapped, bytes } };
        }),
      };
      expect(encodePayload(withHints)).toEqual(encodePayload(content));
    }),
    { numRuns: 30 },
  );
});

test('the outer document comes back from its bytes, and is one line without spaces', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 2_000 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
      (payload, mac) => {
        const document = encodeDocument({ payload, mac });
        expect(text(document)).toMatch(/^\{"volsealKeyring":1,"payload":"[\w-]*","mac":"[\w-]{43}"\}$/);
        expect(decodeDocument(document)).toEqual({ payload, mac });
        const spaced = bytesOf(JSON.stringify(JSON.parse(text(document)), null, 2));
        expect(decodeDocument(spaced)).toEqual({ payload, mac });
      },
    ),
    { numRuns: 100 },
  );
});

const mac = 'A'.repeat(43);

test.each([
  ['another version', `{"volsealKeyring":2,"payload":{},"what":null}`, 'ERR_VOLSEAL_KEYRING_INVALID'],
  ['another version, of valid JSON', `{"volsealKeyring":2,"what":{}}`, 'ERR_VOLSEAL_UNSUPPORTED_VERSION'],
  ['version 0', `{"volsealKeyring":0,"payload":"","mac":"${mac}"}`, 'ERR_VOLSEAL_UNSUPPORTED_VERSION'],
  [
    'the version as text',
    `{"volsealKeyring":"1","payload":"","mac":"${mac}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  ['no version', `{"payload":"","mac":"${mac}"}`, 'ERR_VOLSEAL_KEYRING_INVALID'],
  ['no payload', `{"volsealKeyring":1,"mac":"${mac}"}`, 'ERR_VOLSEAL_KEYRING_INVALID'],
  ['no MAC', `{"volsealKeyring":1,"payload":""}`, 'ERR_VOLSEAL_KEYRING_INVALID'],
  [
    'two payloads',
    `{"volsealKeyring":1,"payload":"","payload":"","mac":"${mac}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  [
    'one member more',
    `{"volsealKeyring":1,"payload":"","mac":"${mac}","x":1}`,
    'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
  ],
  [
    'a MAC of 31 bytes',
    `{"volsealKeyring":1,"payload":"","mac":"${'A'.repeat(42)}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  ['padding', `{"volsealKeyring":1,"payload":"AA==","mac":"${mac}"}`, 'ERR_VOLSEAL_KEYRING_INVALID'],
  [
    'base64 of the other alphabet',
    `{"volsealKeyring":1,"payload":"A+/A","mac":"${mac}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  [
    'unused bits that are not zero',
    `{"volsealKeyring":1,"payload":"AB","mac":"${mac}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  [
    'a line feed in base64url',
    `{"volsealKeyring":1,"payload":"AA\\nAA","mac":"${mac}"}`,
    'ERR_VOLSEAL_KEYRING_INVALID',
  ],
  ['a list', '[]', 'ERR_VOLSEAL_KEYRING_INVALID'],
  ['a text file', 'hello', 'ERR_VOLSEAL_KEYRING_INVALID'],
])('the outer document with %s', async (_name, document, code) => {
  expect(await codeOf(() => decodeDocument(bytesOf(document)))).toBe(code);
});

test('a document of one byte too many is not even parsed', async () => {
  const padded = (bytes: number): Uint8Array => {
    const document = `{"volsealKeyring":1,"payload":"","mac":"${mac}"}`;
    return bytesOf(document + ' '.repeat(bytes - document.length));
  };
  expect(decodeDocument(padded(1_048_576)).payload).toHaveLength(0);
  expect(await codeOf(() => decodeDocument(padded(1_048_577)))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  const tooLong = { payload: new Uint8Array(786_400), mac: new Uint8Array(32) };
  expect(await codeOf(() => encodeDocument(tooLong))).toBe('ERR_VOLSEAL_TOO_LARGE');
});

const now = '2026-11-22T09:16:00.000Z';
const volumeId = new Uint8Array(16).fill(9);

function contentWith(slotCount: number, keyCount: number): KeyringContent {
  const slots = Array.from({ length: slotCount }, (_, i): KeyringSlot => {
    const keyId = formatKeyId(concatBytes(new Uint8Array(12), u32(i)));
    const wrapped = { type: 'fly-secrets', keyId, bytes: new Uint8Array(104) };
    return { wrapped, label: 'x'.repeat(32), primary: i === 0, created: now };
  });
  const volumeKeys = Array.from({ length: keyCount }, (_, i): VolumeKeyRecord => {
    const keyId = concatBytes(volumeId.subarray(0, 8), u32(0), u32(i));
    const state = i === 0 ? 'primary' : 'disabled';
    return { version: i + 1, keyId, state, created: now, changed: now, wrap: new Uint8Array(104) };
  });
  return {
    volumeId,
    generation: 1,
    created: now,
    changed: now,
    policy: { suite: 'aes-256-gcm', segmentBytes: 16_384, writeOnceSegmentBytes: 65_536, requireContext: [] },
    slots,
    volumeKeys,
  };
}

test('32 slots and 1,024 volume keys fit; one more of either does not', async () => {
  const most = contentWith(32, 1_024);
  const payload = encodePayload(most);
  expect(new Payload(payload).content()).toEqual(most);
  const largestSlots = contentWith(32, 1_024).slots.map((slot, i) => ({
    ...slot,
    wrapped: { type: 'kms', keyId: `${i}`.padStart(45, 'k'), bytes: new Uint8Array(2_000) },
    label: undefined,
  }));
  const { length } = encodeDocument({
    payload: encodePayload({ ...most, slots: largestSlots as unknown as KeyringSlot[] }),
    mac: new Uint8Array(32),
  });
  expect(length).toBeLessThan(1_048_576);
  const parse = (content: KeyringContent) => (): unknown => new Payload(encodePayload(content)).content();
  expect(await codeOf(parse(contentWith(33, 1)))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  expect(await codeOf(parse(contentWith(1, 1_025)))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  expect(await codeOf(parse(contentWith(0, 1)))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  expect(await codeOf(parse(contentWith(1, 0)))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
});
