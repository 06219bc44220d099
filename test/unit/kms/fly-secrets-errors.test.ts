/** Every way of setting secrets wrongly: the code, the words, and the next step that the hint names. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type FlySecretsOptions, flySecrets } from '../../../src/kms/fly-secrets.ts';
import type { WrapInfo } from '../../../src/kms/provider.ts';
import { referenceKeyId, referenceKeyIdText, referenceSecretText } from '../../reference/keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'volseal-fly-secrets-errors-'));
afterAll(() => rmSync(folder, { recursive: true }));

const ikmOf = (seed: number): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => (i * i * 31 + i * 17 + seed * 101) & 0xff);
const textOf = (seed: number): string => referenceSecretText(ikmOf(seed));
const info: WrapInfo = { scope: 'stream', id: new Uint8Array(16), aad: new Uint8Array(90), context: {} };

const error = (code: string, message: string | RegExp, hint: string | RegExp): unknown =>
  expect.objectContaining({
    name: 'VolsealError',
    code: `ERR_VOLSEAL_${code}`,
    message: typeof message === 'string' ? message : (expect.stringMatching(message) as string),
    hint: typeof hint === 'string' ? hint : (expect.stringMatching(hint) as string),
  });

describe('no secret', () => {
  test.each<FlySecretsOptions>([
    { env: {} },
    { env: { PATH: '/bin', VOLSEAL_PRIMARY: 'v1', VOLSEAL_SECRE: textOf(1) } },
    { env: { VOLSEAL_SECRET_v1: undefined } },
  ])('with %j', (options) => {
    expect(() => flySecrets(options)).toThrow(
      error(
        'NO_SECRET',
        'no secret is set: there is no VOLSEAL_SECRET_<label> variable',
        /^volseal keygen --label v1 \| fly secrets set VOLSEAL_SECRET_v1=- .*staged secrets do not reach running Machines/,
      ),
    );
  });

  test('under another prefix, which both texts name', () => {
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) }, prefix: 'APP_' })).toThrow(
      error('NO_SECRET', /APP_<label>/, /fly secrets set APP_v1=-/),
    );
  });
});

describe('no primary', () => {
  test('two secrets and none named: says which there are and what to set', async () => {
    const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) } });
    await expect(keys.wrap(new Uint8Array(32), info)).rejects.toThrow(
      error(
        'NO_PRIMARY',
        'several secrets are set (v1, v2) and none is named primary',
        /fly\.toml.*VOLSEAL_PRIMARY = "v1".*every Machine/,
      ),
    );
  });

  test.each<[string, FlySecretsOptions]>([
    [
      'by VOLSEAL_PRIMARY',
      { env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2), VOLSEAL_PRIMARY: 'v3' } },
    ],
    ['by the option', { env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_v2: textOf(2) }, primary: 'v3' }],
  ])('named %s and not set: says what is set, and the command that sets it', async (_name, options) => {
    const keys = flySecrets(options);
    await expect(keys.wrap(new Uint8Array(32), info)).rejects.toThrow(
      error(
        'NO_PRIMARY',
        'the primary secret v3 is not set here (set: v1, v2)',
        /^volseal keygen --label v3 \| fly secrets set VOLSEAL_SECRET_v3=-/,
      ),
    );
  });

  test('the only secret is not the one that is named', async () => {
    const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_PRIMARY: 'v2' } });
    await expect(keys.wrap(new Uint8Array(32), info)).rejects.toThrow(
      error('NO_PRIMARY', /v2 is not set here \(set: v1\)/, /VOLSEAL_SECRET_v2=-/),
    );
  });

  test('labels are told apart by their case', async () => {
    const keys = flySecrets({ env: { VOLSEAL_SECRET_V1: textOf(1), VOLSEAL_PRIMARY: 'v1' } });
    await expect(keys.wrap(new Uint8Array(32), info)).rejects.toThrow(
      error('NO_PRIMARY', /v1 is not set here \(set: V1\)/, /VOLSEAL_PRIMARY/),
    );
  });
});

describe('values', () => {
  test.each([
    ['', /^VOLSEAL_SECRET_v1 is empty$/],
    ['c2hvcnQ=', /^VOLSEAL_SECRET_v1 is too short: 5 bytes where at least 32 random ones are needed$/],
    ['deadbeef'.repeat(4), /^VOLSEAL_SECRET_v1 is too short: 16 bytes/],
    ['not base64 nor hex!', /^VOLSEAL_SECRET_v1 is neither a volseal secret nor hexadecimal nor base64$/],
    ['00'.repeat(32), /^VOLSEAL_SECRET_v1 is not random/],
  ])('%j', (value, message) => {
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_v1: value } })).toThrow(
      error('SECRET_INVALID', message, /volseal keygen/),
    );
  });
});

describe('labels', () => {
  test.each([
    ['VOLSEAL_SECRET_', '""'],
    ['VOLSEAL_SECRET_a-b', '"a-b"'],
    ['VOLSEAL_SECRET_a b', '"a b"'],
    ['VOLSEAL_SECRET_é', '"é"'],
    [`VOLSEAL_SECRET_${'x'.repeat(33)}`, `"${'x'.repeat(33)}"`],
    ['VOLSEAL_SECRET_FILE_', '""'],
    ['VOLSEAL_SECRET_FILE_a.b', '"a.b"'],
  ])('%s', (name, label) => {
    expect(() => flySecrets({ env: { [name]: textOf(1) } })).toThrow(
      error('SECRET_INVALID', `${name}: ${label} is not a label`, /1 to 32 letters, digits and underscores/),
    );
  });

  test('32 characters are a label', async () => {
    const label = 'Az09_'.padEnd(32, 'x');
    expect(
      (await flySecrets({ env: { [`VOLSEAL_SECRET_${label}`]: textOf(1) } }).describe()).keys[0]?.label,
    ).toBe(label);
  });

  test('a label does not begin with FILE_: its variable would be one that names a file', () => {
    writeFileSync(join(folder, 'file-label'), ikmOf(1));
    expect(() => flySecrets({ env: {}, files: { FILE_a: join(folder, 'file-label') } })).toThrow(
      error('SECRET_INVALID', /"FILE_a" is not a label/, /\w/),
    );
  });

  test('given twice: names both places', () => {
    writeFileSync(join(folder, 'twice'), ikmOf(2));
    const path = join(folder, 'twice');
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1), VOLSEAL_SECRET_FILE_v1: path } })).toThrow(
      error(
        'SECRET_INVALID',
        /^the label v1 is given twice: VOLSEAL_SECRET_(FILE_)?v1 and VOLSEAL_SECRET_(FILE_)?v1$/,
        /another label/,
      ),
    );
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) }, files: { v1: path } })).toThrow(
      error('SECRET_INVALID', `the label v1 is given twice: VOLSEAL_SECRET_v1 and ${path}`, /another label/),
    );
  });
});

describe('files', () => {
  const unreadable = error('SECRET_INVALID', /cannot be read/, /path and its permissions.*\[\[files\]\]/);

  test('one that is not there names variable and path, and keeps the cause', () => {
    const path = join(folder, 'missing');
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: path } })).toThrow(
      error(
        'SECRET_INVALID',
        `VOLSEAL_SECRET_FILE_v1: the secret file ${path} cannot be read`,
        /\[\[files\]\]/,
      ),
    );
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: path } })).toThrow(
      expect.objectContaining({ path, cause: expect.objectContaining({ code: 'ENOENT' }) as unknown }),
    );
  });

  test('a directory, and an empty path', () => {
    mkdirSync(join(folder, 'directory'));
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: join(folder, 'directory') } })).toThrow(
      unreadable,
    );
    expect(() => flySecrets({ env: {}, files: { v1: '' } })).toThrow(unreadable);
  });

  test.each<[string, Uint8Array, RegExp]>([
    ['empty', new Uint8Array(0), /is empty$/],
    ['of 31 raw bytes', ikmOf(9).subarray(0, 31), /is too short: 31 bytes/],
    ['of 65 raw bytes', Uint8Array.from([...ikmOf(9), ...ikmOf(8), 0xff]), /holds 65 bytes, more than 64$/],
    [
      'of a mebibyte, which is not read whole',
      new Uint8Array(2 ** 20).map((_, i) => i * 7),
      /holds \d+ bytes, more than 64$/,
    ],
    ['of text that is no secret', Buffer.from('hello\n'), /VOLSEAL_SECRET_FILE_v1 is/],
  ])('one %s', (name, content, message) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: path } })).toThrow(
      error('SECRET_INVALID', message, /volseal keygen/),
    );
    expect(() => flySecrets({ env: { VOLSEAL_SECRET_FILE_v1: path } })).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^VOLSEAL_SECRET_FILE_v1 /) as string }),
    );
  });
});

test('a key that is not here is named, with a next step', async () => {
  const wrapped = await flySecrets({ env: { VOLSEAL_SECRET_v1: textOf(1) } }).wrap(new Uint8Array(32), info);
  const other = flySecrets({ env: { VOLSEAL_SECRET_v2: textOf(2) } });
  const keyId = referenceKeyIdText(referenceKeyId(ikmOf(1)));
  await expect(other.unwrap(wrapped, info)).rejects.toThrow(error('KEY_MISSING', new RegExp(keyId), /\w/));
});

test('options it does not know are refused by name', () => {
  const misspelt = { env: {}, remove: true } as FlySecretsOptions;
  expect(() => flySecrets(misspelt)).toThrow(
    error('UNKNOWN_OPTION', 'flySecrets has no option "remove"', /it takes env, prefix/),
  );
});

test('no error carries a value', () => {
  const secret = textOf(1);
  const cases: FlySecretsOptions[] = [
    { env: { VOLSEAL_SECRET_v1: `${secret}x` } },
    { env: { VOLSEAL_SECRET_v1: secret.slice(0, -1) } },
    { env: { VOLSEAL_SECRET_v1: secret, VOLSEAL_SECRET_v2: 'short' } },
    { env: { 'VOLSEAL_SECRET_a-b': secret } },
    { env: { VOLSEAL_SECRET_v1: secret }, files: { v1: '/nowhere' } },
  ];
  for (const options of cases) {
    let thrown: unknown;
    try {
      flySecrets(options);
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toMatchObject({ code: 'ERR_VOLSEAL_SECRET_INVALID' });
    const shown = JSON.stringify(thrown, Object.getOwnPropertyNames(thrown));
    for (let at = 0; at + 8 <= secret.length; at += 4) expect(shown).not.toContain(secret.slice(at, at + 8));
  }
});
