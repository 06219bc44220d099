/** Headers with the keyring of a volume: what one process seals the other opens, also under a key that it has yet to read. */

import { afterEach, beforeEach, expect, test } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { findHeader } from '../../../src/envelope/region.ts';
import type { Slot } from '../../../src/envelope/v1/slot.ts';
import { FileHeader, type FileKind, openHeader } from '../../../src/fs/header/file-header.ts';
import { parseKeyId } from '../../../src/key-id.ts';
import { addVolumeKey } from '../../../src/keyring/changes.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { testKeys } from '../../../src/testing.ts';
import { MemoryFile } from './memory-file.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'volseal-header-'));
});
afterEach(() => rmSync(root, { recursive: true }));

const directory = (): string => join(root, '.volseal');
const providers = [testKeys('volume')];
const alone = <T>(run: () => Promise<T>): Promise<T> => run();
const create = async (): Promise<Keyring> => {
  const options = { providers, recovery: false, withLock: alone };
  return (await Keyring.create(nodeSystem, directory(), options)).keyring;
};

test.each<FileKind>(['mutable', 'write-once'])(
  'a %s file opens with the keyring as another process reads it',
  async (kind) => {
    const keyring = await create();
    const { header, region } = FileHeader.create(keyring, { kind, context: { tenant: 'acme' } });
    const other = await Keyring.open(nodeSystem, directory(), { providers });
    const opened = FileHeader.open(other, region);
    expect([opened.kind, hex(opened.fileId)]).toEqual([kind, hex(header.fileId)]);
    const [slot] = findHeader(region).header.slots as [Slot];
    const keyId = parseKeyId(slot.wrapped.keyId) as Uint8Array;
    expect(hex(keyId.subarray(0, 8))).toBe(hex(keyring.volumeId.subarray(0, 8)));
    expect([slot.wrapped.type, slot.keyVersion, slot.wrapped.bytes.length]).toEqual(['volume-key', 1, 104]);
  },
);

test('a key that was made meanwhile is read when a file names it', async () => {
  const keyring = await create();
  const reader = await Keyring.open(nodeSystem, directory(), { providers });
  await keyring.change(addVolumeKey());
  const { header, region } = FileHeader.create(keyring, { kind: 'mutable' });
  expect(() => FileHeader.open(reader, region)).toThrow('older than this file');
  const file = new MemoryFile(concatBytes(region, ...header.segments.seal([], 0, true)));
  const opened = await openHeader(file.system, reader, 3);
  expect(hex(opened.fileId)).toBe(hex(header.fileId));
  await opened.writeState(file.system, 3, { ...opened.state, syncSeq: 1 });
  expect(FileHeader.open(keyring, file.bytes).state.syncSeq).toBe(1);
});
