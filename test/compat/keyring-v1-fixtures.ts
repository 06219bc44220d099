/**
 * Makes the golden keyrings of format version 1. A name that exists is left alone for ever: what it holds was written by
 * the version that made it. New names may be added.
 */

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import {
  addSlot,
  addVolumeKey,
  type Change,
  removeSlot,
  setPrimarySlot,
  setVolumeKeyState,
} from '../../src/keyring/changes.ts';
import { Keyring, type KeyringInfo, type VolumePolicy } from '../../src/keyring/keyring.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { Secret } from '../../src/secret.ts';
import { externalKeys } from '../adversarial/external-keys.ts';
import { plaintextOf } from '../adversarial/subjects.ts';
import { referenceKeyId, referenceKeyIdText, referenceSecretText } from '../reference/keys.ts';

export const directory: string = fileURLToPath(new URL('keyring-v1/', import.meta.url));
const manifestPath = `${directory}manifest.json`;

/** A data key under one of the volume keys. */
export interface FileSlot {
  readonly keyVersion: number;
  readonly keyId: string;
  readonly wrap: string;
  readonly opens: boolean;
}

export interface KeyringFixture {
  /** Environment variables with test secrets, each of which opens the keyring. */
  readonly secrets: Readonly<Record<string, string>>;
  /** Names of key services of nobody (test/adversarial/external-keys.ts). */
  readonly externalKeys: readonly string[];
  readonly recoveryKey?: string;
  readonly info: KeyringInfo;
  readonly fileSlots: readonly FileSlot[];
}

export type KeyringManifest = Readonly<Record<string, KeyringFixture>>;

export function readManifest(): KeyringManifest {
  return existsSync(manifestPath) ? (JSON.parse(readFileSync(manifestPath, 'utf8')) as KeyringManifest) : {};
}

const ikm = (name: string): Uint8Array =>
  plaintextOf(`volseal golden keyrings, a test secret, never for real data: ${name}`, 32);
const secretOf = (label: string): Record<string, string> => ({
  [`VOLSEAL_SECRET_${label}`]: referenceSecretText(ikm(label)),
});
const keysOf = (label: string): KeyProvider => flySecrets({ env: secretOf(label) });
const slotOf = (label: string): { type: string; keyId: string } => ({
  type: 'fly-secrets',
  keyId: referenceKeyIdText(referenceKeyId(ikm(label))),
});

/** What every file slot of the fixtures wraps, and for which file. */
export const dataKey: Uint8Array = plaintextOf('golden keyrings: data key', 32);
export const fileId: Uint8Array = plaintextOf('golden keyrings: file id', 16);
export const floeHeader: Uint8Array = plaintextOf('golden keyrings: FLOE header', 74);

interface Maker {
  readonly secrets: readonly string[];
  readonly externalKeys?: readonly string[];
  readonly providers: readonly KeyProvider[];
  readonly recovery?: boolean;
  readonly policy?: Partial<VolumePolicy>;
  readonly changes?: readonly Change[];
}

const makers: Readonly<Record<string, Maker>> = {
  'one-secret': { secrets: ['TEST_ONLY'], providers: [keysOf('TEST_ONLY')] },
  'secret-and-recovery': { secrets: ['TEST_ONLY'], providers: [keysOf('TEST_ONLY')], recovery: true },
  policy: {
    secrets: ['TEST_ONLY'],
    providers: [keysOf('TEST_ONLY')],
    recovery: true,
    policy: {
      suite: 'xchacha20-poly1305',
      segmentBytes: 4_096,
      writeOnceSegmentBytes: 4_194_304,
      requireContext: ['tenant', 'ключ', '\u{1f512}'],
    },
  },
  'external-keys': {
    secrets: ['TEST_ONLY'],
    externalKeys: ['one', 'two'],
    providers: [externalKeys('one', 60), keysOf('TEST_ONLY'), externalKeys('two', 1_900)],
  },
  'states-of-volume-keys': {
    secrets: ['TEST_ONLY'],
    providers: [keysOf('TEST_ONLY')],
    recovery: true,
    changes: [
      addVolumeKey(),
      addVolumeKey(),
      addVolumeKey(),
      setVolumeKeyState(1, 'destroyed'),
      setVolumeKeyState(2, 'disabled'),
    ],
  },
  'two-secrets': {
    secrets: ['TEST_ONLY', 'TEST_ONLY_2'],
    providers: [keysOf('TEST_ONLY')],
    changes: [addSlot(keysOf('TEST_ONLY_2')), setPrimarySlot(slotOf('TEST_ONLY_2'))],
  },
  'slot-removed': {
    secrets: ['TEST_ONLY_2'],
    providers: [keysOf('TEST_ONLY')],
    changes: [
      addSlot(keysOf('TEST_ONLY_2')),
      setPrimarySlot(slotOf('TEST_ONLY_2')),
      removeSlot(slotOf('TEST_ONLY'), { providers: [keysOf('TEST_ONLY_2')] }),
    ],
  },
};

async function make(maker: Maker): Promise<{ document: Uint8Array; fixture: KeyringFixture }> {
  const root = mkdtempSync(join(tmpdir(), 'volseal-golden-keyring-'));
  try {
    const { keyring, recoveryKey } = await Keyring.create(nodeSystem, join(root, '.volseal'), {
      providers: maker.providers,
      recovery: maker.recovery ?? false,
      policy: maker.policy,
      withLock: (run) => run(),
    });
    const wrapped = [keyring.wrapDataKey(new Secret(Uint8Array.from(dataKey)), fileId, floeHeader)];
    for (const change of maker.changes ?? []) {
      await keyring.change(change);
      wrapped.push(keyring.wrapDataKey(new Secret(Uint8Array.from(dataKey)), fileId, floeHeader));
    }
    const info = keyring.info();
    const fixture = {
      secrets: Object.assign({}, ...maker.secrets.map(secretOf)) as Record<string, string>,
      externalKeys: maker.externalKeys ?? [],
      ...(recoveryKey === undefined ? {} : { recoveryKey }),
      info,
      fileSlots: wrapped.map(({ keyVersion, wrapped: { keyId, bytes } }) => {
        const state = info.volumeKeys.find(({ version }) => version === keyVersion)?.state;
        const opens = state === 'primary' || state === 'active';
        return { keyVersion, keyId, wrap: Buffer.from(bytes).toString('base64url'), opens };
      }),
    };
    return { document: keyring.export(), fixture };
  } finally {
    rmSync(root, { recursive: true });
  }
}

export async function addFixtures(manifest: KeyringManifest): Promise<void> {
  const added: Record<string, KeyringFixture> = {};
  for (const [name, maker] of Object.entries(makers)) {
    const file = `${name}.keyring`;
    if (manifest[file] !== undefined || existsSync(`${directory}${file}`)) continue;
    const { document, fixture } = await make(maker);
    added[file] = fixture;
    writeFileSync(`${directory}${file}`, document, { flag: 'wx' });
  }
  if (Object.keys(added).length === 0) return;
  writeFileSync(manifestPath, `${JSON.stringify({ ...manifest, ...added }, null, 2)}\n`);
}
