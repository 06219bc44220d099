/** A process that dies, or a system call that fails, at every point of making and replacing a keyring. */

import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { errnoError } from '../../src/errno.ts';
import {
  addSlot,
  addVolumeKey,
  type Change,
  removeSlot,
  setPrimarySlot,
  setVolumeKeyState,
  writeAgain,
} from '../../src/keyring/changes.ts';
import { Keyring } from '../../src/keyring/keyring.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { referenceKeyId, referenceKeyIdText } from '../reference/keys.ts';
import { type ReferencePayload, referencePayload } from '../reference/keyring.ts';
import {
  codeOf,
  ikmOf,
  makeKeyring,
  newRoot,
  openElsewhere,
  previousIn,
  secrets,
  storedIn,
} from './scratch.ts';

interface Faulty {
  readonly system: System;
  /** Calls so far. */
  calls(): number;
  /** Descriptors that are open. */
  open(): number;
}

/** A system whose call number `at` fails, and with `dies` every call after it: nothing more reaches the disk. */
function failingAt(at: number, dies: boolean, code = 'EIO'): Faulty {
  let calls = 0;
  const descriptors = new Set<number>();
  const system = new Proxy(nodeSystem, {
    get(target, name: keyof System) {
      return async (...given: unknown[]): Promise<unknown> => {
        calls += 1;
        // A failed close has closed the descriptor all the same.
        if (name === 'close') descriptors.delete(given[0] as number);
        if (calls === at || (dies && calls > at)) {
          if (name === 'close') await nodeSystem.close(given[0] as number);
          throw errnoError(code, name);
        }
        const result = await (target[name] as (...all: unknown[]) => Promise<unknown>)(...given);
        if (name === 'open') descriptors.add(result as number);
        return result;
      };
    },
  });
  return { system, calls: () => calls, open: () => descriptors.size };
}

const noLock = async <T>(run: () => Promise<T>): Promise<T> => run();
const slotOf = (label: string): { type: string; keyId: string } => ({
  type: 'fly-secrets',
  keyId: referenceKeyIdText(referenceKeyId(ikmOf(label))),
});

const both = [secrets('v2', 'v1')];
/** Name, what was done before, the change, and a wrap of the keyring before it that no generation may hold in the end. */
type Case = readonly [string, readonly Change[], Change, (before: ReferencePayload) => string | undefined];
const changes: readonly Case[] = [
  ['a new volume key', [], addVolumeKey(), () => undefined],
  [
    'a destroyed volume key',
    [addVolumeKey()],
    setVolumeKeyState(1, 'destroyed'),
    ({ volumeKeys }) => volumeKeys[0]?.wrap,
  ],
  [
    'a removed slot',
    [addSlot(secrets('v2')), setPrimarySlot(slotOf('v2'))],
    removeSlot(slotOf('v1')),
    ({ slots }) => slots[0]?.wrap,
  ],
];

describe.each(changes)('%s', (_name, before, change, goneFrom) => {
  let prepared: string;
  let total: number;
  const copy = (): string => {
    const directory = join(newRoot(), '.volseal');
    cpSync(prepared, directory, { recursive: true });
    return directory;
  };
  const run = async (directory: string, { system }: Faulty): Promise<Keyring> => {
    const keyring = await Keyring.open(system, directory, { providers: both, withLock: noLock });
    await keyring.change(change);
    return keyring;
  };
  const open = (directory: string): Promise<Keyring> =>
    openElsewhere(directory, { providers: both, withLock: noLock });

  beforeAll(async () => {
    const { keyring, directory } = await makeKeyring();
    for (const each of before) await keyring.change(each);
    keyring.close();
    prepared = directory;
    const faulty = failingAt(0, false);
    await run(copy(), faulty);
    total = faulty.calls();
  });

  test('dies at any call: the keyring opens, old or new, and the change can be made then', async () => {
    expect(total).toBeGreaterThan(20);
    const old = referencePayload(storedIn(prepared)).generation;
    const generations = new Set<number>();
    for (let at = 1; at <= total; at++) {
      const directory = copy();
      await expect(run(directory, failingAt(at, true)), `call ${at}`).rejects.toMatchObject({ code: 'EIO' });
      const keyring = await open(directory);
      generations.add(keyring.generation - old);
      if (existsSync(join(directory, 'keyring.json.prev'))) {
        expect(referencePayload(previousIn(directory)).generation).toBeLessThanOrEqual(keyring.generation);
      }
      // Made already, it is refused as such; else it is made now.
      const again = await codeOf(() => keyring.change(change));
      expect(['no error', 'ERR_VOLSEAL_INVALID_ARGUMENT'], `call ${at}`).toContain(again);
      if (again !== 'no error') await keyring.change(writeAgain());
      const gone = goneFrom(referencePayload(storedIn(prepared)));
      if (gone === undefined) continue;
      expect(JSON.stringify(referencePayload(storedIn(prepared)))).toContain(gone);
      for (const document of [storedIn(directory), previousIn(directory)])
        expect(JSON.stringify(referencePayload(document)), `call ${at}`).not.toContain(gone);
    }
    expect(Math.min(...generations)).toBe(0);
    expect(Math.max(...generations)).toBeGreaterThan(0);
  });

  test('an error at any call: it is said or does no harm, no descriptor is left, and it goes on', async () => {
    const codes = ['EIO', 'ENOSPC', 'EMFILE'];
    for (let at = 1; at <= total; at++) {
      const directory = copy();
      const code = codes[at % codes.length] as string;
      const faulty = failingAt(at, false, code);
      const outcome = await run(directory, faulty).catch((error: unknown) => error);
      expect(faulty.open(), `call ${at}`).toBe(0);
      const keyring = await open(directory);
      if (outcome instanceof Keyring) expect(keyring.generation).toBe(outcome.generation);
      else expect((outcome as NodeJS.ErrnoException).code, `call ${at}`).toBe(code);
      await keyring.change(addVolumeKey());
    }
  });
});

test('dies at any call while it is made: a keyring that opens or none, and it can be made again', async () => {
  const outcomes = new Set<string>();
  for (let at = 1; ; at++) {
    const directory = join(newRoot(), '.volseal');
    const faulty = failingAt(at, true);
    const options = { providers: [secrets('v1')], recovery: true };
    const made = await Keyring.create(faulty.system, directory, options).catch(() => undefined);
    if (made !== undefined) break;
    const opening = await codeOf(() => openElsewhere(directory));
    expect(['no error', 'ERR_VOLSEAL_KEYRING_MISSING']).toContain(opening);
    outcomes.add(opening);
    const again = await codeOf(() => Keyring.create(nodeSystem, directory, options));
    expect(again).toBe(opening === 'no error' ? 'ERR_VOLSEAL_VOLUME_EXISTS' : 'no error');
  }
  expect([...outcomes].toSorted()).toEqual(['ERR_VOLSEAL_KEYRING_MISSING', 'no error']);
});

test('what a dead process left half written is removed, for it may hold a key that is destroyed now', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addVolumeKey());
  const [temporary] = await leftovers(directory);
  const dead = (temporary as string).replace(/-\d+-(\d+-\d*-[0-9a-f]{16})$/, '-999999999-$1');
  const alive = temporary as string;
  writeFileSync(join(directory, dead), storedIn(directory));
  writeFileSync(join(directory, alive), 'of a living process');
  await keyring.change(setVolumeKeyState(1, 'destroyed'));
  expect(readdirSync(directory).filter((name) => name.startsWith('.volseal-tmp'))).toEqual([alive]);
});

/** Names of the temporary files that a change makes. */
async function leftovers(directory: string): Promise<string[]> {
  const names: string[] = [];
  const system: System = {
    ...nodeSystem,
    rename: async (from, to) => {
      names.push(from.slice(directory.length + 1));
      return nodeSystem.rename(from, to);
    },
  };
  const keyring = await Keyring.open(system, directory, { providers: [secrets('v1')], withLock: noLock });
  await keyring.change(addVolumeKey());
  return names;
}

test('the keyring is on the disk before it counts: content, then name, then directory, the previous generation first', async () => {
  const { directory } = await makeKeyring();
  const log: string[] = [];
  const places = new Map<number, string>();
  const short = (path: string): string =>
    path.replace(directory, '').replace(/^\/\.volseal-tmp-.*/, 'temporary') || 'directory';
  const system: System = {
    ...nodeSystem,
    async open(path, flags, mode) {
      const fd = await nodeSystem.open(path, flags, mode);
      places.set(fd, short(path));
      return fd;
    },
    async fsync(fd) {
      await nodeSystem.fsync(fd);
      log.push(`fsync ${places.get(fd)}`);
    },
    async rename(from, to) {
      await nodeSystem.rename(from, to);
      log.push(`rename ${short(to)}`);
    },
  };
  const keyring = await Keyring.open(system, directory, { providers: [secrets('v1')], withLock: noLock });
  await keyring.change(addVolumeKey());
  expect(log).toEqual([
    'fsync temporary',
    'rename /keyring.json.prev',
    'fsync directory',
    'fsync temporary',
    'rename /keyring.json',
    'fsync directory',
  ]);
  expect(readFileSync(join(directory, 'keyring.json.prev')).length).toBeGreaterThan(100);
});
