/** Key bytes do not show, wherever a Secret ends up by mistake. */

import { format, inspect } from 'node:util';
import { serialize } from 'node:v8';
import { expect, test } from 'vitest';
import { VolsealError } from '../../src/errors.ts';
import { Secret } from '../../src/secret.ts';

const keyText = 'SECRETSECRETSECRETSECRETSECRET!!';
const makeSecret = (): Secret => new Secret(Uint8Array.from(Buffer.from(keyText)));
/** The bytes as text, hex, base64 and decimal numbers. */
const leak = /SECRET|534543|U0VDUkVU|83, ?69, ?67/;

test.each<[string, (secret: Secret) => string]>([
  ['inspect', (secret) => inspect(secret)],
  [
    'inspect with everything on',
    (secret) => inspect(secret, { showHidden: true, depth: null, getters: true, showProxy: true }),
  ],
  [
    'inspect without custom inspectors',
    (secret) => inspect(secret, { customInspect: false, showHidden: true, depth: null }),
  ],
  [
    'inspect of what holds it',
    (secret) => inspect({ deep: [new Map([['key', secret]])] }, { depth: null, showHidden: true }),
  ],
  [
    'format',
    (secret) => format('%s %o %O %j %d %i %f', secret, secret, secret, secret, secret, secret, secret),
  ],
  ['a template', (secret) => `${String(secret)} ${[secret].join(' ')}`],
  ['JSON', (secret) => JSON.stringify({ secret, list: [secret] })],
  [
    'JSON after it was used as a key object',
    (secret) => `${secret.keyObject().type} ${JSON.stringify(secret)} ${inspect(secret)}`,
  ],
  [
    'its own properties',
    (secret) => JSON.stringify([Reflect.ownKeys(secret), { ...secret }, Object.entries(secret)]),
  ],
  ['a structured clone', (secret) => inspect(structuredClone(secret), { depth: null, showHidden: true })],
  ['serialisation', (secret) => serialize({ secret }).toString('latin1')],
  [
    'the cause of an error',
    (secret) => inspect(new VolsealError('ERR_VOLSEAL_INTERNAL', 'x', { cause: secret }), { depth: null }),
  ],
  [
    'the stack of an error about a wiped one',
    (secret) => {
      secret.wipe();
      try {
        secret.bytes();
        return 'not wiped';
      } catch (error) {
        return inspect(error, { depth: null });
      }
    },
  ],
])('nothing shows in %s', (_name, show) => {
  const shown = show(makeSecret());
  expect(shown).not.toMatch(leak);
  expect(shown.length).toBeGreaterThan(0);
});

test('the leak check finds each form', () => {
  const bytes = Buffer.from(keyText);
  for (const form of [
    keyText,
    bytes.toString('hex'),
    bytes.toString('base64'),
    inspect([...bytes]),
    JSON.stringify([...bytes]),
  ]) {
    expect(form).toMatch(leak);
  }
});

test('says that it is a secret', () => {
  const secret = makeSecret();
  expect([inspect(secret), String(secret), JSON.stringify(secret)]).toEqual([
    '[secret]',
    '[secret]',
    '"[secret]"',
  ]);
});

test('gives the bytes themselves and a key object of them', () => {
  const bytes = new Uint8Array(32).fill(4);
  const secret = new Secret(bytes);
  expect(secret.bytes()).toBe(bytes);
  expect(secret.byteLength).toBe(32);
  expect([...secret.keyObject().export()]).toEqual([...bytes]);
  expect(secret.keyObject()).toBe(secret.keyObject());
});

test('wiped, its bytes are zero and it is of no use any more; wiping twice is fine', () => {
  const bytes = new Uint8Array(32).fill(4);
  const secret = new Secret(bytes);
  secret.keyObject();
  secret.wipe();
  secret.wipe();
  expect(bytes.every((byte) => byte === 0)).toBe(true);
  const used = expect.objectContaining({
    code: 'ERR_VOLSEAL_INTERNAL',
    message: expect.stringContaining('after it was wiped') as string,
  });
  expect(() => secret.bytes()).toThrow(used);
  expect(() => secret.keyObject()).toThrow(used);
  expect(() => secret.byteLength).toThrow(used);
});
