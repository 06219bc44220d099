/** The keyring of a volume, for commands that work on it alone. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';

import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import { FileLocks } from '../../fs/locks/file-locks.ts';
import { Keyring, type Owner, type WithLock } from '../../keyring/keyring.ts';
import type { KeyProvider } from '../../kms/provider.ts';
import { nodeSystem } from '../../os/node-system.ts';
import { inTerms, inTermsOf } from './failures.ts';

/** Whoever changes a keyring is done in less. */
const lockWaitMs = 5_000;

export interface KeyringPlace {
  /** Of `.volseal`, absolute. */
  readonly directory: string;
  /** What root makes belongs to whom the volume belongs to. */
  readonly owner: Owner | undefined;
  readonly withLock: WithLock;
}

/** Who gets what this process makes in a volume; undefined for whoever runs it. */
export async function ownerOf(root: string): Promise<Owner | undefined> {
  const { gid, uid } = await inTerms(root, stat(root));
  return process.geteuid?.() === 0 ? { uid, gid } : undefined;
}

export async function keyringPlace(root: string): Promise<KeyringPlace> {
  const directory = join(root, '.volseal');
  const owner = await ownerOf(root);
  const withLock: WithLock = async (run) => {
    const locks = new FileLocks(nodeSystem, join(directory, 'locks'), owner);
    const lock = await locks.acquire('keyring', {
      path: join(directory, 'keyring.json'),
      waitMs: lockWaitMs,
    });
    try {
      return await run();
    } finally {
      await lock.release();
      await locks.close();
    }
  };
  return { directory, owner, withLock };
}

/** The same failure, said of the volume. */
export function inTermsOfKeyring(root: string, thrown: unknown): unknown {
  if (!hasErrno(thrown, 'EBUSY')) return inTermsOf(root, thrown);
  const { holderPid } = thrown as { holderPid?: number };
  const who = holderPid === undefined ? 'another process' : `process ${holderPid}`;
  return new VolsealError('ERR_VOLSEAL_BUSY', `${root}: ${who} is changing the keyring`, {
    hint: 'try again when it is done',
    path: root,
    retryable: true,
    cause: thrown,
  });
}

/** Runs something with an unlocked keyring, closed whatever happens; the providers with it. */
export async function withKeyring<T>(
  root: string,
  providers: readonly KeyProvider[],
  options: { readonly readonly: boolean },
  run: (keyring: Keyring) => Promise<T>,
): Promise<T> {
  try {
    const { directory, owner, withLock } = await keyringPlace(root);
    const keyring = await Keyring.open(nodeSystem, directory, { providers, owner, withLock, ...options });
    try {
      return await run(keyring);
    } finally {
      keyring.close();
    }
  } catch (error) {
    throw inTermsOfKeyring(root, error);
  } finally {
    for (const provider of providers) provider.close?.();
  }
}
