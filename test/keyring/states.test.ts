/** Volume keys through their states, against a model that is a table. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hex } from '../../src/bytes.ts';
import type { Slot } from '../../src/envelope/v1/slot.ts';
import { addVolumeKey, setVolumeKeyState, writeAgain } from '../../src/keyring/changes.ts';
import type { VolumeKeyRecord, VolumeKeyState } from '../../src/keyring/content.ts';
import type { Keyring } from '../../src/keyring/keyring.ts';
import { nextVersion, withNewPrimary, withState } from '../../src/keyring/volume-key-states.ts';
import { referenceOpen, referencePayload } from '../reference/keyring.ts';
import {
  codeOf,
  fileId,
  floeHeader,
  ikmOf,
  makeKeyring,
  newDataKey,
  openElsewhere,
  previousIn,
  storedIn,
} from './scratch.ts';

const states: readonly VolumeKeyState[] = ['primary', 'active', 'disabled', 'destroyed'];
/** Every step there is. */
const steps: ReadonlySet<string> = new Set([
  'active primary',
  'active disabled',
  'active destroyed',
  'disabled active',
  'disabled destroyed',
]);

type Command =
  | { readonly do: 'add' }
  | { readonly do: 'set'; readonly version: number; readonly state: VolumeKeyState }
  | { readonly do: 'reopen' }
  | { readonly do: 'other' };

const commands: fc.Arbitrary<Command[]> = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant<Command>({ do: 'add' }) },
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('set' as const),
        version: fc.integer({ min: 1, max: 6 }),
        state: fc.constantFrom(...states),
      }),
    },
    { weight: 1, arbitrary: fc.constant<Command>({ do: 'reopen' }) },
    { weight: 1, arbitrary: fc.constant<Command>({ do: 'other' }) },
  ),
  { minLength: 3, maxLength: 12 },
);

/** Makes a state of the model another one, when that is allowed. */
function step(model: Map<number, VolumeKeyState>, version: number, state: VolumeKeyState): boolean {
  if (!steps.has(`${model.get(version)} ${state}`)) return false;
  if (state === 'primary')
    for (const [other, its] of model) if (its === 'primary') model.set(other, 'active');
  model.set(version, state);
  return true;
}

async function expectAsModel(
  keyring: Keyring,
  model: ReadonlyMap<number, VolumeKeyState>,
  slots: ReadonlyMap<number, Slot>,
): Promise<void> {
  const info = keyring.info().volumeKeys;
  expect(info.map(({ version, state }) => [version, state])).toEqual([...model]);
  expect(new Set(info.map(({ keyId }) => keyId)).size).toBe(model.size);
  for (const [version, slot] of slots) {
    const state = model.get(version);
    const opened = await codeOf(() => keyring.unwrapDataKey([slot], fileId, floeHeader));
    expect(opened, `volume key ${version}, ${state}`).toBe(
      state === 'primary' || state === 'active' ? 'no error' : 'ERR_VOLSEAL_KEY_MISSING',
    );
  }
}

test('any sequence of changes, by several who hold it open, is as in the model', async () => {
  await fc.assert(
    fc.asyncProperty(commands, async (all) => {
      const made = await makeKeyring();
      let { keyring } = made;
      let other = await openElsewhere(made.directory);
      const model = new Map<number, VolumeKeyState>([[1, 'primary']]);
      const slots = new Map([[1, keyring.wrapDataKey(newDataKey(), fileId, floeHeader)]]);
      let { generation } = keyring;
      for (const command of all) {
        if (command.do === 'reopen') {
          keyring.close();
          keyring = await openElsewhere(made.directory);
        } else if (command.do === 'other') {
          [keyring, other] = [other, keyring];
          await keyring.refresh();
        } else if (command.do === 'add') {
          await keyring.change(addVolumeKey());
          for (const [version, state] of model) if (state === 'primary') model.set(version, 'active');
          model.set(model.size + 1, 'primary');
          slots.set(model.size, keyring.wrapDataKey(newDataKey(), fileId, floeHeader));
          generation += 1;
        } else {
          const allowed = step(model, command.version, command.state);
          const code = await codeOf(() => keyring.change(setVolumeKeyState(command.version, command.state)));
          expect(code).toBe(allowed ? 'no error' : 'ERR_VOLSEAL_INVALID_ARGUMENT');
          if (allowed) generation += command.state === 'destroyed' ? 2 : 1;
        }
        expect(keyring.generation).toBe(generation);
        await expectAsModel(keyring, model, slots);
      }
      const { payload, volumeKeys } = referenceOpen(storedIn(made.directory), 'fly-secrets', ikmOf('v1'));
      expect(payload.generation).toBe(generation);
      for (const [version, state] of model) expect(volumeKeys.has(version)).toBe(state !== 'destroyed');
      keyring.close();
      other.close();
    }),
    { numRuns: 25 },
  );
});

test('a destroyed key is in neither generation; its id and dates stay, its version is not given again', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addVolumeKey());
  await keyring.change(addVolumeKey());
  const [first] = referencePayload(storedIn(directory)).volumeKeys;
  await keyring.change(setVolumeKeyState(3, 'active')).catch(() => {});
  await keyring.change(setVolumeKeyState(1, 'destroyed'));
  await keyring.change(setVolumeKeyState(2, 'primary'));
  await keyring.change(setVolumeKeyState(3, 'destroyed'));
  for (const document of [storedIn(directory), previousIn(directory)]) {
    expect(Buffer.from(document).toString()).not.toContain(first?.wrap ?? 'missing');
    const { volumeKeys } = referencePayload(document);
    expect(volumeKeys.map(({ version, state }) => [version, state])).toEqual([
      [1, 'destroyed'],
      [2, 'primary'],
      [3, 'destroyed'],
    ]);
    expect(volumeKeys[0]).toEqual({
      version: 1,
      keyId: first?.keyId,
      state: 'destroyed',
      created: first?.created,
      changed: expect.any(String) as string,
    });
    expect(volumeKeys[2]).not.toHaveProperty('wrap');
  }
  await keyring.change(addVolumeKey());
  expect(keyring.info().volumeKeys.at(-1)).toMatchObject({ version: 4, state: 'primary' });
});

test('writing it once more takes what was removed out of the previous generation', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addVolumeKey());
  const before = keyring.info();
  await keyring.change(writeAgain());
  const { generation, changed, ...rest } = keyring.info();
  expect(rest).toEqual({ ...before, generation: undefined, changed: undefined, ...rest });
  expect([generation, changed >= before.changed]).toEqual([3, true]);
  expect(referencePayload(previousIn(directory)).volumeKeys).toEqual(
    referencePayload(storedIn(directory)).volumeKeys,
  );
});

describe('the pure steps', () => {
  const record = (version: number, state: VolumeKeyState): VolumeKeyRecord => {
    const base = {
      version,
      keyId: new Uint8Array(16).fill(version),
      state,
      created: 'then',
      changed: 'then',
    };
    return state === 'destroyed' ? base : { ...base, wrap: new Uint8Array(104).fill(version) };
  };

  test('each pair of states is allowed or not, and only the records concerned change', async () => {
    for (const from of states) {
      for (const to of states) {
        const records = [
          record(1, from === 'primary' ? 'active' : 'primary'),
          record(2, from),
          record(7, 'disabled'),
        ];
        const run = (): VolumeKeyRecord[] => withState(records, 2, to, 'now');
        if (!steps.has(`${from} ${to}`)) {
          expect(await codeOf(run)).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
          continue;
        }
        const [first, second, third] = run();
        expect(first).toEqual(
          to === 'primary' ? { ...records[0], state: 'active', changed: 'now' } : records[0],
        );
        const { wrap, ...rest } = records[1] as VolumeKeyRecord;
        const kept = to === 'destroyed' ? rest : { ...rest, wrap };
        expect(second).toEqual({ ...kept, state: to, changed: 'now' });
        expect(third).toBe(records[2]);
      }
    }
  });

  test('an unknown version is refused, and the hint says which there are', () => {
    expect(() => withState([record(1, 'primary'), record(4, 'active')], 2, 'active', 'now')).toThrow(
      expect.objectContaining({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT', hint: 'there are: 1, 4' }),
    );
  });

  test('the next version is higher than any there was, tombstones included, until the keyring is full', async () => {
    expect(nextVersion([record(1, 'primary'), record(9, 'destroyed')])).toBe(10);
    const full = Array.from({ length: 1_024 }, (_, i) => record(i + 1, i === 0 ? 'primary' : 'destroyed'));
    expect(await codeOf(() => nextVersion(full))).toBe('ERR_VOLSEAL_TOO_LARGE');
  });

  test('a new primary key leaves the others as they are', () => {
    const records = [record(1, 'primary'), record(2, 'disabled')];
    const added = { version: 3, keyId: new Uint8Array(16), wrap: new Uint8Array(104) };
    expect(withNewPrimary(records, added, 'now')).toEqual([
      { ...records[0], state: 'active', changed: 'now' },
      records[1],
      { ...added, state: 'primary', created: 'now', changed: 'now' },
    ]);
  });
});

test('the hex of two keys differs', async () => {
  const { keyring, directory } = await makeKeyring();
  await keyring.change(addVolumeKey());
  const { volumeKeys, keyringKey } = referenceOpen(storedIn(directory), 'fly-secrets', ikmOf('v1'));
  const all = [keyringKey, ...volumeKeys.values()].map(hex);
  expect(new Set(all).size).toBe(3);
});
