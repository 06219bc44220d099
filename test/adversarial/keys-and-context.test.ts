/** Keys that do not belong to the file, and contexts that are not the ones demanded. */

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { beforeAll, describe, expect, it } from 'vitest';

import {
  type Context,
  createDecryptReadStream,
  createDecryptStream,
  decrypt,
  type KeyProvider,
  openEncrypted,
  type OpenOptions,
  VolsealError,
} from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { expectAttack, type Verdict } from './expectations.ts';
import { put, rechecksum } from './forge.ts';
import { partOf } from './sealed-map.ts';
import { makeSubject, type Subject } from './subjects.ts';

/** A secret like those of `volseal keygen`, without its checksum form. */
const secret = (name: string): string =>
  createHash('sha256').update(`volseal test, no real key: ${name}`).digest('hex');
const keysOf = (secrets: Record<string, string>, primary?: string): KeyProvider =>
  flySecrets({
    env: Object.fromEntries(
      Object.entries(secrets).map(([label, value]) => [`VOLSEAL_SECRET_${label}`, value]),
    ),
    ...(primary !== undefined && { primary }),
  });

const context: Context = { tenant: 'acme', 'object id': '17', ключ: '' };
let subject: Subject;

beforeAll(async () => {
  subject = await makeSubject({ plainBytes: 9_000, keys: keysOf({ v1: secret('one') }), context });
});

const expectVerdict = (
  name: string,
  options: Partial<OpenOptions>,
  verdict: Verdict,
  sealed = subject.sealed,
): Promise<void> => expectAttack({ name, sealed, verdict, inspected: 'opens' }, subject, options);

const failureOf = async (options: Partial<OpenOptions>): Promise<VolsealError> => {
  const error = await decrypt(subject.sealed, { keys: subject.keys, ...options }).catch(
    (caught: unknown) => caught,
  );
  if (error instanceof VolsealError) return error;
  throw new Error('it opened');
};

describe('keys', () => {
  it('of another label, with the same value', async () => {
    await expectVerdict('label', { keys: keysOf({ renamed: secret('one') }) }, 'opens');
  });

  it('among others', async () => {
    await expectVerdict(
      'several',
      { keys: keysOf({ v0: secret('zero'), v2: secret('one'), v3: secret('three') }) },
      'opens',
    );
    const chain = [keysOf({ v0: secret('zero') }), keysOf({ v1: secret('one') })];
    await expectVerdict('chain', { keys: chain }, 'opens');
  });

  it('of the same label, with another value', async () => {
    const keys = keysOf({ v1: secret('two') });
    await expectVerdict('wrong value', { keys }, 'ERR_VOLSEAL_KEY_MISSING');
    const { message, hint } = await failureOf({ keys });
    expect(message).toContain('v1');
    expect(hint).toMatch(/another value/);
    expect(`${message} ${hint}`).not.toContain(secret('two'));
  });

  it('none that fits', async () => {
    const keys = keysOf({ v2: secret('two'), v3: secret('three') }, 'v2');
    await expectVerdict('missing', { keys }, 'ERR_VOLSEAL_KEY_MISSING');
  });

  it('of a slot that names this key but was sealed under another', async () => {
    const other = await makeSubject({ plainBytes: 1, keys: keysOf({ v1: secret('two') }), context });
    const { offset, bytes } = partOf(subject.map, 0, 'slot 0 key id');
    const keyId = other.sealed.subarray(offset, offset + bytes);
    const half = subject.map.regionBytes / 2;
    const renamed = put(put(subject.sealed, offset, keyId), half + offset, keyId);
    const sealed = rechecksum(renamed, subject.map.regionBytes, [0, 1]);
    await expectVerdict('renamed slot', { keys: other.keys }, 'ERR_VOLSEAL_WRONG_KEY', sealed);
    await expectVerdict('renamed slot', { keys: subject.keys }, 'ERR_VOLSEAL_KEY_MISSING', sealed);
  });
});

describe('contexts', () => {
  const contexts: readonly [string, Context, Verdict, Verdict][] = [
    ['the same', context, 'opens', 'opens'],
    ['in another order', { ключ: '', 'object id': '17', tenant: 'acme' }, 'opens', 'opens'],
    ['a part of it', { tenant: 'acme' }, 'opens', 'ERR_VOLSEAL_CONTEXT_MISMATCH'],
    ['no pairs', {}, 'opens', 'ERR_VOLSEAL_CONTEXT_MISMATCH'],
    [
      'another value',
      { ...context, tenant: 'umbrella' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    ['an empty value', { tenant: '' }, 'ERR_VOLSEAL_CONTEXT_MISMATCH', 'ERR_VOLSEAL_CONTEXT_MISMATCH'],
    ['a longer value', { tenant: 'acme2' }, 'ERR_VOLSEAL_CONTEXT_MISMATCH', 'ERR_VOLSEAL_CONTEXT_MISMATCH'],
    [
      'a key that is not there',
      { user: 'x' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    [
      'an empty value of a key that is not there',
      { user: '' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    [
      'all and one more',
      { ...context, user: 'x' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    [
      'a key in other letters',
      { Tenant: 'acme' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    [
      'names of every object',
      { constructor: 'acme' },
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
    [
      'the prototype of every object',
      JSON.parse('{"__proto__":"acme"}') as Context,
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
      'ERR_VOLSEAL_CONTEXT_MISMATCH',
    ],
  ];

  it.each(contexts)('%s', async (name, demanded, loose, exact) => {
    await expectVerdict(name, { context: demanded }, loose);
    await expectVerdict(`${name}, not exact`, { context: demanded, exactContext: false }, loose);
    await expectVerdict(`${name}, exact`, { context: demanded, exactContext: true }, exact);
  });

  it('left out: not checked, unless exactly none is demanded', async () => {
    await expectVerdict('left out', {}, 'opens');
    await expectVerdict('exactly none', { exactContext: true }, 'ERR_VOLSEAL_CONTEXT_MISMATCH');
  });

  it('a mismatch does not tell what the value is', async () => {
    for (const demanded of [{ tenant: 'umbrella' }, { 'object id': '18' }]) {
      const { message, hint } = await failureOf({ context: demanded });
      expect(`${message} ${hint}`).not.toMatch(/acme|17/);
    }
  });

  it('is exposed as authenticated, checked or not, before any plaintext', async () => {
    for (const demanded of [undefined, context]) {
      const options = { keys: subject.keys, ...(demanded && { context: demanded }) };
      const stream = createDecryptStream(options);
      const events: unknown[] = [];
      stream.once('context', (told: Context) => events.push({ ...told }));
      stream.once('data', () => events.push('data'));
      stream.end(subject.sealed);
      await stream.toArray();
      expect(events).toEqual([context, 'data']);
    }
  });
});

it('contexts that differ only in how their letters are put together are different', async () => {
  const composed = await makeSubject({ plainBytes: 1, context: { name: '\u00e9' } });
  const attack = { name: 'decomposed', sealed: composed.sealed, inspected: 'opens' } as const;
  await expectAttack({ ...attack, verdict: 'ERR_VOLSEAL_CONTEXT_MISMATCH' }, composed, {
    context: { name: 'e\u0301' },
  });
  await expectAttack({ ...attack, verdict: 'opens' }, composed, { context: { name: '\u00e9' } });
});

it('names of every object may be keys of a context', async () => {
  const odd = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c"}') as Context;
  const named = await makeSubject({ plainBytes: 1, context: odd });
  const attack = { name: 'odd keys', sealed: named.sealed, inspected: 'opens' } as const;
  await expectAttack({ ...attack, verdict: 'opens' }, named, { context: odd, exactContext: true });
  const wrong = JSON.parse('{"__proto__":"b"}') as Context;
  await expectAttack({ ...attack, verdict: 'ERR_VOLSEAL_CONTEXT_MISMATCH' }, named, { context: wrong });
});

it('handles and range streams show the context too', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'volseal-adversarial-'));
  const path = join(directory, 'sealed.vsl');
  try {
    writeFileSync(path, subject.sealed);
    await using file = await openEncrypted(path, { keys: subject.keys });
    expect({ ...file.context }).toEqual(context);
    const stream = createDecryptReadStream(path, { keys: subject.keys, start: 0, end: 0 });
    const told = new Promise((resolve) => stream.once('context', resolve));
    expect(await stream.toArray()).toHaveLength(1);
    expect({ ...((await told) as Context) }).toEqual(context);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
