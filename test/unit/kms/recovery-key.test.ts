/** Recovery keys: their text, what typing does to it, and the provider over them. */

import { inspect } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { VolsealError } from '../../../src/errors.ts';
import type { WrapInfo } from '../../../src/kms/provider.ts';
import { makeRecoveryKey, recoveryKey } from '../../../src/kms/recovery-key.ts';
import {
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceSlotAad,
  referenceUnwrap,
} from '../../reference/keys.ts';
import { recoveryBytesOf, referenceKeyringSlotAad, referenceRecoveryText } from '../../reference/keyring.ts';

const keys = fc.uint8Array({ minLength: 32, maxLength: 32 });
const dataKey = new Uint8Array(32).fill(0xdd);
const volumeId = new Uint8Array(16).fill(7);
const inVolume: WrapInfo = { scope: 'volume', id: volumeId, aad: volumeId, context: {} };

/** The key id, or the refusal. */
async function reading(text: string): Promise<string | VolsealError> {
  try {
    return (await recoveryKey(text).describe()).primary;
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_SECRET_INVALID') return error;
    throw error;
  }
}

const idOf = (key: Uint8Array): string => referenceKeyIdText(referenceKeyId(key));

test('a new one is 74 characters, another one each time, and reads back', async () => {
  const texts = Array.from({ length: 50 }, makeRecoveryKey);
  expect(new Set(texts).size).toBe(50);
  for (const text of texts) {
    expect(text).toMatch(/^vrk1(-[0-9A-HJKMNP-TV-Z]{4}){14}$/);
    expect(text).toHaveLength(74);
    const key = recoveryBytesOf(text);
    expect(text).toBe(referenceRecoveryText(key));
    expect(await reading(text)).toBe(idOf(key));
  }
});

test('case, spaces, dashes, line ends, the prefix and look-alike characters do not matter', async () => {
  await fc.assert(
    fc.asyncProperty(keys, fc.array(fc.nat(9), { minLength: 80, maxLength: 80 }), async (key, choices) => {
      const text = referenceRecoveryText(key);
      const typed = Array.from(text, (character, i) => {
        const choice = choices[i] as number;
        if (character === '-') return ['', '-', ' ', '\n', '\u2013', '\u2014', '_', '\t', ' - ', '.'][choice];
        if (character === '1' && choice < 6) return 'IilL1l'[choice];
        if (character === '0' && choice < 3) return 'Oo0'[choice];
        return choice % 2 === 0 ? character.toLowerCase() : character;
      }).join('');
      expect(await reading(typed)).toBe(idOf(key));
      expect(await reading(`  ${text.slice(5)}\r\n`)).toBe(idOf(key));
    }),
    { numRuns: 60 },
  );
});

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

test('one wrong character is found, and the hint names its group without showing a character', async () => {
  await fc.assert(
    fc.asyncProperty(keys, fc.nat(55), fc.integer({ min: 1, max: 31 }), async (key, index, shift) => {
      const groups = referenceRecoveryText(key).slice(5).split('-');
      const group = Math.floor(index / 4);
      const right = groups[group] as string;
      const at = index % 4;
      const value = (alphabet.indexOf(right[at] as string) + shift) % 32;
      groups[group] = right.slice(0, at) + alphabet[value] + right.slice(at + 1);
      const error = (await reading(groups.join('-'))) as VolsealError;
      expect(error.message).toContain('checksum does not match');
      expect(error.hint).toBe(`compare group ${group + 1} with what was written down`);
    }),
    { numRuns: 40 },
  );
});

test('two neighbours exchanged are found too', async () => {
  const groups = referenceRecoveryText(new Uint8Array(32).map((_, i) => i * 41 + 5))
    .slice(5)
    .split('-');
  const [a, b, ...rest] = groups[9] as string;
  expect(a).not.toBe(b);
  groups[9] = [b, a, ...rest].join('');
  expect(((await reading(groups.join(' '))) as VolsealError).hint).toBe(
    'compare group 10 with what was written down',
  );
});

test('many mistakes are found and not guessed at', async () => {
  await fc.assert(
    fc.asyncProperty(keys, keys, async (key, other) => {
      fc.pre(hex(key.subarray(0, 8)) !== hex(other.subarray(0, 8)));
      const mixed = referenceRecoveryText(key).slice(0, 30) + referenceRecoveryText(other).slice(30);
      const error = await reading(mixed);
      fc.pre(mixed !== referenceRecoveryText(other));
      expect(error).toBeInstanceOf(VolsealError);
      expect((error as VolsealError).hint).toMatch(/group/);
    }),
    { numRuns: 20 },
  );
});

test.each([
  ['nothing', '', /is empty/],
  ['spaces', ' \n ', /is empty/],
  ['the prefix alone', 'vrk1-', /0 characters .* 56 missing/],
  ['a group missing', referenceRecoveryText(new Uint8Array(32)).slice(0, -5), /52 characters .* 4 missing/],
  ['a character missing, without the prefix', 'A'.repeat(55), /55 characters .* 1 missing/],
  ['a character too many', `${referenceRecoveryText(new Uint8Array(32))}Z`, /57 characters .* 1 too many/],
  ['a Fly secret', 'vsk1.AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh-mBl1m', /is a secret.*no recovery key/],
  ['a letter that there is not', `vrk1-000U${'0'.repeat(52)}`, /group 1 that recovery keys do not have/],
  ['another script', `vrk1-${'0'.repeat(20)}я${'0'.repeat(35)}`, /group 6/],
])('%s is refused with what is wrong', async (_name, text, why) => {
  const error = (await reading(text)) as VolsealError;
  expect(error.code).toBe('ERR_VOLSEAL_SECRET_INVALID');
  expect(error.message).toMatch(why);
  expect(error.hint).toMatch(/\w/);
});

test('something else than text is refused', () => {
  for (const given of [undefined, 1, new Uint8Array(32)])
    expect(() => recoveryKey(given as unknown as string)).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_SECRET_INVALID' }),
    );
});

test('no part of the key is in an error', async () => {
  await fc.assert(
    fc.asyncProperty(keys, fc.nat(55), async (key, at) => {
      const text = referenceRecoveryText(key);
      const bare = text.slice(5).replaceAll('-', '');
      for (const typed of [bare.slice(0, at), `${bare.slice(0, at)}!${bare.slice(at)}`, bare.slice(1)]) {
        const error = await reading(typed);
        if (!(error instanceof VolsealError)) continue;
        const said = `${error.message} ${error.hint}`.toUpperCase();
        for (const group of text.slice(5).split('-')) {
          if (/[A-Z]/.test(group) && /\d/.test(group)) expect(said).not.toContain(group);
        }
      }
    }),
    { numRuns: 30 },
  );
});

test('a key that begins as the prefix reads with and without it', async () => {
  const bits = ['V', 'R', 'K', '1']
    .map((character) => alphabet.indexOf(character).toString(2).padStart(5, '0'))
    .join('');
  const key = new Uint8Array(32).map((_, i) => i * 37 + 11);
  const first = Number.parseInt(bits, 2);
  key.set([first >>> 12, (first >>> 4) & 0xff, ((first & 15) << 4) | 3]);
  const text = referenceRecoveryText(key);
  expect(text.slice(5, 9)).toBe('VRK1');
  expect(await reading(text)).toBe(idOf(key));
  expect(await reading(text.slice(5))).toBe(idOf(key));
});

test('its slots are of type 3: in a keyring, and outside of any volume', async () => {
  const key = new Uint8Array(32).map((_, i) => i * 37 + 11);
  const provider = recoveryKey(referenceRecoveryText(key));
  const wrapped = await provider.wrap(dataKey, inVolume);
  expect(wrapped).toMatchObject({ type: 'recovery', keyId: idOf(key) });
  const keyId = referenceKeyId(key);
  const aad = referenceKeyringSlotAad(volumeId, 'recovery', keyId);
  expect(hex(referenceUnwrap(referenceKek(key, 1, volumeId), wrapped.bytes, aad))).toBe(hex(dataKey));
  expect(hex(await provider.unwrap(wrapped, inVolume))).toBe(hex(dataKey));

  const fileId = new Uint8Array(16).fill(1);
  const floeHeader = new Uint8Array(74).fill(2);
  const stream: WrapInfo = {
    scope: 'stream',
    id: new Uint8Array(16),
    aad: concatBytes(fileId, floeHeader),
    context: {},
  };
  const outside = await provider.wrap(dataKey, stream);
  const outsideAad = referenceSlotAad({ slotType: 3, keyId, keyVersion: 0, fileId, floeHeader });
  const kek = referenceKek(key, 0, new Uint8Array(16));
  expect(hex(referenceUnwrap(kek, outside.bytes, outsideAad))).toBe(hex(dataKey));
});

test('it describes itself, does not open what is not its own, and works no more when closed', async () => {
  const text = makeRecoveryKey();
  const provider = recoveryKey(text);
  const { primary, ...info } = await provider.describe();
  expect(info).toEqual({ type: 'recovery', keys: [{ keyId: primary, primary: true }] });
  const wrapped = await provider.wrap(dataKey, inVolume);
  const other = await recoveryKey(makeRecoveryKey()).wrap(dataKey, inVolume);
  const code = (code: string): unknown => expect.objectContaining({ code });
  await expect(provider.unwrap(other, inVolume)).rejects.toEqual(code('ERR_VOLSEAL_KEY_MISSING'));
  await expect(provider.unwrap({ ...other, keyId: primary }, inVolume)).rejects.toEqual(
    code('ERR_VOLSEAL_WRONG_KEY'),
  );
  const elsewhere = { ...inVolume, id: new Uint8Array(16) };
  await expect(provider.unwrap(wrapped, elsewhere)).rejects.toEqual(code('ERR_VOLSEAL_WRONG_KEY'));
  await expect(provider.wrap(dataKey, { ...inVolume, signal: AbortSignal.abort() })).rejects.toEqual(
    code('ERR_VOLSEAL_ABORTED'),
  );
  const shown = inspect(provider, { depth: null, showHidden: true }) + JSON.stringify(provider);
  expect(shown).not.toContain(hex(recoveryBytesOf(text)).slice(0, 16));
  provider.close?.();
  await expect(provider.unwrap(wrapped, inVolume)).rejects.toEqual(code('ERR_VOLSEAL_CLOSED'));
  await expect(provider.wrap(dataKey, inVolume)).rejects.toEqual(code('ERR_VOLSEAL_CLOSED'));
});
