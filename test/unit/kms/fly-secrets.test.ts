/** `flySecrets`: reading, wrapping and unwrapping, what is bound to a wrap, and what is left in memory and environment. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { flySecrets } from '../../../src/kms/fly-secrets.ts';
import type { KeyProvider, WrapInfo } from '../../../src/kms/provider.ts';
import {
  ascii,
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceSecretText,
  referenceSlotAad,
  referenceUnwrap,
} from '../../reference/keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'volseal-fly-secrets-'));
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(() => vi.unstubAllEnvs());

/** Key material that passes for random. */
const ikmOf = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => (i * i * 31 + i * 17 + seed * 101) & 0xff);
const textOf = (seed: number): string => referenceSecretText(ikmOf(seed));
const idOf = (seed: number): string => referenceKeyIdText(referenceKeyId(ikmOf(seed)));

const dataKey = new Uint8Array(32).fill(0xdd);
const fileId = new Uint8Array(16).fill(0xf1);
const floeHeader = new Uint8Array(74).fill(0xf2);

function infoOf(changes: Partial<WrapInfo> = {}): WrapInfo {
  return {
    scope: 'stream',
    id: new Uint8Array(16),
    aad: concatBytes(fileId, floeHeader),
    context: {},
    ...changes,
  };
}

const wrongKey = expect.objectContaining({ code: 'ERR_VOLSEAL_WRONG_KEY' });

test('one secret is the primary by itself', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), OTHER: 'x' } });
  expect(keys.type).toBe('fly-secrets');
  expect(await keys.describe()).toEqual({
    type: 'fly-secrets',
    primary: idOf(1),
    keys: [{ keyId: idOf(1), label: 'v1', primary: true }],
  });
  const wrapped = await keys.wrap(dataKey, infoOf());
  expect(wrapped).toMatchObject({ type: 'fly-secrets', keyId: idOf(1) });
  expect(hex(await keys.unwrap(wrapped, infoOf()))).toBe(hex(dataKey));
});

test('the wrap is the one of the document: 104 bytes and the label', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const { bytes } = await keys.wrap(dataKey, infoOf());
  expect(Buffer.from(bytes.subarray(104)).toString()).toBe('v1');
  const keyId = referenceKeyId(ikmOf(1));
  const aad = referenceSlotAad({ slotType: 2, keyId, keyVersion: 0, fileId, floeHeader });
  const kek = referenceKek(ikmOf(1), 0, new Uint8Array(16));
  expect(hex(referenceUnwrap(kek, bytes.subarray(0, 104), aad))).toBe(hex(dataKey));
});

test('each scope has keys and associated data of its own', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const keyId = referenceKeyId(ikmOf(1));
  const id = new Uint8Array(16).fill(7);
  const database = await keys.wrap(dataKey, infoOf({ scope: 'database', id }));
  const slotAad = referenceSlotAad({ slotType: 2, keyId, keyVersion: 0, fileId, floeHeader });
  expect(hex(referenceUnwrap(referenceKek(ikmOf(1), 2, id), database.bytes.subarray(0, 104), slotAad))).toBe(
    hex(dataKey),
  );
  const volume = await keys.wrap(dataKey, infoOf({ scope: 'volume', id, aad: id }));
  const keyringAad = concatBytes(ascii('volseal/v1/keyring-slot'), id, Uint8Array.of(2), keyId);
  expect(hex(referenceUnwrap(referenceKek(ikmOf(1), 1, id), volume.bytes.subarray(0, 104), keyringAad))).toBe(
    hex(dataKey),
  );
});

test('of several secrets the primary wraps and all unwrap', async () => {
  const env = { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2), VOLSEAL_SECRET_v3: textOf(3) };
  const old = await flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } }).wrap(dataKey, infoOf());
  const keys = flySecrets({ env: { ...env, VOLSEAL_PRIMARY: 'v2' } });
  const wrapped = await keys.wrap(dataKey, infoOf());
  expect(wrapped.keyId).toBe(idOf(2));
  expect(hex(await keys.unwrap(old, infoOf()))).toBe(hex(dataKey));
  expect((await keys.describe()).keys.filter(({ primary }) => primary).map(({ label }) => label)).toEqual([
    'v2',
  ]);
  const optionWins = flySecrets({ env: { ...env, VOLSEAL_PRIMARY: 'v2' }, primary: 'v3' });
  expect((await optionWins.wrap(dataKey, infoOf())).keyId).toBe(idOf(3));
});

test('a wrap under a named key, whichever is primary; an unknown one is missing', async () => {
  const keys = flySecrets({
    env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) },
    primary: 'v1',
  });
  const wrapped = await keys.wrap(dataKey, infoOf({ keyId: idOf(2) }));
  expect(wrapped.keyId).toBe(idOf(2));
  expect(Buffer.from(wrapped.bytes.subarray(104)).toString()).toBe('v2');
  const other = flySecrets({ env: { VOLSEAL_SECRET_any: textOf(2) } });
  expect(hex(await other.unwrap(wrapped, infoOf()))).toBe(hex(dataKey));
  await expect(keys.wrap(dataKey, infoOf({ keyId: idOf(3) }))).rejects.toMatchObject({
    code: 'ERR_VOLSEAL_KEY_MISSING',
    message: expect.stringContaining(idOf(3)) as string,
  });
});

test('without a primary several secrets still unwrap', async () => {
  const old = await flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } }).wrap(dataKey, infoOf());
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) } });
  expect(hex(await keys.unwrap(old, infoOf()))).toBe(hex(dataKey));
  expect(await keys.describe()).toMatchObject({
    primary: '',
    keys: [{ primary: false }, { primary: false }],
  });
});

test('variables, named files and the files option together, under another prefix', async () => {
  writeFileSync(join(folder, 'raw'), ikmOf(2));
  writeFileSync(join(folder, 'text'), `${textOf(3)}\n`);
  const keys = flySecrets({
    env: {
      APP_KEY_a: textOf(1),
      APP_KEY_FILE_b: join(folder, 'raw'),
      VOLSEAL_SECRET_no: 'not looked at',
      APP_KEY_x: undefined,
    },
    prefix: 'APP_KEY_',
    files: { c: join(folder, 'text') },
    primary: 'c',
  });
  const { keys: known } = await keys.describe();
  expect(known.map(({ label, keyId }) => [label, keyId])).toEqual([
    ['a', idOf(1)],
    ['b', idOf(2)],
    ['c', idOf(3)],
  ]);
});

test('one secret by variable, by mounted raw file and by mounted text file is one key', async () => {
  writeFileSync(join(folder, 'same-raw'), ikmOf(4));
  writeFileSync(join(folder, 'same-text'), Buffer.from(ikmOf(4)).toString('base64'));
  const byVariable = flySecrets({ env: { VOLSEAL_SECRET_v1: Buffer.from(ikmOf(4)).toString('base64') } });
  const wrapped = await byVariable.wrap(dataKey, infoOf());
  for (const name of ['same-raw', 'same-text']) {
    const byFile = flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: join(folder, name) } });
    expect((await byFile.describe()).primary).toBe(idOf(4));
    expect(hex(await byFile.unwrap(wrapped, infoOf()))).toBe(hex(dataKey));
  }
});

test('secrets are read when it is called, not later; from process.env unless told otherwise', async () => {
  vi.stubEnv('VOLSEAL_SECRET_unit_test', textOf(5));
  const keys = flySecrets({ primary: 'unit_test' });
  vi.stubEnv('VOLSEAL_SECRET_unit_test', textOf(6));
  expect((await keys.describe()).primary).toBe(idOf(5));
});

test('removeFromEnv takes the secrets out, and nothing else', () => {
  writeFileSync(join(folder, 'kept'), textOf(3));
  const rest = { VOLSEAL_PRIMARY: 'v1', VOLSEAL_SECRET_FILE_v3: join(folder, 'kept'), PATH: '/bin' };
  const env: Record<string, string | undefined> = {
    VOLSEAL_SECRET_v1: textOf(1),
    VOLSEAL_SECRET_v2: textOf(2),
    ...rest,
  };
  flySecrets({ env, removeFromEnv: true });
  expect(env).toEqual(rest);
  const untouched = { VOLSEAL_SECRET_v1: textOf(1) };
  flySecrets({ env: untouched });
  expect(untouched).toEqual({ VOLSEAL_SECRET_v1: textOf(1) });
});

test.each<[string, Record<string, string>]>([
  ['a bad secret beside a good one', { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: 'short' }],
  ['a bad label', { VOLSEAL_SECRET_v1: textOf(1), 'VOLSEAL_SECRET_a-b': textOf(2) }],
  ['a label given twice', { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_FILE_v1: '/nowhere' }],
  ['an unreadable file', { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_FILE_v2: '/nowhere' }],
])('removeFromEnv leaves everything as it was after %s', (_name, env) => {
  const before = { ...env };
  expect(() => flySecrets({ env, removeFromEnv: true })).toThrow(
    expect.objectContaining({ code: 'ERR_VOLSEAL_SECRET_INVALID' }),
  );
  expect(env).toEqual(before);
});

test('another scope, id, or associated data does not open a wrap', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const id = new Uint8Array(16).fill(7);
  const wrapped = await keys.wrap(dataKey, infoOf({ scope: 'database', id }));
  expect(hex(await keys.unwrap(wrapped, infoOf({ scope: 'database', id })))).toBe(hex(dataKey));
  const others: readonly Partial<WrapInfo>[] = [
    { scope: 'stream', id },
    { scope: 'volume', id },
    { scope: 'database', id: new Uint8Array(16) },
    { scope: 'database', id, aad: concatBytes(floeHeader, fileId) },
    { scope: 'database', id, aad: new Uint8Array(0) },
    { scope: 'database', id, aad: concatBytes(fileId, floeHeader, Uint8Array.of(0)) },
  ];
  for (const other of others) await expect(keys.unwrap(wrapped, infoOf(other))).rejects.toThrow(wrongKey);
});

test('any changed byte of a wrap, and any other length of it, is a wrong key that names the secret and the next step', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const wrapped = await keys.wrap(dataKey, infoOf());
  for (let at = 0; at < 104; at++) {
    const bytes = Uint8Array.from(wrapped.bytes);
    bytes[at] = (bytes[at] as number) ^ 0x10;
    await expect(keys.unwrap({ ...wrapped, bytes }, infoOf())).rejects.toThrow(wrongKey);
  }
  for (const length of [0, 1, 72, 103]) {
    await expect(
      keys.unwrap({ ...wrapped, bytes: wrapped.bytes.slice(0, length) }, infoOf()),
    ).rejects.toThrow(
      expect.objectContaining({
        code: 'ERR_VOLSEAL_WRONG_KEY',
        message: expect.stringContaining(`VOLSEAL_SECRET_v1 (key id ${idOf(1)})`) as string,
        hint: expect.stringMatching(/\w/) as string,
      }),
    );
  }
});

test('the label behind a wrap decides nothing', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const wrapped = await keys.wrap(dataKey, infoOf());
  const renamed = { ...wrapped, bytes: concatBytes(wrapped.bytes.subarray(0, 104), ascii('other')) };
  expect(hex(await keys.unwrap(renamed, infoOf()))).toBe(hex(dataKey));
});

test('hundreds of calls at once, over more volumes than keys are kept for', async () => {
  const keys = flySecrets({
    env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) },
    primary: 'v2',
  });
  const infos = Array.from({ length: 600 }, (_, i) =>
    infoOf({
      scope: (['stream', 'volume', 'database'] as const)[i % 3] as WrapInfo['scope'],
      id: Uint8Array.of(i >> 8, i, ...new Uint8Array(14)),
    }),
  );
  const wraps = await Promise.all(infos.map((info) => keys.wrap(dataKey, info)));
  const opened = await Promise.all(wraps.map((wrapped, i) => keys.unwrap(wrapped, infos[i] as WrapInfo)));
  expect(opened.filter((key) => hex(key) !== hex(dataKey))).toEqual([]);
  expect(new Set(wraps.map(({ bytes }) => hex(bytes))).size).toBe(600);
});

test('the given key stays as it is, and the caller may wipe what it gets', async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 32, maxLength: 32 }), async (key) => {
      const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
      const before = hex(key);
      const wrapped = await keys.wrap(key, infoOf());
      expect(hex(key)).toBe(before);
      (await keys.unwrap(wrapped, infoOf())).fill(0);
      expect(hex(await keys.unwrap(wrapped, infoOf()))).toBe(before);
    }),
    { numRuns: 20 },
  );
});

test('equal values under two labels are said once, without the value', () => {
  const messages: unknown[] = [];
  const listen = (message: unknown): void => void messages.push(message);
  subscribe('volseal:warning', listen);
  try {
    flySecrets({
      env: {
        VOLSEAL_SECRET_v1: textOf(1),
        VOLSEAL_SECRET_v2: Buffer.from(ikmOf(1)).toString('hex'),
        VOLSEAL_SECRET_v3: textOf(3),
      },
    });
    flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) } });
  } finally {
    unsubscribe('volseal:warning', listen);
  }
  expect(messages).toEqual([
    { code: 'equal-secrets', message: expect.stringMatching(/v1.*v2|v2.*v1/) as string },
  ]);
  expect(JSON.stringify(messages)).toContain(idOf(1));
  expect(JSON.stringify(messages)).not.toContain(textOf(1));
});

test('with equal values under two labels data still opens under either', async () => {
  const keys = flySecrets({
    env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(1) },
    primary: 'v2',
  });
  const wrapped = await keys.wrap(dataKey, infoOf());
  expect(Buffer.from(wrapped.bytes.subarray(104)).toString()).toBe('v2');
  expect(hex(await keys.unwrap(wrapped, infoOf()))).toBe(hex(dataKey));
});

test('close wipes: it wraps and unwraps no more, and says that it is closed', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const wrapped = await keys.wrap(dataKey, infoOf());
  keys.close?.();
  keys.close?.();
  const closed = expect.objectContaining({
    code: 'ERR_VOLSEAL_CLOSED',
    hint: expect.stringMatching(/\w/) as string,
  });
  await expect(keys.wrap(dataKey, infoOf())).rejects.toThrow(closed);
  await expect(keys.unwrap(wrapped, infoOf())).rejects.toThrow(closed);
});

test('an aborted signal stops both', async () => {
  const keys: KeyProvider = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  const wrapped = await keys.wrap(dataKey, infoOf());
  const aborted = expect.objectContaining({ code: 'ERR_VOLSEAL_ABORTED' });
  await expect(keys.wrap(dataKey, infoOf({ signal: AbortSignal.abort() }))).rejects.toThrow(aborted);
  await expect(keys.unwrap(wrapped, infoOf({ signal: AbortSignal.abort() }))).rejects.toThrow(aborted);
});

test('the provider shows no key', async () => {
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } });
  await keys.wrap(dataKey, infoOf());
  const shown =
    inspect(keys, { depth: null, showHidden: true }) +
    JSON.stringify(keys) +
    JSON.stringify(await keys.describe());
  for (const form of [textOf(1), hex(ikmOf(1)), Buffer.from(ikmOf(1)).toString('base64')])
    expect(shown).not.toContain(form.slice(5, 25));
});
