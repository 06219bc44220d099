/** Headers of open descriptors: how much is read, writers in the middle, keys that came later, and the warning of a damaged half. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { VolsealError } from '../../../src/errors.ts';
import { FileHeader, type FileKind, openHeader } from '../../../src/fs/header/file-header.ts';
import type { WarningMessage } from '../../../src/trace.ts';
import { MemoryFile } from './memory-file.ts';
import { TestKeys, volumeKey } from './volume-keys.ts';

const warnings: WarningMessage[] = [];
const listen = (message: unknown): void => void warnings.push(message as WarningMessage);
beforeEach(() => {
  warnings.length = 0;
  subscribe('volseal:warning', listen);
});
afterEach(() => void unsubscribe('volseal:warning', listen));

function make(kind: FileKind, context: Record<string, string> = {}, keys = new TestKeys()): MemoryFile {
  const { encryptor, header, region } = FileHeader.create(keys, { kind, context });
  const body = encryptor?.sealSegment(new Uint8Array(9_000), 0, true);
  return new MemoryFile(
    concatBytes(region, ...(body === undefined ? header.segments.seal([], 0, true) : [body])),
  );
}

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    return error.code.replace('ERR_VOLSEAL_', '');
  }
  return undefined;
}

describe('how much is read', () => {
  test.each<FileKind>(['mutable', 'write-once'])('of a %s file one call is enough', async (kind) => {
    const file = make(kind);
    const header = await openHeader(file.system, new TestKeys(), 3);
    expect(header.kind).toBe(kind);
    expect(file.calls).toEqual(['read 0+4096']);
  });

  test('of a longer header a second one', async () => {
    const file = make('write-once', { a: 'x'.repeat(1_000), b: 'x'.repeat(1_000), c: 'x'.repeat(1_000) });
    const header = await openHeader(file.system, new TestKeys(), 3);
    expect(header.regionBytes).toBe(8_192);
    expect(file.calls).toEqual(['read 0+4096', 'read 0+8192']);
  });

  test('of a file whose start is given nothing, and what follows the header does not matter', async () => {
    const file = make('write-once');
    for (const length of [2_048, 2_049, 4_096, file.bytes.length]) {
      const header = await openHeader(file.system, new TestKeys(), 3, file.bytes.subarray(0, length));
      expect(header.regionBytes).toBe(2_048);
    }
    expect(file.calls).toEqual([]);
    await openHeader(file.system, new TestKeys(), 3, file.bytes.subarray(0, 100));
    expect(file.calls).toEqual(['read 0+2048']);
  });

  test('of a large file that is not sealed no more than a header can have', async () => {
    const file = new MemoryFile(new Uint8Array(300_000).fill(0x41));
    expect(await codeOf(openHeader(file.system, new TestKeys(), 3))).toBe('NOT_SEALED');
    expect(file.calls).toEqual(['read 0+4096', 'read 0+65536']);
  });

  test.each([0, 1, 15, 16, 100, 2_047])('of a file that ends after %i bytes all', async (length) => {
    const file = make('mutable');
    file.bytes = file.bytes.slice(0, length);
    const code = await codeOf(openHeader(file.system, new TestKeys(), 3));
    expect(code).toBe(length < 8 ? 'NOT_SEALED' : 'TRUNCATED');
  });
});

describe('a damaged half', () => {
  test.each([0, 1])('%i is warned of, with the path, and the other one opens', async (half) => {
    const file = make('mutable');
    file.bytes.fill(0, half * 2_048 + 30, half * 2_048 + 40);
    const header = await openHeader(file.system, new TestKeys(), 3, undefined, '/data/a.txt');
    expect(header.bothCopies).toBe(false);
    expect(warnings).toEqual([
      {
        code: 'header-copy-damaged',
        message: 'one of the two header copies is damaged; the other one was used',
        path: '/data/a.txt',
      },
    ]);
    FileHeader.open(new TestKeys(), file.bytes);
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).not.toHaveProperty('path');
  });

  test('that was only being written while it was read is not', async () => {
    const file = make('mutable');
    const whole = Uint8Array.from(file.bytes);
    file.bytes.fill(0, 30, 40);
    file.before = () => {
      if (file.calls.length > 2) file.bytes = whole;
    };
    const header = await openHeader(file.system, new TestKeys(), 3);
    expect(header.bothCopies).toBe(true);
    expect(warnings).toEqual([]);
  });

  test.each([[[0]], [[1]], [[0, 1]]])(
    '%j in the start that is given is read anew before it is believed',
    async (halves) => {
      const file = make('mutable');
      const start = Uint8Array.from(file.bytes);
      for (const half of halves) start.fill(0, half * 2_048 + 30, half * 2_048 + 40);
      const header = await openHeader(file.system, new TestKeys(), 3, start);
      expect(header.bothCopies).toBe(true);
      expect(warnings).toEqual([]);
    },
  );

  test('with the other one damaged too is an error', async () => {
    const file = make('mutable');
    file.bytes.fill(0, 30, 40).fill(0, 2_078, 2_088);
    expect(await codeOf(openHeader(file.system, new TestKeys(), 3))).toBe('HEADER_DAMAGED');
  });

  test('a good one is not warned of', async () => {
    await openHeader(make('mutable').system, new TestKeys(), 3);
    expect(warnings).toEqual([]);
  });
});

describe('a volume key that the keyring does not have', () => {
  const both = [volumeKey(1), volumeKey(2)];

  test('may be there when the keyring is read again: once', async () => {
    const file = make('mutable', {}, new TestKeys(both));
    const keys = new TestKeys([volumeKey(1)], both);
    const header = await openHeader(file.system, keys, 3);
    expect(hex(header.fileId)).toBe(hex(FileHeader.open(keys, file.bytes).fileId));
    expect(keys.reloads).toBe(1);
    await openHeader(file.system, keys, 3);
    expect(keys.reloads).toBe(1);
  });

  test('is what the keyring calls it when it is not there then either', async () => {
    const file = make('mutable', {}, new TestKeys(both));
    const keys = new TestKeys([volumeKey(1)]);
    expect(await codeOf(openHeader(file.system, keys, 3))).toBe('KEYRING_ROLLED_BACK');
    expect([keys.reloads, keys.unwraps]).toEqual([1, 2]);
  });

  test('is not looked for when the file is of another volume', async () => {
    const file = make('mutable', {}, new TestKeys([volumeKey(1, 2)]));
    const keys = new TestKeys();
    expect(await codeOf(openHeader(file.system, keys, 3))).toBe('KEY_MISSING');
    expect(keys.reloads).toBe(0);
  });
});

test('errors of the system come through as they are', async () => {
  const file = make('mutable');
  file.before = () => {
    throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
  };
  await expect(openHeader(file.system, new TestKeys(), 3)).rejects.toThrow('EIO: i/o error, read');
});
