/** Keyrings in a temporary directory, with keys that everyone can compute. */

import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { VolsealError } from '../../src/errors.ts';
import { FileLocks } from '../../src/fs/locks/file-locks.ts';
import type { VolumePolicy } from '../../src/keyring/content.ts';
import { Keyring, type KeyringOpenOptions, type WithLock } from '../../src/keyring/keyring.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { Secret } from '../../src/secret.ts';
import { referenceSecretText } from '../reference/keys.ts';

const scratch = mkdtempSync(join(tmpdir(), 'volseal-keyring-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The root of a new volume, without `.volseal`. */
export function newRoot(): string {
  return mkdtempSync(join(scratch, 'root-'));
}

export function ikmOf(label: string): Uint8Array {
  return Uint8Array.from(
    createHash('sha256').update(`keyring tests, never for real data: ${label}`).digest(),
  );
}

/** Fly secrets of these labels, the first one primary. */
export function secrets(...labels: readonly string[]): KeyProvider {
  const env = Object.fromEntries(
    labels.map((label) => [`VOLSEAL_SECRET_${label}`, referenceSecretText(ikmOf(label))]),
  );
  return flySecrets({ env, primary: labels[0] as string });
}

/** As volumes lock their keyring. */
export function lockOf(directory: string): WithLock {
  const locks = new FileLocks(nodeSystem, join(directory, 'locks'));
  return async (run) => {
    const lock = await locks.acquire('keyring', { path: directory, waitMs: 20_000 });
    try {
      return await run();
    } finally {
      await lock.release();
    }
  };
}

export interface MadeKeyring {
  readonly root: string;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly recoveryKey: string | undefined;
}

export async function makeKeyring(
  options: {
    providers?: readonly KeyProvider[];
    recovery?: boolean;
    policy?: Partial<VolumePolicy>;
    root?: string;
  } = {},
): Promise<MadeKeyring> {
  const root = options.root ?? newRoot();
  const directory = join(root, '.volseal');
  const { keyring, recoveryKey } = await Keyring.create(nodeSystem, directory, {
    providers: options.providers ?? [secrets('v1')],
    policy: options.policy,
    recovery: options.recovery ?? false,
    withLock: lockOf(directory),
  });
  return { root, directory, keyring, recoveryKey };
}

export async function openKeyring(
  directory: string,
  options: Partial<KeyringOpenOptions> = {},
): Promise<Keyring> {
  return Keyring.open(nodeSystem, directory, {
    providers: [secrets('v1')],
    withLock: lockOf(directory),
    ...options,
  });
}

/** As another process would: it has seen nothing yet. */
export async function openElsewhere(
  directory: string,
  options: Partial<KeyringOpenOptions> = {},
): Promise<Keyring> {
  const system = { ...nodeSystem };
  return Keyring.open(system, directory, {
    providers: [secrets('v1')],
    withLock: lockOf(directory),
    ...options,
  });
}

export const storedIn = (directory: string): Uint8Array =>
  Uint8Array.from(readFileSync(join(directory, 'keyring.json')));
export const previousIn = (directory: string): Uint8Array =>
  Uint8Array.from(readFileSync(join(directory, 'keyring.json.prev')));
export const store = (directory: string, document: Uint8Array | string): void =>
  writeFileSync(join(directory, 'keyring.json'), document);

/** The code of the VolsealError that something fails with, or what it was instead. */
export async function codeOf(run: () => unknown): Promise<string> {
  try {
    await run();
    return 'no error';
  } catch (error) {
    if (error instanceof VolsealError) return error.code;
    return `not a VolsealError: ${String(error)}`;
  }
}

/** The VolsealError that something fails with. */
export async function errorOf(run: () => unknown): Promise<VolsealError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof VolsealError) return error;
    throw error;
  }
  throw new Error('it did not fail');
}

export const fileId: Uint8Array = new Uint8Array(16).fill(0xf1);
export const floeHeader: Uint8Array = new Uint8Array(74).fill(0xf2);
export const newDataKey = (): Secret => new Secret(Uint8Array.from({ length: 32 }, (_, i) => i * 7 + 1));
