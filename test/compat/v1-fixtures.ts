/**
 * Makes the fixtures of format version 1. A name that exists is left alone for ever: what it holds was written by the
 * version that made it. New names may be added.
 */

import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';

import { decrypt, inspect, type KeyProvider, type Suite } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import { externalKeys } from '../adversarial/external-keys.ts';
import { put } from '../adversarial/forge.ts';
import { rewritten, slotFor, slotsOf } from '../adversarial/rewrite.ts';
import { makeSubject, plaintextOf, type Subject, type SubjectOptions } from '../adversarial/subjects.ts';
import { referenceSecretText } from '../reference/keys.ts';
import { directoryOf, type Fixture, type Manifest } from './manifest.ts';

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const ikm = (name: string): Uint8Array =>
  plaintextOf(`volseal compatibility fixtures, a test secret, never for real data: ${name}`, 32);

const secrets = {
  first: { VOLSEAL_SECRET_TEST_ONLY: referenceSecretText(ikm('first')) },
  second: { VOLSEAL_SECRET_TEST_ONLY_2: referenceSecretText(ikm('second')) },
  hexadecimal: { VOLSEAL_SECRET_TEST_ONLY_HEX: Buffer.from(ikm('hexadecimal')).toString('hex') },
  long: {
    VOLSEAL_SECRET_TEST_ONLY_LONG: plaintextOf('a test secret of 64 bytes', 64).reduce(
      (text, byte) => text + byte.toString(16).padStart(2, '0'),
      '',
    ),
  },
  /** As `testKeys('b')`: its slot is written by the reference. */
  b: {
    VOLSEAL_SECRET_b: createHash('sha256')
      .update('volseal test keys, never for real data: ')
      .update('b')
      .digest('hex'),
  },
} as const;

const keysOf = (...variables: readonly Record<string, string>[]): KeyProvider =>
  flySecrets({ env: Object.assign({}, ...variables) as Record<string, string> });

interface Made {
  readonly subject: Subject;
  readonly sealed?: Uint8Array;
  readonly secrets?: Readonly<Record<string, string>>;
  readonly externalKeys?: readonly string[];
}

type Maker = () => Promise<Made>;

const simple =
  (options: SubjectOptions): Maker =>
  async () => ({
    subject: await makeSubject({ keys: keysOf(secrets.first), ...options }),
  });

function sizes(suite: Suite, overheadBytes: number): [string, Maker][] {
  const whole = 4_096 - overheadBytes;
  const plain = [0, 1, whole - 1, whole, whole + 1, 2 * whole, 2 * whole + 1];
  const small = plain.map((plainBytes): [string, Maker] => [
    `${suite}-4096-${plainBytes}`,
    simple({ suite, plainBytes }),
  ]);
  const twoOfDefault = 65_536 - overheadBytes + 1;
  return [
    ...small,
    [`${suite}-65536-${twoOfDefault}`, simple({ suite, plainBytes: twoOfDefault, segmentBytes: 65_536 })],
  ];
}

const makers: readonly [string, Maker][] = [
  ...sizes('aes-256-gcm', 32),
  ...sizes('xchacha20-poly1305', 44),
  ['segments-of-4608', simple({ plainBytes: 5_000, segmentBytes: 4_608 })],
  ['segments-of-1-MiB', simple({ plainBytes: 5_000, segmentBytes: 1_048_576 })],
  ['segments-of-4-MiB', simple({ plainBytes: 5_000, segmentBytes: 4_194_304, suite: 'xchacha20-poly1305' })],
  ['context', simple({ plainBytes: 100, context: { tenant: 'acme', 'object id': '17', empty: '' } })],
  [
    'context-unicode',
    simple({ plainBytes: 100, context: { ключ: 'значение', '\u00e9': 'e\u0301', '\u{1f512}': '\uffff' } }),
  ],
  [
    'context-of-7-KiB',
    simple({
      plainBytes: 100,
      context: Object.fromEntries(Array.from({ length: 7 }, (_, i) => [`k${i}`, 'v'.repeat(1_024)])),
    }),
  ],
  [
    'context-of-32-pairs',
    simple({
      plainBytes: 100,
      context: Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`key ${i}`, `${i}`])),
    }),
  ],
  [
    'secret-hexadecimal',
    async () => ({
      subject: await makeSubject({ plainBytes: 100, keys: keysOf(secrets.hexadecimal) }),
      secrets: secrets.hexadecimal,
    }),
  ],
  [
    'secret-of-64-bytes',
    async () => ({
      subject: await makeSubject({ plainBytes: 100, keys: keysOf(secrets.long) }),
      secrets: secrets.long,
    }),
  ],
  [
    'two-secrets',
    async () => ({
      subject: await makeSubject({
        plainBytes: 5_000,
        keys: keysOf(secrets.first),
        moreKeys: [keysOf(secrets.second)],
      }),
      secrets: { ...secrets.first, ...secrets.second },
    }),
  ],
  [
    'external-key',
    async () => ({
      subject: await makeSubject({ plainBytes: 5_000, keys: externalKeys('one', 200) }),
      secrets: {},
      externalKeys: ['one'],
    }),
  ],
  [
    'external-keys-and-a-secret',
    async () => ({
      subject: await makeSubject({
        plainBytes: 5_000,
        keys: externalKeys('one', 1_900),
        moreKeys: [keysOf(secrets.first), externalKeys('two', 60)],
      }),
      externalKeys: ['one', 'two'],
    }),
  ],
  [
    'eight-slots-of-65536',
    async () => {
      const names = ['1', '2', '3', '4', '5', '6', '7'];
      const context = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`k${i}`, 'v'.repeat(1_000)]));
      const moreKeys = names.map((name) => externalKeys(name, 2_000));
      return {
        subject: await makeSubject({ plainBytes: 100, keys: keysOf(secrets.first), moreKeys, context }),
        externalKeys: names,
      };
    },
  ],
  ['rewritten-half-0', async () => rotated(0)],
  ['rewritten-half-1', async () => rotated(1)],
  [
    'half-0-lost',
    async () => {
      const { subject } = await simple({ plainBytes: 5_000 })();
      return { subject, sealed: put(subject.sealed, 0, new Uint8Array(subject.map.regionBytes / 2)) };
    },
  ],
];

/** One half of generation 5 with one more slot, the other as it was at first. */
async function rotated(half: 0 | 1): Promise<Made> {
  const { subject } = await simple({ plainBytes: 5_000, context: { tenant: 'acme' } })();
  const slots = [slotFor(subject, 'b'), ...slotsOf(subject)];
  const sealed = rewritten(subject, subject.sealed, half, { generation: 5n, slots });
  return { subject, sealed, secrets: { ...secrets.first, ...secrets.b } };
}

async function describe(made: Made, sealed: Uint8Array): Promise<Fixture> {
  const { subject } = made;
  if (Buffer.compare(await decrypt(sealed, { keys: subject.keys }), subject.plain) !== 0)
    throw new Error('it does not open');
  const { suite, segmentBytes, regionBytes, fileId, generation, context, slots } = await inspect(sealed);
  return {
    secrets: made.secrets ?? secrets.first,
    ...(made.externalKeys && { externalKeys: made.externalKeys }),
    plainBytes: subject.plain.length,
    plainSha256: sha256(subject.plain),
    sealedSha256: sha256(sealed),
    suite,
    segmentBytes,
    regionBytes,
    fileId,
    generation,
    context,
    slots,
  };
}

/** Writes the files that are not there yet, and a manifest that has their entries beside the old ones. */
export async function addFixtures(manifest: Manifest): Promise<void> {
  const added: Record<string, Fixture> = {};
  for (const [name, make] of makers) {
    const file = `${name}.vsl`;
    const path = `${directoryOf('v1')}${file}`;
    if (manifest[file] !== undefined || existsSync(path)) continue;
    const made = await make();
    const sealed = made.sealed ?? made.subject.sealed;
    added[file] = await describe(made, sealed);
    writeFileSync(path, sealed, { flag: 'wx' });
  }
  if (Object.keys(added).length === 0) return;
  writeFileSync(
    `${directoryOf('v1')}manifest.json`,
    `${JSON.stringify({ ...manifest, ...added }, null, 2)}\n`,
  );
}
