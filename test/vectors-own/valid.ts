/** Vectors that open. */

import { createHash } from 'node:crypto';

import { type Context, encrypt } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { externalKeys } from '../adversarial/external-keys.ts';
import { flip, put } from '../adversarial/forge.ts';
import { rewritten, slotFor } from '../adversarial/rewrite.ts';
import { makeSubject, plaintextOf, type Subject, type SubjectOptions } from '../adversarial/subjects.ts';
import { bigEndian, referenceSecretText } from '../reference/keys.ts';
import { referenceSeal } from '../reference/sealed.ts';
import type { Definition } from './vector.ts';

/** The secret that `testKeys(label)` has, as the variable that holds it. */
export function testSecret(label: string): Record<string, string> {
  const value = createHash('sha256')
    .update('volseal test keys, never for real data: ')
    .update(label)
    .digest('hex');
  return { [`VOLSEAL_SECRET_${label}`]: value };
}

export function opens(what: string, subject: Subject, change: Partial<Definition> = {}): Definition {
  return {
    what,
    secrets: testSecret('a'),
    sealed: subject.sealed,
    expect: 'success',
    plain: subject.plain,
    ...change,
  };
}

const small = (options: Partial<SubjectOptions> = {}): Promise<Subject> =>
  makeSubject({ plainBytes: 100, ...options });

async function sizes(): Promise<[string, Definition][]> {
  const made: [string, Definition][] = [];
  for (const [suite, whole] of [
    ['aes-256-gcm', 4_064],
    ['xchacha20-poly1305', 4_052],
  ] as const) {
    for (const plainBytes of [0, 1, whole - 1, whole, whole + 1, 2 * whole]) {
      const subject = await makeSubject({ suite, plainBytes });
      made.push([
        `${suite}-${plainBytes}`,
        opens(`${plainBytes} bytes, ${suite}, segments of 4,096 bytes`, subject),
      ]);
    }
  }
  return made;
}

const ikm = plaintextOf('the secret of the vectors, never for real data', 32);

/** One file for every form that the text of one secret can have. */
async function secretForms(): Promise<[string, Definition][]> {
  const base64 = Buffer.from(ikm).toString('base64');
  const forms: readonly [string, string][] = [
    ['vsk1', referenceSecretText(ikm)],
    ['hexadecimal', Buffer.from(ikm).toString('hex')],
    ['hexadecimal-capitals', Buffer.from(ikm).toString('hex').toUpperCase()],
    ['base64', base64],
    ['base64-without-padding', base64.replace(/=+$/, '')],
    ['base64url', Buffer.from(ikm).toString('base64url')],
    ['with-white-space', `\n ${referenceSecretText(ikm)} \r\n`],
  ];
  const plain = plaintextOf('secret forms', 10);
  const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: referenceSecretText(ikm) } });
  const sealed = await encrypt(plain, { keys, segmentBytes: 4_096 });
  return forms.map(([form, value]) => {
    const what = `the same secret as ${form.replaceAll('-', ' ')}`;
    return [
      `secret-${form}`,
      { what, secrets: { VOLSEAL_SECRET_v1: value }, sealed, expect: 'success', plain },
    ];
  });
}

function emptyLastSegment(): Definition {
  const plain = plaintextOf('empty last', 2 * 4_064);
  const sealed = referenceSeal({
    ikm,
    label: 'v1',
    dataKey: plaintextOf('data key', 32),
    fileId: plaintextOf('file id', 16),
    iv: plaintextOf('iv', 32),
    slotNonce: plaintextOf('slot nonce', 24),
    segmentNonce: (position) => bigEndian(position + 1n, 12),
    aeadId: 0,
    segmentBytes: 4_096,
    regionBytes: 4_096,
    context: [],
    plain,
    emptyLast: true,
  });
  const what = 'an empty last segment after whole ones, which other writers may make';
  return { what, secrets: { VOLSEAL_SECRET_v1: referenceSecretText(ikm) }, sealed, expect: 'success', plain };
}

/** Definitions by the names of their files. */
export async function validVectors(): Promise<[string, Definition][]> {
  const subject = await small({ context: { tenant: 'acme', user: '' } });
  const half = subject.map.regionBytes / 2;
  const demanded: Context = { user: '', tenant: 'acme' };
  const long: Context = Object.fromEntries(
    Array.from({ length: 7 }, (_, i) => [`key ${i}`, 'é'.repeat(512)]),
  );
  const rotated = rewritten(subject, subject.sealed, 0, { generation: 7n, slots: [slotFor(subject, 'b')] });
  return [
    ...(await sizes()),
    ...(await secretForms()),
    ['empty-last-segment', emptyLastSegment()],
    [
      'context',
      opens('a context, demanded in another order', subject, {
        options: { context: demanded, exactContext: true },
      }),
    ],
    [
      'context-part',
      opens('a part of the context demanded', subject, { options: { context: { tenant: 'acme' } } }),
    ],
    [
      'context-long',
      opens('a header of 16,384 bytes', await small({ context: long }), { options: { context: long } }),
    ],
    [
      'several-slots',
      opens(
        'the second of three slots',
        await small({ keys: externalKeys('one'), moreKeys: [await keysOf('a'), await keysOf('b')] }),
      ),
    ],
    [
      'several-secrets',
      opens('one of several secrets', subject, { secrets: { ...testSecret('b'), ...testSecret('a') } }),
    ],
    ['half-0-lost', opens('half 0 lost', subject, { sealed: put(subject.sealed, 0, new Uint8Array(half)) })],
    [
      'half-1-lost',
      opens('half 1 lost', subject, { sealed: put(subject.sealed, half, new Uint8Array(half)) }),
    ],
    ['half-0-damaged', opens('half 0 damaged', subject, { sealed: flip(subject.sealed, 150) })],
    [
      'half-0-later-version',
      opens('half 0 says a later version', subject, { sealed: put(subject.sealed, 8, Uint8Array.of(0, 2)) }),
    ],
    [
      'padding',
      opens('bytes behind both copies', subject, {
        sealed: flip(flip(subject.sealed, half - 1), 2 * half - 1),
      }),
    ],
    [
      'rotated',
      opens('half 0 of generation 7 with another slot', subject, {
        sealed: rotated,
        secrets: testSecret('b'),
      }),
    ],
    ['rotated-damaged', opens('half 0 of generation 7 damaged', subject, { sealed: flip(rotated, 200) })],
  ];
}

async function keysOf(label: string): Promise<ReturnType<typeof flySecrets>> {
  return flySecrets({ env: testSecret(label) });
}
