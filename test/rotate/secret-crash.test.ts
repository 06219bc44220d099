/** The rotation of a secret through crashes at every one of its system calls: the same command again finishes it. */

import { constants } from 'node:fs';
import { expect, test } from 'vitest';
import { FileLocks } from '../../src/fs/locks/file-locks.ts';
import { Keyring, type WithLock } from '../../src/keyring/keyring.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import type { System } from '../../src/os/system.ts';
import { rotateSecretAt } from '../../src/rotate/secret.ts';
import type { RotateSecretReport } from '../../src/rotate/secret-report.ts';
import type { SecretStep } from '../../src/rotate/secret-steps.ts';
import { secrets } from '../keyring/scratch.ts';
import { simulateCrashes } from '../simulator/simulate-crashes.ts';

const directory = '/data/.volseal';
const [old, both, fresh] = [secrets('v1'), secrets('v1', 'v2'), secrets('v2')];

function locked(system: System): WithLock {
  const locks = new FileLocks(system, `${directory}/locks`);
  return async (run) => {
    const lock = await locks.acquire('keyring', { path: directory, waitMs: 1_000 });
    try {
      return await run();
    } finally {
      await lock.release();
    }
  };
}

function open(system: System, provider: KeyProvider): Promise<Keyring> {
  return Keyring.open(system, directory, { providers: [provider], withLock: locked(system) });
}

async function rotate(
  system: System,
  provider: KeyProvider,
  onProgress: (step: SecretStep) => void = () => {},
): Promise<RotateSecretReport> {
  const keyring = await open(system, provider);
  try {
    return await rotateSecretAt(
      { keyring, system, directory },
      {
        to: 'v2',
        offline: true,
        onProgress: ({ state, step }) => {
          if (state === 'done') onProgress(step);
        },
      },
    );
  } finally {
    keyring.close();
  }
}

async function textOf(system: System, name: string): Promise<string> {
  const fd = await system.open(`${directory}/${name}`, constants.O_RDONLY);
  const content = Buffer.alloc(100_000);
  const bytes = await system.read(fd, content, 0, content.length, 0);
  await system.close(fd);
  const text = content.toString('latin1', 0, bytes);
  const payload = /"payload":"([\w-]+)"/.exec(text)?.[1] ?? '';
  return text + Buffer.from(payload, 'base64url').toString('latin1');
}

test('it opens at every point, what is acknowledged stays, and it can be finished', {
  timeout: 240_000,
}, async () => {
  const { primary: oldId } = await old.describe();
  let unfinished = 0;
  const report = await simulateCrashes<void, SecretStep>({
    setup: async (system) => {
      await system.mkdir('/data');
      (await Keyring.create(system, directory, { providers: [old], recovery: false })).keyring.close();
    },
    run: async (system, _, acknowledge) => {
      await rotate(system, both, acknowledge);
    },
    check: async (system, acknowledged) => {
      // Whoever has both opens it whatever happened, and who has the new one alone as soon as that was said.
      (await open(system, both)).close();
      if (acknowledged.length > 0) (await open(system, fresh)).close();
      const opensOld = await open(system, old).then(
        (keyring) => {
          keyring.close();
          return true;
        },
        () => false,
      );
      if (acknowledged.includes('retire')) expect(opensOld).toBe(false);
      if (!acknowledged.includes('retire')) unfinished++;
      const again = await rotate(system, both);
      expect(again.complete).toBe(true);
      for (const { kind, name } of await system.readdir(directory)) {
        if (kind === 'file') expect(`${name} ${await textOf(system, name)}`).not.toContain(oldId);
      }
      (await open(system, fresh)).close();
      await expect(open(system, old)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_KEY_MISSING' });
    },
    recover: async (system) => {
      await rotate(system, both);
    },
    ignoreNames: (label) => label.includes('/locks/'),
    states: 400,
  });
  expect(report.states).toBeGreaterThan(150);
  expect(unfinished).toBeGreaterThan(50);
});
