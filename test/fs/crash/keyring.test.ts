/** The keyring through crashes: it always opens, and nothing that was acknowledged is lost or comes back. */

import { constants } from 'node:fs';

import { describe, expect, it } from 'vitest';

import type { Slot } from '../../../src/envelope/v1/slot.ts';
import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { addVolumeKey, setVolumeKeyState } from '../../../src/keyring/changes.ts';
import { Keyring, type WithLock } from '../../../src/keyring/keyring.ts';
import { randomSecret } from '../../../src/random.ts';
import { Secret } from '../../../src/secret.ts';
import type { System } from '../../../src/os/system.ts';
import { testKeys } from '../../../src/testing.ts';
import { simulateCrashes } from '../../simulator/simulate-crashes.ts';

const directory = '/data/.volseal';
const providers = [testKeys()];

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

async function open(system: System): Promise<Keyring> {
  return Keyring.open(system, directory, { providers, withLock: locked(system) });
}

/** A data key of a file, as its header holds it. */
interface Wrapped {
  readonly slot: Slot;
  readonly fileId: Uint8Array;
  readonly floeHeader: Uint8Array;
  readonly dataKey: Uint8Array;
}

function wrapOne(keyring: Keyring): Wrapped {
  const dataKey = randomSecret(32);
  const [fileId, floeHeader] = [randomSecret(16), randomSecret(74)];
  const secret = new Secret(Uint8Array.from(dataKey));
  return { slot: keyring.wrapDataKey(secret, fileId, floeHeader), fileId, floeHeader, dataKey };
}

function expectOpens(keyring: Keyring, { slot, fileId, floeHeader, dataKey }: Wrapped): void {
  const secret = keyring.unwrapDataKey([slot], fileId, floeHeader);
  expect(Buffer.from(secret.bytes())).toEqual(Buffer.from(dataKey));
  secret.wipe();
}

async function contentOf(system: System, name: string): Promise<string> {
  const fd = await system.open(`${directory}/${name}`, constants.O_RDONLY);
  const content = Buffer.alloc(100_000);
  const bytes = await system.read(fd, content, 0, content.length, 0);
  await system.close(fd);
  const text = content.toString('latin1', 0, bytes);
  try {
    const { payload } = JSON.parse(text) as { payload: string };
    return Buffer.from(payload, 'base64url').toString('latin1');
  } catch {
    return text;
  }
}

describe('a keyring', () => {
  it('being made: there is none, or it opens', async () => {
    const report = await simulateCrashes<void, Wrapped>({
      setup: (system) => system.mkdir('/data'),
      run: async (system, _, acknowledge) => {
        const { keyring } = await Keyring.create(system, directory, { providers, recovery: false });
        acknowledge(wrapOne(keyring));
      },
      check: async (system, acknowledged) => {
        try {
          const keyring = await open(system);
          for (const wrapped of acknowledged) expectOpens(keyring, wrapped);
          keyring.close();
        } catch (error) {
          if (acknowledged.length > 0) throw error;
          expect(error).toMatchObject({ code: 'ERR_VOLSEAL_KEYRING_MISSING' });
          // Nothing is in the way of another try.
          const { keyring } = await Keyring.create(system, directory, { providers, recovery: false });
          keyring.close();
        }
      },
      states: 500,
    });
    expect(report.states).toBeGreaterThan(10);
  });

  it('being replaced: the older or the newer one opens, with every key that was used', async () => {
    const report = await simulateCrashes<Keyring, { readonly generation: number; readonly wrapped: Wrapped }>(
      {
        setup: async (system) => {
          await system.mkdir('/data');
          await Keyring.create(system, directory, { providers, recovery: false });
          return open(system);
        },
        run: async (_system, keyring, acknowledge) => {
          for (let round = 0; round < 4; round++) {
            acknowledge({ generation: keyring.generation, wrapped: wrapOne(keyring) });
            await keyring.change(addVolumeKey());
          }
        },
        check: async (system, acknowledged) => {
          const keyring = await open(system);
          const last = acknowledged.at(-1)?.generation ?? 1;
          expect([last, last + 1]).toContain(keyring.generation);
          for (const { wrapped } of acknowledged) expectOpens(keyring, wrapped);
          await keyring.change(addVolumeKey());
          keyring.close();
          const again = await open(system);
          expect(again.generation).toBe(keyring.generation);
          again.close();
        },
        states: 500,
      },
    );
    expect(report.states).toBeGreaterThan(300);
  });

  it('with a key destroyed: once that is acknowledged, no file of the keyring holds it', async () => {
    let wrap = '';
    let changed: Wrapped | undefined;
    let held = 0;
    const report = await simulateCrashes<Keyring, 'destroyed'>({
      setup: async (system) => {
        await system.mkdir('/data');
        await Keyring.create(system, directory, { providers, recovery: false });
        const keyring = await open(system);
        await keyring.change(addVolumeKey());
        changed = wrapOne(keyring);
        await keyring.change(async ({ content, key }) => {
          const old = content.volumeKeys.find(({ version }) => version === 1);
          wrap = Buffer.from(old?.wrap ?? []).toString('base64url');
          return { content, key, removes: false };
        });
        return keyring;
      },
      run: async (_system, keyring, acknowledge) => {
        await keyring.change(setVolumeKeyState(1, 'destroyed'));
        acknowledge('destroyed');
      },
      check: async (system, acknowledged) => {
        const keyring = await open(system);
        expectOpens(keyring, changed as Wrapped);
        keyring.close();
        const holding: string[] = [];
        for (const { name, kind } of await system.readdir(directory)) {
          if (kind === 'file' && (await contentOf(system, name)).includes(wrap)) holding.push(name);
        }
        if (acknowledged.length > 0) expect(holding).toEqual([]);
        held += holding.length;
      },
      states: 400,
    });
    expect(wrap.length).toBeGreaterThan(50);
    expect(report.states).toBeGreaterThan(50);
    // Or nothing was looked for.
    expect(held).toBeGreaterThan(0);
  });
});
