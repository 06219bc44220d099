/** Any byte of a stored keyring changed, cut off, or taken from another keyring: never opens, never does harm. */

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { addVolumeKey } from '../../src/keyring/changes.ts';
import { openDocument } from '../../src/keyring/opened.ts';
import { base64url, documentOf, referenceDocument } from '../reference/keyring.ts';
import {
  codeOf,
  makeKeyring,
  newRoot,
  openElsewhere,
  openKeyring,
  secrets,
  store,
  storedIn,
} from './scratch.ts';

let document: Uint8Array;
let sister: Uint8Array;
let directory: string;

beforeAll(async () => {
  const one = await makeKeyring();
  await one.keyring.change(addVolumeKey());
  document = storedIn(one.directory);
  sister = storedIn((await makeKeyring()).directory);
  directory = join(newRoot(), '.volseal');
  mkdirSync(directory);
});

const refusals = [
  'ERR_VOLSEAL_KEYRING_INVALID',
  'ERR_VOLSEAL_KEYRING_TAMPERED',
  'ERR_VOLSEAL_KEY_MISSING',
  'ERR_VOLSEAL_WRONG_KEY',
  'ERR_VOLSEAL_UNSUPPORTED_VERSION',
  'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
];

const providers = [secrets('v1')];

/** As every open reads it. */
async function opening(changed: Uint8Array): Promise<string> {
  return codeOf(async () => (await openDocument(changed, { providers })).key.wipe());
}

/** Through the file. */
async function openingFile(changed: Uint8Array): Promise<string> {
  store(directory, changed);
  return codeOf(() => openElsewhere(directory));
}

test('every byte changed, by its lowest bit and by case', async () => {
  const seen = new Set<string>();
  for (let at = 0; at < document.length; at++) {
    for (const mask of [0x01, 0x20]) {
      const changed = Uint8Array.from(document);
      changed[at] = (changed[at] as number) ^ mask;
      const code = await opening(changed);
      expect(refusals, `byte ${at}`).toContain(code);
      seen.add(code);
    }
  }
  expect(seen.has('ERR_VOLSEAL_KEYRING_TAMPERED') && seen.has('ERR_VOLSEAL_WRONG_KEY')).toBe(true);
});

test('cut at every byte', async () => {
  for (let length = 0; length < document.length; length++) {
    expect(await opening(document.subarray(0, length)), `${length} bytes`).toBe(
      'ERR_VOLSEAL_KEYRING_INVALID',
    );
  }
  expect([await opening(document), await openingFile(document)]).toEqual(['no error', 'no error']);
});

test('a torn write: the start of one keyring and the end of another', async () => {
  const shorter = Math.min(document.length, sister.length);
  for (let at = 512; at < shorter; at += 512) {
    const torn = Uint8Array.from([...document.subarray(0, at), ...sister.subarray(at)]);
    expect(refusals, `torn at ${at}`).toContain(await opening(torn));
  }
});

test('payload and MAC of two keyrings under one secret', async () => {
  const [ours, theirs] = [referenceDocument(document), referenceDocument(sister)];
  expect(await opening(documentOf(base64url(ours.payload), base64url(theirs.mac)))).toBe(
    'ERR_VOLSEAL_KEYRING_TAMPERED',
  );
  expect(await opening(documentOf(base64url(theirs.payload), base64url(ours.mac)))).toBe(
    'ERR_VOLSEAL_KEYRING_TAMPERED',
  );
});

test('slots of one keyring over the rest of another: the key is bound to the volume', async () => {
  const parts = [document, sister].map((bytes) => {
    const { payload, mac } = referenceDocument(bytes);
    const text = Buffer.from(base64url(payload)).toString();
    return { mac, payload: JSON.parse(text) as Record<string, unknown> };
  });
  const [ours, theirs] = parts as [(typeof parts)[0], (typeof parts)[0]];
  const mixed = (payload: object, mac: string): Promise<string> =>
    opening(documentOf(Uint8Array.from(Buffer.from(JSON.stringify(payload))), base64url(mac)));
  const wrong = { ...ours.payload, slots: theirs.payload['slots'] };
  expect(await mixed(wrong, ours.mac)).toBe('ERR_VOLSEAL_WRONG_KEY');
  const moved = { ...ours.payload, slots: theirs.payload['slots'], volumeId: theirs.payload['volumeId'] };
  expect(await mixed(moved, theirs.mac)).toBe('ERR_VOLSEAL_KEYRING_TAMPERED');
  expect(await mixed({ ...ours.payload, volumeKeys: theirs.payload['volumeKeys'] }, ours.mac)).toBe(
    'ERR_VOLSEAL_KEYRING_TAMPERED',
  );
});

test('any bytes, and any text in the shape of a keyring, end in one of our refusals', async () => {
  const shaped = fc
    .record({
      payload: fc.oneof(fc.json(), fc.string()),
      mac: fc.uint8Array({ minLength: 32, maxLength: 32 }),
    })
    .map(({ payload, mac }) => documentOf(Uint8Array.from(Buffer.from(payload)), mac));
  await fc.assert(
    fc.asyncProperty(fc.oneof(shaped, fc.uint8Array({ maxLength: 200 })), async (bytes) => {
      expect(refusals).toContain(await opening(bytes));
    }),
    { numRuns: 300 },
  );
});

test('what is far too large is not read, and what is deep or long is refused at once', async () => {
  const mac = 'A'.repeat(43);
  const inPayload = (text: string): Uint8Array =>
    documentOf(Uint8Array.from(Buffer.from(text)), new Uint8Array(32));
  const large = [
    new Uint8Array(2_000_000).fill(0x20),
    inPayload('['.repeat(700_000)),
    inPayload(`{"volumeId":"${'A'.repeat(22)}","slots":[${'{},'.repeat(200_000)}{}]}`),
    inPayload(`{"generation":${'9'.repeat(700_000)}}`),
    Uint8Array.from(Buffer.from(`{"volsealKeyring":${'1'.repeat(900_000)}}`)),
    Uint8Array.from(Buffer.from(`{"volsealKeyring":1,"mac":"${mac}",${'"x":1,'.repeat(100_000)}"y":1}`)),
  ];
  for (const bytes of large) expect(await openingFile(bytes)).toBe('ERR_VOLSEAL_KEYRING_INVALID');
});

test('nothing unverified is quoted at length, or with what a terminal would obey', async () => {
  const evil = `\u001b[31m${'x'.repeat(5_000)}`;
  store(directory, JSON.stringify({ volsealKeyring: 1, payload: '', mac: 'A'.repeat(43), [evil]: 1 }));
  await expect(openKeyring(directory)).rejects.toSatisfy((error: Error) => {
    return error.message.length < 300 && !error.message.includes('\u001b');
  });
});
