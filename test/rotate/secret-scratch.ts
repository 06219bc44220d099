/** A keyring that goes from one secret to another, without a volume around it. */

import { rmSync } from 'node:fs';
import type { Keyring } from '../../src/keyring/keyring.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import { rotateSecretAt } from '../../src/rotate/secret.ts';
import type { RotateSecretOptions, RotateSecretReport } from '../../src/rotate/secret-report.ts';
import { makeKeyring, openElsewhere } from '../keyring/scratch.ts';

export interface Subject {
  readonly directory: string;
  readonly recoveryKey: string | undefined;
  /** As a process with these keys does, which has seen nothing before. */
  rotate(providers: readonly KeyProvider[], options: RotateSecretOptions): Promise<RotateSecretReport>;
  /** Opened as such a process does; closed by its caller. */
  open(providers: readonly KeyProvider[]): Promise<Keyring>;
  remove(): void;
}

export async function makeSubject(options: {
  readonly providers: readonly KeyProvider[];
  readonly recovery?: boolean;
}): Promise<Subject> {
  const { directory, keyring, recoveryKey, root } = await makeKeyring(options);
  keyring.close();
  return {
    directory,
    recoveryKey,
    async rotate(providers, wish) {
      const own = await openElsewhere(directory, { providers });
      try {
        return await rotateSecretAt({ keyring: own, system: nodeSystem, directory }, wish);
      } finally {
        own.close();
      }
    },
    open: (providers) => openElsewhere(directory, { providers }),
    remove: () => rmSync(root, { recursive: true }),
  };
}

/** `add:done check:waiting …` */
export function statesOf({ steps }: RotateSecretReport): string {
  return steps.map(({ state, step }) => `${step}:${state}`).join(' ');
}
