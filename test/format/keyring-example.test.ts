/**
 * The worked example of docs/format/keyring-v1.md is what the code makes. `UPDATE=1` writes it into the document; otherwise
 * a difference is a failure. Randomness counts up from zero and the clock stands still.
 */

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

import { Keyring } from '../../src/keyring/keyring.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import { recoveryKey as recoveryProvider } from '../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { Secret } from '../../src/secret.ts';
import { readSources } from '../arch/sources.ts';
import { referenceSlotAad, referenceUnwrap } from '../reference/keys.ts';
import { keyIdBytesOf, recoveryBytesOf, referenceOpen } from '../reference/keyring.ts';
import { exampleIkm, exampleSecret } from './example-file.ts';
import { endMarker, type KeyringExample, keyringExample, startMarker } from './keyring-example.ts';

const counter = vi.hoisted(() => ({ next: 0 }));

vi.mock('../../src/random.ts', () => {
  const fillRandom = (target: Uint8Array): void => {
    for (let i = 0; i < target.length; i++) target[i] = counter.next++ & 0xff;
  };
  const randomSecret = (bytes: number): Uint8Array => {
    const drawn = new Uint8Array(bytes);
    fillRandom(drawn);
    return drawn;
  };
  return { fillRandom, randomSecret };
});

const path = fileURLToPath(new URL('../../docs/format/keyring-v1.md', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'volseal-keyring-example-'));
afterAll(() => rmSync(root, { recursive: true }));

const secret = (): ReturnType<typeof flySecrets> =>
  flySecrets({ env: { VOLSEAL_SECRET_main: exampleSecret } });
let example: KeyringExample;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: new Date('2026-11-22T09:16:00.000Z') });
  counter.next = 0;
  const directory = join(root, '.volseal');
  const { keyring, recoveryKey } = await Keyring.create(nodeSystem, directory, {
    providers: [secret()],
    recovery: true,
  });
  vi.useRealTimers();
  const dataKey = new Uint8Array(32).fill(0xdd);
  const fileId = Uint8Array.from({ length: 16 }, (_, i) => 0xf0 + i);
  const floeHeader = new Uint8Array(74).fill(0xee);
  const slot = keyring.wrapDataKey(new Secret(Uint8Array.from(dataKey)), fileId, floeHeader);
  example = {
    document: keyring.export(),
    recoveryKey: recoveryKey as string,
    slot,
    dataKey,
    fileId,
    floeHeader,
  };
});

it('the document shows what the code makes', () => {
  const text = readFileSync(path, 'utf8');
  const [before, rest, ...more] = text.split(startMarker);
  const [shown, after, ...others] = (rest ?? '').split(endMarker);
  expect([more, others, after !== undefined]).toEqual([[], [], true]);
  const made = `\n\n${keyringExample(example)}\n\n`;
  if (process.env['UPDATE'] !== undefined && shown !== made) {
    writeFileSync(path, `${before}${startMarker}${made}${endMarker}${after}`);
    return;
  }
  expect(shown, 'write it again with UPDATE=1').toBe(made);
});

it('its random bytes are those of the text', () => {
  const counted = (from: number, bytes: number): Uint8Array =>
    Uint8Array.from({ length: bytes }, (_, i) => from + i);
  const { payload, keyringKey, volumeKeys } = referenceOpen(example.document, 'fly-secrets', exampleIkm);
  const wraps = [payload.volumeKeys[0], payload.slots[0], payload.slots[1]].map((one) =>
    Uint8Array.from(Buffer.from(one?.wrap ?? '', 'base64url').subarray(0, 24)),
  );
  expect([keyringKey, keyIdBytesOf(payload.volumeKeys[0]?.keyId ?? '').slice(8), volumeKeys.get(1)]).toEqual([
    counted(16, 32),
    counted(48, 8),
    counted(56, 32),
  ]);
  expect([wraps[0], wraps[1], recoveryBytesOf(example.recoveryKey), wraps[2]]).toEqual([
    counted(88, 24),
    counted(112, 24),
    counted(136, 32),
    counted(168, 24),
  ]);
});

it('the document on the page opens: with the library by either key, and without it', async () => {
  const text = readFileSync(path, 'utf8').split(startMarker)[1] ?? '';
  const shown = /^ {4}(\{"volsealKeyring".*(?:\n {4}.*)*)/m.exec(text)?.[1]?.replaceAll(/\n {4}/g, '') ?? '';
  expect(shown).toBe(Buffer.from(example.document).toString());
  const directory = join(root, 'again', '.volseal');
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'keyring.json'), shown);
  const { slot, fileId, floeHeader, dataKey } = example;
  for (const provider of [secret(), recoveryProvider(example.recoveryKey)]) {
    const keyring = await Keyring.open(nodeSystem, directory, { providers: [provider] });
    expect(Uint8Array.from(keyring.unwrapDataKey([slot], fileId, floeHeader).bytes())).toEqual(dataKey);
  }
  const { volumeKeys } = referenceOpen(
    Uint8Array.from(Buffer.from(shown)),
    'recovery',
    recoveryBytesOf(example.recoveryKey),
  );
  const keyId = keyIdBytesOf(slot.wrapped.keyId);
  const aad = referenceSlotAad({ slotType: 1, keyId, keyVersion: 1, fileId, floeHeader });
  expect(referenceUnwrap(volumeKeys.get(1) as Uint8Array, slot.wrapped.bytes, aad)).toEqual(dataKey);
});

describe('sections', () => {
  const text = readFileSync(path, 'utf8');
  const sections = new Set([...text.matchAll(/^#+ (\d+(?:\.\d+)*)[. ]/gm)].map(([, number]) => number));

  it('that src cites exist', () => {
    const cited = [...readSources('src')].flatMap(([file, source]) =>
      [
        ...source.replaceAll(/\s*\n\s*(?:\*|\/\/)?\s*/g, ' ').matchAll(/keyring-v1\.md §(\d+(?:\.\d+)*)/g),
      ].map(([, number]) => ({ file, number })),
    );
    expect(cited.length).toBeGreaterThan(8);
    expect(cited.filter(({ number }) => !sections.has(number))).toEqual([]);
  });

  it('that it cites of itself exist', () => {
    const own = [...text.replaceAll(/v1\.md §[\d.]+(?:, §[\d.]+)*/g, '').matchAll(/§(\d+(?:\.\d+)*)/g)];
    expect(own.length).toBeGreaterThan(8);
    expect(own.map(([, number]) => number).filter((number) => !sections.has(number))).toEqual([]);
  });
});
