/** Files that are open in one process: shared by device and inode, replaced, upgraded, kept from others, closed. */

import {
  constants,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import type { FloeEncryptor } from '../../../src/floe/encryptor.ts';
import { FileHeader } from '../../../src/fs/header/file-header.ts';
import { openDescriptors, scratch } from '../../sealed/scratch.ts';
import { plainOf } from '../../sealed/plain.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { FaultySystem } from '../../simulator/faulty-system.ts';
import { SealedFiles, type SealedFilesOptions } from './sealed-files.ts';

const { fresh } = scratch();
const opened: SealedFiles[] = [];

async function sealedFiles(root: string = fresh(), options: SealedFilesOptions = {}): Promise<SealedFiles> {
  const files = await SealedFiles.in(root, options);
  opened.push(files);
  return files;
}

afterEach(async () => {
  const all = opened.splice(0);
  for (const files of all) expect(files.files.size).toBe(0);
  for (const files of all) {
    expect(files.remains()).toEqual([]);
    await files.close();
  }
});

async function textOf(handle: VolumeFileHandle): Promise<string> {
  const { size } = await handle.stat();
  const buffer = Buffer.alloc(size);
  await handle.read(buffer, 0, size, 0);
  return String(buffer);
}

function fileIdOf(path: string): string {
  return readFileSync(path).subarray(0, 64).toString('hex');
}

async function closeAll(...handles: readonly VolumeFileHandle[]): Promise<void> {
  await Promise.all(handles.map((handle) => handle.close()));
}

/** A write-once file of these bytes. */
function sealOnce({ keyring }: SealedFiles, plain: Buffer): Buffer {
  const { encryptor, region } = FileHeader.create(keyring, { kind: 'write-once' });
  const sealer = encryptor as FloeEncryptor;
  const { plainSegmentBytes } = sealer.layout;
  const parts: Uint8Array[] = [region];
  for (let at = 0, position = 0; at < plain.length; at += plainSegmentBytes, position++) {
    const final = at + plainSegmentBytes >= plain.length;
    parts.push(...sealer.sealSegmentParts([plain.subarray(at, at + plainSegmentBytes)], position, final));
  }
  sealer.wipe();
  return Buffer.concat(parts);
}

describe('several handles', () => {
  test('see each other’s writes at once, under whatever name they were opened', async () => {
    const files = await sealedFiles();
    await files.write('a', 'some content');
    linkSync(files.at('a'), files.at('b'));
    const reader = await files.open('a', 'r');
    const writer = await files.open('b', 'r+');
    const appender = await files.open('a', 'a');
    expect(files.files.size).toBe(1);
    await writer.write('SOME', 0);
    await appender.write(' and more');
    expect(await textOf(reader)).toBe('SOME content and more');
    await writer.truncate(4);
    expect((await reader.stat()).size).toBe(4);
    await closeAll(reader, appender);
    expect(await textOf(writer)).toBe('SOME');
    await writer.close();
    expect(String(await files.read('b'))).toBe('SOME');
  });

  test('one that wants to write makes the file writable that others read', async () => {
    const files = await sealedFiles();
    await files.write('a', 'old');
    const reader = await files.open('a', 'r');
    await expect(reader.write('x')).rejects.toMatchObject({ code: 'EBADF' });
    const writer = await files.open('a', 'r+');
    await writer.write('new');
    expect(await textOf(reader)).toBe('new');
    await writer.close();
    expect(await textOf(reader)).toBe('new');
    await reader.close();
    expect(String(await files.read('a'))).toBe('new');
  });

  test('a file that is replaced under its name stays what it was for who has it open', async () => {
    const files = await sealedFiles();
    await files.write('a', 'old');
    const old = await files.open('a', 'r+');
    await files.write('a', 'new');
    const now = await files.open('a', 'r');
    await old.write('still here');
    expect(await textOf(old)).toBe('still here');
    expect(await textOf(now)).toBe('new');
    unlinkSync(files.at('a'));
    expect(await textOf(now)).toBe('new');
    expect((await old.stat()).nlink).toBe(0);
    await closeAll(old, now);
  });

  test('a file that is renamed is the same file', async () => {
    const files = await sealedFiles();
    await files.write('a', 'text');
    const handle = await files.open('a', 'r+');
    renameSync(files.at('a'), files.at('b'));
    const other = await files.open('b', 'r+');
    await other.write('TEXT');
    expect(await textOf(handle)).toBe('TEXT');
    await handle.write('!', 4);
    await closeAll(handle, other);
    expect(String(await files.read('b'))).toBe('TEXT!');
  });

  test('closing one that wrote makes it known to other processes, though another stays open', async () => {
    const root = fresh();
    const [here, there] = [await sealedFiles(root), await sealedFiles(root)];
    await here.write('a', 'old');
    const reader = await here.open('a', 'r');
    const writer = await here.open('a', 'r+');
    await writer.write('new');
    await writer.close();
    expect(String(await there.read('a'))).toBe('new');
    await reader.close();
  });

  test('an opening sees what another process has synced before it, though the file was open already', async () => {
    const root = fresh();
    const [here, there] = [await sealedFiles(root), await sealedFiles(root)];
    await here.write('a', 'old');
    const before = await here.open('a', 'r');
    expect(await textOf(before)).toBe('old');
    await using writer = await there.open('a', 'r+');
    await writer.write('newer');
    await writer.sync();
    const after = await here.open('a', 'r');
    expect(await textOf(after)).toBe('newer');
    await closeAll(before, after);
  });
});

describe('when its last writer has closed it', () => {
  test('others may write a file that is still read here', async () => {
    const root = fresh();
    const [here, there] = [await sealedFiles(root), await sealedFiles(root)];
    const descriptors = openDescriptors().length;
    await here.write('a', plainOf(100_000));
    const reader = await here.open('a', 'r');
    const writers = [await here.open('a', 'r+'), await here.open('a', 'a')] as const;
    await writers[0].write('here', 0);
    await writers[1].write('end');
    await writers[0].close();
    expect(String((await there.read('a')).subarray(0, 4))).toBe('here');
    await expect(there.open('a', 'r+')).rejects.toMatchObject({ code: 'EBUSY' });
    await writers[1].close();
    expect(here.remains()).toEqual([]);
    expect((await reader.stat()).size).toBe(100_003);
    await reader.chmod(0o640);
    const other = await there.open('a', 'r+');
    await other.write('there', 0);
    await other.sync();
    await expect(here.open('a', 'r+')).rejects.toMatchObject({ code: 'EBUSY' });
    await other.close();
    const again = await here.open('a', 'r+');
    expect((await textOf(reader)).slice(0, 6)).toBe(`there${String(plainOf(6).subarray(5))}`);
    await again.write('HERE', 0);
    expect((await textOf(reader)).slice(0, 5)).toBe('HEREe');
    await closeAll(reader, again);
    expect(statSync(here.at('a')).mode & 0o777).toBe(0o640);
    expect(openDescriptors().length).toBe(descriptors);
  });

  test('those who read meanwhile notice nothing', async () => {
    const files = await sealedFiles(fresh(), { cacheBytes: 0 });
    const plain = plainOf(3_000_000);
    await files.write('a', plain);
    const reader = await files.open('a', 'r');
    const whole = reader.readFile();
    const streamed: Buffer[] = [];
    const streaming = (async () => {
      for await (const part of reader.createReadStream({ start: 0, autoClose: false })) {
        streamed.push(part as Buffer);
      }
    })();
    for (let round = 0; round < 10; round++) {
      const writer = await files.open('a', 'r+');
      await writer.write(plain, 0, 10, 0);
      await writer.close();
    }
    expect((await whole).equals(plain)).toBe(true);
    await streaming;
    expect(Buffer.concat(streamed).equals(plain)).toBe(true);
    await reader.close();
  });

  test('though its name is gone', async () => {
    const files = await sealedFiles();
    await files.write('a', 'text');
    const reader = await files.open('a', 'r');
    const writer = await files.open('a', 'r+');
    unlinkSync(files.at('a'));
    await writer.write('TEXT');
    await writer.close();
    expect(files.remains()).toEqual([]);
    expect(await textOf(reader)).toBe('TEXT');
    await reader.close();
  });
});

test('a file whose sync has failed works again when it is opened again, and fails for who had it open', async () => {
  const faulty = new FaultySystem(nodeSystem);
  const files = await sealedFiles(fresh(), { system: faulty.system });
  await files.write('a', 'old text');
  const reader = await files.open('a', 'r');
  const writer = await files.open('a', 'r+');
  await writer.write('new');
  let failures = 0;
  faulty.decide(({ name }) => {
    if (name !== 'fdatasync' && name !== 'fsync') return undefined;
    failures++;
    return { code: 'EIO', when: 'before' };
  });
  await expect(writer.sync()).rejects.toMatchObject({ code: 'EIO' });
  expect(failures).toBe(1);
  faulty.decide(() => undefined);
  await expect(writer.write('more')).rejects.toMatchObject({ code: 'EIO', syscall: 'write' });
  await expect(reader.readFile()).rejects.toMatchObject({ code: 'EIO', syscall: 'read' });
  const again = await files.open('a', 'r+');
  expect(['old text', 'new text']).toContain(await textOf(again));
  await again.write('now', 0);
  await again.sync();
  await expect(writer.write('more')).rejects.toMatchObject({ code: 'EIO', syscall: 'write' });
  await expect(reader.stat()).rejects.toMatchObject({ code: 'EIO', syscall: 'fstat' });
  await expect(reader.chmod(0o600)).rejects.toMatchObject({ code: 'EIO', syscall: 'fchmod' });
  expect(await textOf(again)).toBe('now text');
  await reader.close();
  await writer.close().catch((error: unknown) => expect(error).toMatchObject({ code: 'EIO' }));
  await again.close();
  expect(String(await files.read('a'))).toBe('now text');
});

describe('opening with w', () => {
  test('starts a new data key, and keeps mode and owner', async () => {
    const files = await sealedFiles();
    const first = await files.open('a', 'w', 0o640);
    await first.write('old');
    await first.close();
    const id = fileIdOf(files.at('a'));
    const { ino, mode } = statSync(files.at('a'));
    const second = await files.open('a', 'w', 0o777);
    expect(statSync(files.at('a')).mode).toBe(mode);
    expect(statSync(files.at('a')).ino).not.toBe(ino);
    expect(fileIdOf(files.at('a'))).not.toBe(id);
    expect((await second.stat()).size).toBe(0);
    await second.close();
  });

  test('is there at once for others, empty and authentic', async () => {
    const root = fresh();
    const [here, there] = [await sealedFiles(root), await sealedFiles(root)];
    await here.write('a', 'old');
    const handle = await here.open('a', 'w+');
    expect(await there.read('a')).toEqual(Buffer.alloc(0));
    await handle.close();
  });

  test('is refused while another process has the file open for writing', async () => {
    const root = fresh();
    const [here, there] = [await sealedFiles(root), await sealedFiles(root)];
    await here.write('a', 'text');
    const writer = await here.open('a', 'r+');
    const busy = { code: 'EBUSY', syscall: 'open', path: 'a', holderPid: process.pid };
    for (const flags of ['w', 'r+', 'a', constants.O_RDONLY | constants.O_TRUNC]) {
      await expect(there.open('a', flags)).rejects.toMatchObject(busy);
    }
    expect(there.files.size).toBe(0);
    const reader = await there.open('a', 'r');
    await expect(there.open('a', 'r+')).rejects.toMatchObject(busy);
    expect(await textOf(reader)).toBe('text');
    await writer.close();
    const next = await there.open('a', 'r+');
    await next.write('TEXT');
    expect(await textOf(reader)).toBe('TEXT');
    await closeAll(next, reader);
    // Within one process it is no hindrance.
    const own = await here.open('a', 'r+');
    const replaced = await here.open('a', 'w');
    await closeAll(own, replaced);
  });
});

describe('what is not sealed', () => {
  test.each([
    ['text', 'plain text'],
    ['nothing, as touch makes it', ''],
    ['a page of zeros', Buffer.alloc(8_192)],
  ])('%s is refused, whatever it is opened for', async (_what, content) => {
    const files = await sealedFiles();
    writeFileSync(files.at('plain'), content);
    for (const flags of ['r', 'r+', 'a', 'a+']) {
      await expect(files.open('plain', flags)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_NOT_SEALED',
        path: 'plain',
      });
    }
    expect(readFileSync(files.at('plain')).equals(Buffer.from(content))).toBe(true);
    await files.write('plain', 'sealed now');
    expect(String(await files.read('plain'))).toBe('sealed now');
    expect(readFileSync(files.at('plain')).includes('plain text')).toBe(false);
  });

  test('a FIFO is refused, not waited for', async () => {
    const files = await sealedFiles();
    execFileSync('mkfifo', [files.at('fifo')]);
    for (const flags of ['r', 'r+', 'w', 'a']) {
      await expect(files.open('fifo', flags)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_NOT_SEALED',
        path: 'fifo',
      });
    }
  });
});

test('a write-once file is read as it is, and made a mutable one when it is opened for writing', async () => {
  const files = await sealedFiles();
  const plain = plainOf(150_000);
  writeFileSync(files.at('a'), sealOnce(files, plain));
  const reader = await files.open('a', 'r');
  expect((await reader.readFile()).equals(plain)).toBe(true);
  const writer = await files.open('a', 'r+');
  await writer.write('changed', 0);
  expect((await reader.stat()).size).toBe(plain.length);
  const [first] = [Buffer.alloc(7)];
  await reader.read(first, 0, 7, 0);
  // It stays on the file it has opened.
  expect(first.equals(plain.subarray(0, 7))).toBe(true);
  await closeAll(reader, writer);
  const expected = Buffer.concat([Buffer.from('changed'), plain.subarray(7)]);
  expect((await files.read('a')).equals(expected)).toBe(true);
  const again = await files.open('a', 'a');
  await again.write('end');
  await again.close();
  expect((await files.read('a')).length).toBe(plain.length + 3);
});

test('a write-once file that is not authentic stays as it is, and the error names it as the caller does', async () => {
  const files = await sealedFiles();
  const sealed = sealOnce(files, plainOf(200_000));
  sealed[100_000] = (sealed[100_000] as number) ^ 1;
  writeFileSync(files.at('a'), sealed);
  const failure = await files.open('a', 'r+').catch((error: unknown) => error);
  expect(failure).toMatchObject({ code: 'ERR_VOLSEAL_TAMPERED', path: 'a' });
  expect((failure as Error).message).not.toContain(files.root);
  expect(readFileSync(files.at('a')).equals(sealed)).toBe(true);
});

describe('closing everything', () => {
  test('writes what was written, and handles refuse what comes after it', async () => {
    const root = fresh();
    const files = await SealedFiles.in(root);
    const before = openDescriptors().length;
    await files.write('a', 'old');
    mkdirSync(files.at('directory'));
    const [writer, reader] = [await files.open('a', 'r+'), await files.open('a', 'r')];
    const directory = await files.open('directory');
    await writer.write('new');
    const streaming = reader.createReadStream({ highWaterMark: 1 });
    await files.files.closeAll();
    expect(openDescriptors().length).toBe(before);
    expect(files.files.size).toBe(0);
    for (const handle of [writer, directory]) {
      await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF', syscall: 'fstat' });
      await expect(handle.chmod(0o600)).rejects.toMatchObject({ code: 'EBADF', syscall: 'fchmod' });
      await handle.close();
      await handle.close();
    }
    streaming.resume();
    await expect(new Promise((_, reject) => streaming.once('error', reject))).rejects.toMatchObject({
      code: 'EBADF',
    });
    await expect(files.open('a')).rejects.toMatchObject({ code: 'ERR_VOLSEAL_CLOSED' });
    await files.close();
    const again = await sealedFiles(root);
    expect(String(await again.read('a'))).toBe('new');
  });

  test('waits for who is opening', async () => {
    const files = await SealedFiles.in(fresh());
    const before = openDescriptors().length;
    const opening = Promise.allSettled(['a', 'b', 'c'].map((name) => files.open(name, 'a+')));
    await files.files.closeAll();
    const results = await opening;
    expect(openDescriptors().length).toBe(before);
    for (const result of results) {
      if (result.status === 'fulfilled') await result.value.close();
      else expect(result.reason).toMatchObject({ code: 'ERR_VOLSEAL_CLOSED' });
    }
    expect(files.remains()).toEqual([]);
    await files.close();
  });
});

test('opening and closing the same files from all sides at once', async () => {
  const files = await sealedFiles();
  const descriptors = openDescriptors().length;
  const flags = fc.constantFrom('r', 'r+', 'a', 'a+', 'w+', 'wx');
  const work = fc.record({
    name: fc.constantFrom('a', 'b'),
    flags,
    turns: fc.nat({ max: 3 }),
    write: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(work, { minLength: 2, maxLength: 12 }), async (works) => {
      await Promise.all(
        works.map(async ({ flags: how, name, turns, write }) => {
          for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
          const handle = await files.open(name, how).catch((error: NodeJS.ErrnoException) => error);
          if (handle instanceof Error) {
            expect(['EEXIST', 'ENOENT']).toContain((handle as NodeJS.ErrnoException).code);
            return;
          }
          if (write && how !== 'r') await handle.appendFile('text');
          await handle.close();
        }),
      );
      expect(files.files.size).toBe(0);
      for (const name of ['a', 'b']) {
        const content = await files.read(name).catch(() => Buffer.alloc(0));
        expect(String(content)).toMatch(/^(text)*$/);
        await using last = await files.open(name, 'a');
        await last.truncate(0);
      }
    }),
    { numRuns: 40 },
  );
  expect(openDescriptors().length).toBe(descriptors);
});

test('appends of several handles at once all arrive, each as a whole', async () => {
  const files = await sealedFiles();
  const handles = await Promise.all([1, 2, 3].map(() => files.open('log', 'a')));
  const lines = Array.from({ length: 60 }, (_, i) => `line ${i} ${'x'.repeat(i * 7)}\n`);
  await Promise.all(
    lines.map((line, i) => {
      const handle = handles[i % 3] as VolumeFileHandle;
      return i % 2 === 0
        ? handle.appendFile(line)
        : handle.writev([Buffer.from(line.slice(0, 5)), Buffer.from(line.slice(5))]);
    }),
  );
  await closeAll(...handles);
  const written = String(await files.read('log')).split(/(?<=\n)/);
  expect(written.toSorted()).toEqual(lines.toSorted());
});
