/** A keyring over its life: made, opened, at work, seen by another process, exported, closed. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { hex } from '../../src/bytes.ts';
import { encodeSlot, parseSlot, type Slot } from '../../src/envelope/v1/slot.ts';
import { addVolumeKey, setVolumeKeyState } from '../../src/keyring/changes.ts';
import { Keyring, type WithLock } from '../../src/keyring/keyring.ts';
import { recoveryKey } from '../../src/kms/recovery-key.ts';
import { nodeSystem } from '../../src/os/node-system.ts';
import type { System } from '../../src/os/system.ts';
import { referenceSlotAad, referenceUnwrap } from '../reference/keys.ts';
import { keyIdBytesOf, recoveryBytesOf, referenceOpen } from '../reference/keyring.ts';
import {
  codeOf,
  errorOf,
  fileId,
  floeHeader,
  ikmOf,
  makeKeyring,
  newDataKey,
  newRoot,
  openKeyring,
  secrets,
  storedIn,
} from './scratch.ts';

const opens = (keyring: Keyring, slots: readonly Slot[]): string =>
  hex(keyring.unwrapDataKey(slots, fileId, floeHeader).bytes());
const dataKeyHex = hex(newDataKey().bytes());

async function warningsDuring(work: () => Promise<unknown>): Promise<unknown[]> {
  const messages: unknown[] = [];
  const listen = (message: unknown): void => void messages.push(message);
  subscribe('volseal:warning', listen);
  try {
    await work();
  } finally {
    unsubscribe('volseal:warning', listen);
  }
  return messages;
}

test('a new keyring says what it is, and opens again', async () => {
  const { keyring, directory, recoveryKey: text } = await makeKeyring({ recovery: true });
  const info = keyring.info();
  expect(info).toMatchObject({
    volumeId: hex(keyring.volumeId),
    generation: 1,
    policy: {
      suite: 'aes-256-gcm',
      segmentBytes: 16_384,
      writeOnceSegmentBytes: 65_536,
      requireContext: [],
    },
    recovery: true,
    slots: [
      { type: 'fly-secrets', label: 'v1', primary: true },
      { type: 'recovery', primary: false },
    ],
    volumeKeys: [{ version: 1, state: 'primary' }],
  });
  expect(info.volumeId).toMatch(/^[0-9a-f]{32}$/);
  expect(hex(keyIdBytesOf(info.volumeKeys[0]?.keyId ?? '')).slice(0, 16)).toBe(info.volumeId.slice(0, 16));
  expect(text).toMatch(/^vrk1(-[0-9A-HJKMNP-TV-Z]{4}){14}$/);
  const again = await openKeyring(directory);
  expect(again.info()).toEqual(info);
  expect([again.generation, again.policy]).toEqual([1, info.policy]);
});

test('the file is what the document describes, read without the library', async () => {
  const { keyring, directory, recoveryKey: text } = await makeKeyring({ recovery: true });
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  for (const [type, ikm] of [
    ['fly-secrets', ikmOf('v1')],
    ['recovery', recoveryBytesOf(text ?? '')],
  ] as const) {
    const { payload, volumeKeys } = referenceOpen(storedIn(directory), type, ikm);
    expect(payload.volumeId).toBe(Buffer.from(keyring.volumeId).toString('base64url'));
    const keyId = keyIdBytesOf(slot.wrapped.keyId);
    const aad = referenceSlotAad({ slotType: 1, keyId, keyVersion: 1, fileId, floeHeader });
    expect(hex(referenceUnwrap(volumeKeys.get(1) as Uint8Array, slot.wrapped.bytes, aad))).toBe(dataKeyHex);
  }
});

test('it opens with the secret alone, with the recovery key alone, and when both are given', async () => {
  const { directory, keyring, recoveryKey: text } = await makeKeyring({ recovery: true });
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  for (const providers of [
    [secrets('v1')],
    [recoveryKey(text as string)],
    [secrets('other'), recoveryKey(text as string)],
    [secrets('v1'), recoveryKey(text as string)],
  ]) {
    expect(opens(await openKeyring(directory, { providers }), [slot])).toBe(dataKeyHex);
  }
});

test('slots of volume keys are stored in a header and come back: 126 bytes', async () => {
  const { keyring } = await makeKeyring();
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const encoded = encodeSlot(slot);
  expect(encoded).toHaveLength(126);
  const parsed = parseSlot(encoded) as Slot;
  expect(parsed).toMatchObject({ keyVersion: 1, wrapped: { type: 'volume-key' } });
  expect(opens(keyring, [parsed])).toBe(dataKeyHex);
});

test('a slot is of its file alone: another id, header, version, byte, or keyring does not open it', async () => {
  const { keyring } = await makeKeyring();
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const other = new Uint8Array(74).fill(1);
  const refused = (run: () => unknown): Promise<string> => codeOf(run);
  const open =
    (one: Slot, id = fileId, header = floeHeader) =>
    (): unknown =>
      keyring.unwrapDataKey([one], id, header);
  expect(await refused(open(slot, other.subarray(0, 16)))).toBe('ERR_VOLSEAL_WRONG_KEY');
  expect(await refused(open(slot, fileId, other))).toBe('ERR_VOLSEAL_WRONG_KEY');
  expect(await refused(open({ ...slot, keyVersion: 2 }))).toBe('ERR_VOLSEAL_WRONG_KEY');
  for (let at = 0; at < 104; at++) {
    const bytes = Uint8Array.from(slot.wrapped.bytes);
    bytes[at] = (bytes[at] as number) ^ 1;
    expect(await refused(open({ ...slot, wrapped: { ...slot.wrapped, bytes } }))).toBe(
      'ERR_VOLSEAL_WRONG_KEY',
    );
  }
  const stranger = (await makeKeyring()).keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const error = await errorOf(open(stranger));
  expect(error).toMatchObject({ code: 'ERR_VOLSEAL_KEY_MISSING' });
  expect(error.message).toContain('another volume');
});

test('of several slots the first that can be opened counts, wherever it stands', async () => {
  const { keyring } = await makeKeyring();
  const old = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  await keyring.change(addVolumeKey());
  const current = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  expect(current.keyVersion).toBe(2);
  const outside: Slot = { wrapped: { ...old.wrapped, type: 'fly-secrets' }, keyVersion: 0 };
  expect(opens(keyring, [outside, old, current])).toBe(dataKeyHex);
  await keyring.change(setVolumeKeyState(1, 'disabled'));
  expect(opens(keyring, [outside, old, current])).toBe(dataKeyHex);
  expect(await codeOf(() => opens(keyring, [outside]))).toBe('ERR_VOLSEAL_KEY_MISSING');
  expect(await codeOf(() => opens(keyring, []))).toBe('ERR_VOLSEAL_KEY_MISSING');
});

test('a key of the volume that the keyring does not know: the keyring is older than the file', async () => {
  const { keyring, directory } = await makeKeyring();
  const reader = await openKeyring(directory);
  await keyring.change(addVolumeKey());
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const error = await errorOf(() => opens(reader, [slot]));
  expect(error).toMatchObject({ code: 'ERR_VOLSEAL_KEYRING_ROLLED_BACK' });
  expect(error.message).toContain('older than this file');
  expect(error.message).toContain('volume key 2');
  await reader.reload();
  expect(opens(reader, [slot])).toBe(dataKeyHex);
});

test('disabled and destroyed keys say so, with the date', async () => {
  const { keyring } = await makeKeyring();
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  await keyring.change(addVolumeKey());
  await keyring.change(setVolumeKeyState(1, 'disabled'));
  const disabled = await errorOf(() => opens(keyring, [slot]));
  expect([disabled.code, disabled.message]).toEqual([
    'ERR_VOLSEAL_KEY_MISSING',
    expect.stringMatching(/volume key 1 .* disabled since 20\d\d-/),
  ]);
  await keyring.change(setVolumeKeyState(1, 'active'));
  expect(opens(keyring, [slot])).toBe(dataKeyHex);
  await keyring.change(setVolumeKeyState(1, 'destroyed'));
  const destroyed = await errorOf(() => opens(keyring, [slot]));
  expect([destroyed.code, destroyed.message]).toEqual([
    'ERR_VOLSEAL_KEY_MISSING',
    expect.stringMatching(/volume key 1 .* destroyed on 20\d\d-/),
  ]);
});

/** Counts what is asked of the system, by name. */
function counting(): { system: System; calls: string[] } {
  const calls: string[] = [];
  const system = new Proxy(nodeSystem, {
    get(target, name: keyof System) {
      return (...given: unknown[]) => {
        calls.push(name);
        return (target[name] as (...all: unknown[]) => unknown)(...given);
      };
    },
  });
  return { system, calls };
}

test('refresh is one stat, and reads again what was replaced without asking a provider', async () => {
  const { keyring, directory } = await makeKeyring();
  const { system, calls } = counting();
  let asked = 0;
  const keys = secrets('v1');
  const provider: typeof keys = {
    type: keys.type,
    wrap: (...given) => keys.wrap(...given),
    describe: (...given) => keys.describe(...given),
    unwrap: (...given) => {
      asked += 1;
      return keys.unwrap(...given);
    },
  };
  const reader = await Keyring.open(system, directory, { providers: [provider] });
  expect(asked).toBe(1);
  calls.length = 0;
  await reader.refresh();
  await reader.refresh();
  expect(calls).toEqual(['lookAgain', 'lookAgain']);
  await keyring.change(addVolumeKey());
  calls.length = 0;
  await reader.refresh();
  expect(calls).toEqual(['lookAgain', 'open', 'fstat', 'read', 'close']);
  expect([reader.generation, asked]).toEqual([2, 1]);
  calls.length = 0;
  await reader.refresh();
  expect(calls).toEqual(['lookAgain']);
  await Promise.all([reader.reload(), reader.reload(), reader.reload(), reader.reload()]);
  expect(calls.filter((name) => name === 'open').length).toBeLessThan(3);
});

test('a reload sees what was there when it was called, though another one runs already', async () => {
  const { keyring, directory } = await makeKeyring();
  let release = (): void => {};
  let held = false;
  const slow: System = {
    ...nodeSystem,
    async read(...given) {
      const count = await nodeSystem.read(...given);
      if (held) await new Promise<void>((resolve) => (release = resolve));
      held = false;
      return count;
    },
  };
  const reader = await Keyring.open(slow, directory, { providers: [secrets('v1')] });
  await keyring.change(addVolumeKey());
  held = true;
  const first = reader.reload();
  await new Promise((resolve) => setTimeout(resolve, 20)); // the first has read generation 2
  await keyring.change(addVolumeKey());
  const second = reader.reload();
  release();
  await first;
  await second;
  expect(reader.generation).toBe(3);
});

test('what was read before a change of its own was written does not replace the change', async () => {
  const { directory } = await makeKeyring();
  let reading: Promise<void> | undefined;
  let release = (): void => {};
  let wasRead = (): void => {};
  const system: System = {
    ...nodeSystem,
    async read(...given) {
      const count = await nodeSystem.read(...given);
      if (reading === undefined) return count;
      wasRead();
      await new Promise<void>((resolve) => (release = resolve));
      return count;
    },
    async rename(from, to) {
      if (to.endsWith('keyring.json')) {
        const read = new Promise<void>((resolve) => (wasRead = resolve));
        reading = Promise.resolve().then(() => keyring.reload());
        await read;
      }
      return nodeSystem.rename(from, to);
    },
  };
  const withLock = (run: () => Promise<unknown>): Promise<unknown> => run();
  const keyring = await Keyring.open(system, directory, {
    providers: [secrets('v1')],
    withLock: withLock as WithLock,
  });
  await keyring.change(addVolumeKey());
  release();
  await reading;
  expect(keyring.generation).toBe(2);
  expect(keyring.wrapDataKey(newDataKey(), fileId, floeHeader).keyVersion).toBe(2);
});

test('an export opens the volume again together with the secret', async () => {
  const { keyring, directory } = await makeKeyring({ recovery: true });
  const slot = keyring.wrapDataKey(newDataKey(), fileId, floeHeader);
  const copy = keyring.export();
  expect(hex(copy)).toBe(hex(storedIn(directory)));
  copy.fill(0);
  const kept = keyring.export();
  const elsewhere = join(newRoot(), '.volseal');
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, 'keyring.json'), kept);
  expect(opens(await openKeyring(elsewhere), [slot])).toBe(dataKeyHex);
});

test('without a recovery key every open warns, with one none does', async () => {
  const bare = await makeKeyring();
  expect(await warningsDuring(() => openKeyring(bare.directory))).toEqual([
    {
      code: 'no-recovery-key',
      message: expect.stringContaining('volseal recovery create'),
      path: join(bare.directory, 'keyring.json'),
    },
  ]);
  const safe = await makeKeyring({ recovery: true });
  expect(await warningsDuring(() => openKeyring(safe.directory))).toEqual([]);
});

test('close wipes: nothing works afterwards, and nothing shows keys before', async () => {
  const { keyring, directory } = await makeKeyring({ recovery: true });
  const dataKey = newDataKey();
  const slot = keyring.wrapDataKey(dataKey, fileId, floeHeader);
  const { keyringKey, volumeKeys } = referenceOpen(storedIn(directory), 'fly-secrets', ikmOf('v1'));
  const shown = inspect(keyring, { depth: null, showHidden: true }) + JSON.stringify(keyring.info());
  for (const secret of [keyringKey, volumeKeys.get(1) as Uint8Array]) {
    expect(shown).not.toContain(hex(secret));
    expect(shown).not.toContain(Buffer.from(secret).toString('base64url'));
  }
  keyring.close();
  keyring.close();
  const calls: (() => unknown)[] = [
    () => keyring.wrapDataKey(dataKey, fileId, floeHeader),
    () => keyring.unwrapDataKey([slot], fileId, floeHeader),
    () => keyring.refresh(),
    () => keyring.reload(),
    () => keyring.export(),
    () => keyring.change(addVolumeKey()),
  ];
  for (const call of calls) expect(await codeOf(call)).toBe('ERR_VOLSEAL_CLOSED');
});

test('a keyring that is closed while it reads or changes says so', async () => {
  const { keyring, directory } = await makeKeyring();
  const reader = await openKeyring(directory);
  await keyring.change(addVolumeKey());
  const reading = reader.reload();
  reader.close();
  expect(await codeOf(() => reading)).toBe('ERR_VOLSEAL_CLOSED');
  const changing = keyring.change(addVolumeKey());
  keyring.close();
  expect(await codeOf(() => changing)).toBe('ERR_VOLSEAL_CLOSED');
  expect((await openKeyring(directory)).generation).toBeGreaterThanOrEqual(2);
});

test('made once: a second keyring is refused and the first stays', async () => {
  const { root, directory } = await makeKeyring();
  const before = hex(storedIn(directory));
  expect(await codeOf(() => makeKeyring({ root }))).toBe('ERR_VOLSEAL_VOLUME_EXISTS');
  expect(hex(storedIn(directory))).toBe(before);
  expect(readdirSync(directory)).toEqual(['keyring.json']);
});

test('only its owner may read it', async () => {
  const { directory, keyring } = await makeKeyring();
  await keyring.change(addVolumeKey());
  const mode = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  expect(mode(directory)).toBe('700');
  expect(mode(join(directory, 'keyring.json'))).toBe('600');
  expect(mode(join(directory, 'keyring.json.prev'))).toBe('600');
});

test('what is missing is said, with what to do', async () => {
  const root = newRoot();
  const none = await errorOf(() => openKeyring(join(root, '.volseal')));
  expect(none).toMatchObject({
    code: 'ERR_VOLSEAL_KEYRING_MISSING',
    message: expect.stringContaining(`there is no .volseal in ${root}`),
    hint: expect.stringMatching(/volseal keyring restore.*volseal init/),
  });
  const { directory, root: other, keyring } = await makeKeyring();
  await keyring.change(addVolumeKey());
  rmSync(join(directory, 'keyring.json'));
  const lost = await errorOf(() => openKeyring(directory));
  expect(lost).toMatchObject({
    code: 'ERR_VOLSEAL_KEYRING_MISSING',
    message: expect.stringContaining(`.volseal/keyring.json is missing in ${other}`),
  });
  expect(lost.message).toContain('keyring.json.prev');
  expect(await codeOf(() => keyring.refresh())).toBe('ERR_VOLSEAL_KEYRING_MISSING');
  await expect(openKeyring(join(root, 'nowhere', '.volseal'))).rejects.toMatchObject({ code: 'ENOENT' });
});

test('a keyring that is not a file is refused; a link is never followed, for reading or writing', async () => {
  const target = join(newRoot(), 'elsewhere');
  writeFileSync(target, 'precious');
  const { directory, keyring } = await makeKeyring();
  symlinkSync(target, join(directory, 'keyring.json.prev'));
  await keyring.change(addVolumeKey());
  expect(readFileSync(target, 'utf8')).toBe('precious');
  expect(statSync(join(directory, 'keyring.json.prev')).isFile()).toBe(true);
  rmSync(join(directory, 'keyring.json'));
  symlinkSync(target, join(directory, 'keyring.json'));
  expect(await codeOf(() => openKeyring(directory))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  expect(await codeOf(() => keyring.change(addVolumeKey()))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  rmSync(join(directory, 'keyring.json'));
  mkdirSync(join(directory, 'keyring.json'));
  expect(await codeOf(() => openKeyring(directory))).toBe('ERR_VOLSEAL_KEYRING_INVALID');
  expect(readFileSync(target, 'utf8')).toBe('precious');
});

test('the policy is taken as given, checked, and kept', async () => {
  const policy = {
    suite: 'xchacha20-poly1305' as const,
    segmentBytes: 4_096,
    writeOnceSegmentBytes: 1_048_576,
    requireContext: ['tenant', 'ключ'],
  };
  const { directory } = await makeKeyring({ policy });
  expect((await openKeyring(directory)).policy).toEqual(policy);
  const bad: readonly [object, string][] = [
    [{ suite: 'rot13' }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ segmentBytes: 4_097 }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ writeOnceSegmentBytes: 2_048 }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ requireContext: ['a', 'a'] }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ requireContext: [''] }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ requireContext: ['x'.repeat(129)] }, 'ERR_VOLSEAL_INVALID_ARGUMENT'],
    [{ segmentbytes: 4_096 }, 'ERR_VOLSEAL_UNKNOWN_OPTION'],
  ];
  for (const [given, code] of bad) {
    const root = newRoot();
    expect(await codeOf(() => makeKeyring({ root, policy: given }))).toBe(code);
    expect(readdirSync(root)).toEqual([]);
  }
});

test('read-only and without a lock nothing is changed', async () => {
  const { directory } = await makeKeyring();
  const before = hex(storedIn(directory));
  const reader = await openKeyring(directory, { readonly: true });
  expect(await codeOf(() => reader.change(addVolumeKey()))).toBe('ERR_VOLSEAL_PERMISSION');
  const unlocked = await openKeyring(directory, { withLock: undefined });
  expect(await codeOf(() => unlocked.change(addVolumeKey()))).toBe('ERR_VOLSEAL_INVALID_ARGUMENT');
  expect(hex(storedIn(directory))).toBe(before);
});
