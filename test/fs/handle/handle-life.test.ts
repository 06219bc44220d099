/** A handle from its opening to its end: what is refused when, who waits for whom, and what its positions do meanwhile. */

import { readSync, writeFileSync, writeSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { expect, test, vi } from 'vitest';

import { errnoError } from '../../../src/errno.ts';
import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';
import { scratch } from '../../sealed/scratch.ts';
import { handleOn, MemoryFile } from './memory-file.ts';
import { type AnyHandle, outcomeOf } from './operations.ts';

const { fresh } = scratch();

function fileOf(content: string | Buffer, answering: 'at once' | 'later' = 'at once'): MemoryFile {
  const file = new MemoryFile(answering);
  file.content = Buffer.from(content);
  return file;
}

const calls: readonly (readonly [string, (handle: AnyHandle) => Promise<unknown>])[] = [
  ['read', (handle) => handle.read(Buffer.alloc(4), 0, 4, 0)],
  ['readv', (handle) => handle.readv([Buffer.alloc(4)])],
  ['readFile', (handle) => handle.readFile()],
  ['write', (handle) => handle.write('text')],
  ['writev', (handle) => handle.writev([Buffer.alloc(4)])],
  ['writeFile', (handle) => handle.writeFile('text')],
  ['appendFile', (handle) => handle.appendFile('text')],
  ['truncate', (handle) => handle.truncate(1)],
  ['stat', (handle) => handle.stat()],
  ['sync', (handle) => handle.sync()],
  ['datasync', (handle) => handle.datasync()],
  ['chmod', (handle) => handle.chmod(0o600)],
  ['chown', (handle) => handle.chown(1, 1)],
  ['utimes', (handle) => handle.utimes(1, 1)],
];

const detailsOf = async (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => 'done',
    ({ code, syscall, message, errno }: NodeJS.ErrnoException) => ({ code, syscall, message, errno }),
  );

test.each(calls)('%s of a closed handle fails as in Node', async (_name, call) => {
  const path = fresh();
  writeFileSync(path, 'text');
  const plain = await open(path, 'r+');
  await plain.close();
  const handle = handleOn(fileOf('text'));
  await handle.close();
  expect(await detailsOf(call(handle))).toEqual(await detailsOf(call(plain)));
  expect(handle.fd).toBe(-1);
  expect(plain.fd).toBe(-1);
});

test.each(['r', 'w', 'a', 'r+'])('flag %s: reading and writing fail as in Node', async (flags) => {
  const path = fresh();
  writeFileSync(path, 'text');
  const plain = await open(path, flags);
  const handle = handleOn(fileOf(flags === 'w' ? '' : 'text'), flags);
  for (const [name, call] of calls.slice(0, 8)) {
    expect(await detailsOf(call(handle).then(() => {})), name).toEqual(
      await detailsOf(call(plain).then(() => {})),
    );
  }
  await plain.close();
  await handle.close();
});

test('fd is a token that node:fs refuses, another one for each handle', async () => {
  const file = fileOf('text');
  const [a, b] = [handleOn(file), handleOn(file)];
  expect(a.fd).toBeGreaterThanOrEqual(2 ** 31);
  expect(b.fd).not.toBe(a.fd);
  expect(() => readSync(a.fd, Buffer.alloc(1))).toThrow(
    expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
  );
  expect(() => writeSync(a.fd, 'plaintext')).toThrow(expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }));
  await a.close();
  await b.close();
});

test('close waits for the calls that were begun, and tells its listeners', async () => {
  const file = fileOf(plainOf(1_000), 'later');
  const handle = handleOn(file);
  const told = vi.fn<() => void>();
  handle.on('close', told);
  const reading = handle.read(Buffer.alloc(10), 0, 10, 990);
  const writing = handle.write(Buffer.from('end'), 0, 3, 1_000);
  const { close } = handle; // bound, as Node's is
  const closing = close();
  expect(told).toHaveBeenCalledTimes(1);
  expect(file.closes).toBe(0);
  expect(close()).toBe(closing);
  await closing;
  expect(await reading).toMatchObject({ bytesRead: 10 });
  expect(await writing).toMatchObject({ bytesWritten: 3 });
  expect(file.content.equals(Buffer.concat([plainOf(1_000), Buffer.from('end')]))).toBe(true);
  expect(file.closes).toBe(1);
  expect(handle.fd).toBe(-1);
  await close();
  expect(told).toHaveBeenCalledTimes(1);
});

test('a close that fails says so once, and the handle is closed', async () => {
  const file = fileOf('text');
  const handle = handleOn(file);
  file.failure = errnoError('ENOSPC', 'fsync');
  await expect(handle.close()).rejects.toMatchObject({ code: 'ENOSPC' });
  await handle.close();
  await expect(handle.stat()).rejects.toMatchObject({ code: 'EBADF' });
  expect(file.closes).toBe(1);
});

test('a handle closes when its block ends', async () => {
  const file = fileOf('text');
  {
    await using handle = handleOn(file);
    expect((await handle.stat()).size).toBe(4);
  }
  expect(file.closes).toBe(1);
});

test('transfers without a position follow each other, however many are begun at once', async () => {
  for (const answering of ['at once', 'later'] as const) {
    const file = fileOf('0123456789', answering);
    const handle = handleOn(file);
    const reads = [3, 2, 4].map((length) => handle.read(Buffer.alloc(length)));
    const writing = handle.write('AB');
    const last = handle.read(Buffer.alloc(5));
    expect((await Promise.all(reads)).map(({ buffer }) => String(buffer))).toEqual(['012', '34', '5678']);
    expect(await writing).toMatchObject({ bytesWritten: 2 });
    expect((await last).bytesRead).toBe(0);
    expect(String(file.content)).toBe('012345678AB');
    await handle.close();
  }
});

test('a transfer that fails leaves the position where it was', async () => {
  for (const answering of ['at once', 'later'] as const) {
    const file = fileOf('0123456789', answering);
    const handle = handleOn(file);
    await handle.read(Buffer.alloc(2));
    file.failure = errnoError('EIO', 'read');
    await expect(handle.read(Buffer.alloc(4))).rejects.toMatchObject({ code: 'EIO' });
    file.failure = errnoError('EIO', 'write');
    await expect(handle.write('text')).rejects.toMatchObject({ code: 'EIO' });
    expect(String((await handle.read(Buffer.alloc(3))).buffer)).toBe('234');
    await handle.close();
  }
});

test('what is in memory is read without leaving the turn', async () => {
  const handle = handleOn(fileOf('text'));
  const target = Buffer.alloc(4);
  const reading = handle.read(target, 0, 4, 0);
  expect(String(target)).toBe('text');
  await reading;
  await handle.close();
});

test('with O_SYNC every write is synced', async () => {
  const file = fileOf('');
  const handle = handleOn(file, 'as+');
  await handle.write('a');
  await handle.writev([Buffer.from('b'), Buffer.from('c')]);
  await handle.appendFile('d');
  expect(file.syncs).toBe(3);
  await handle.close();
  const other = handleOn(file, 'a+');
  await other.write('e');
  expect(file.syncs).toBe(3);
  await other.close();
});

test('parts of a writev go to the file in one step', async () => {
  const file = fileOf('');
  const append = vi.spyOn(file, 'append');
  const handle = handleOn(file, 'a');
  await handle.writev([Buffer.from('one '), Buffer.from('line'), Buffer.from('\n')]);
  expect(append).toHaveBeenCalledTimes(1);
  const large = plainOf(900_000);
  await handle.writev([large, large, large]);
  expect(append).toHaveBeenCalledTimes(4);
  const expected = Buffer.concat([Buffer.from('one line\n'), large, large, large]);
  expect(file.content.equals(expected)).toBe(true);
  await handle.close();
});

test('writeFile takes whatever gives pieces, and appendFile goes on behind it', async () => {
  async function* pieces(): AsyncGenerator<string | Buffer> {
    yield 'b';
    yield Buffer.from('c');
  }
  const file = fileOf('---------');
  const handle = handleOn(file, 'r+');
  await handle.writeFile('a');
  await handle.writeFile(pieces());
  await handle.appendFile(['d', Buffer.from('e')]);
  await handle.writeFile(Readable.from([Buffer.from('f')]));
  await handle.writeFile(new Uint16Array([0x6867]));
  await handle.writeFile('6969', 'hex');
  expect(String(file.content)).toBe('abcdefghii');
  await handle.close();
});

test('a signal ends readFile and writeFile', async () => {
  const file = fileOf(plainOf(3_000_000));
  const handle = handleOn(file, 'r+');
  const aborted = AbortSignal.abort(new Error('enough'));
  const refused = { code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' };
  await expect(handle.readFile({ signal: aborted })).rejects.toMatchObject(refused);
  await expect(handle.writeFile('text', { signal: aborted })).rejects.toMatchObject(refused);
  const controller = new AbortController();
  const spy = vi.spyOn(file, 'write').mockImplementation(async (_source, _offset, length) => {
    controller.abort();
    return length;
  });
  await expect(handle.writeFile(plainOf(3_000_000), { signal: controller.signal })).rejects.toMatchObject(
    refused,
  );
  expect(spy).toHaveBeenCalledTimes(1);
  await handle.close();
});

test('a file that no buffer holds is refused before anything is allocated', async () => {
  const file = fileOf('');
  vi.spyOn(file, 'plainBytes', 'get').mockReturnValue(2 ** 31);
  const handle = handleOn(file);
  await expect(handle.readFile()).rejects.toMatchObject({
    code: 'ERR_FS_FILE_TOO_LARGE',
    name: 'RangeError',
  });
  await handle.close();
});

const misspelt: readonly (readonly [string, (handle: VolumeFileHandle) => unknown])[] = [
  ['read', (handle) => handle.read(Buffer.alloc(1), { pos: 0 } as never)],
  ['read', (handle) => handle.read({ buf: Buffer.alloc(1) } as never)],
  ['write', (handle) => handle.write(Buffer.alloc(1), { pos: 0 } as never)],
  ['readFile', (handle) => handle.readFile({ enc: 'utf8' } as never)],
  ['writeFile', (handle) => handle.writeFile('', { enc: 'utf8' } as never)],
  ['stat', (handle) => handle.stat({ bigInt: true } as never)],
  ['createReadStream', async (handle) => handle.createReadStream({ begin: 0 } as never)],
  ['createWriteStream', async (handle) => handle.createWriteStream({ begin: 0 } as never)],
  ['readLines', async (handle) => handle.readLines({ begin: 0 } as never)],
  ['readableWebStream', async (handle) => handle.readableWebStream({ kind: 'bytes' } as never)],
];

test.each(misspelt)('an option that %s does not know is refused by its name', async (_name, call) => {
  const handle = handleOn(fileOf('text'));
  await expect(call(handle)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_UNKNOWN_OPTION' });
  await handle.close();
});

test('what was passed as data is not quoted in an error', async () => {
  const handle = handleOn(fileOf('text'));
  const secret = 'correct horse';
  for (const call of [
    () => handle.read(secret as never),
    () => handle.write(Buffer.alloc(1), secret as never),
    () => handle.writev(secret as never),
    () => handle.writeFile([[secret]] as never),
  ]) {
    const outcome = await call().catch((error: unknown) => String(error));
    expect(outcome).toContain('must be');
    expect(outcome).not.toContain(secret);
  }
  await handle.close();
});

test('attributes go to the file', async () => {
  const file = fileOf('text');
  const handle = handleOn(file);
  await handle.chmod('640');
  expect(file.mode).toBe(0o640);
  await handle.utimes('12.5', new Date(34_567));
  expect(file.times).toEqual([12.5, 34.567]);
  const before = Date.now() / 1_000;
  await handle.utimes(-1, 7);
  expect(file.times[0]).toBeGreaterThanOrEqual(before);
  expect(handle.context).toEqual({ kind: 'twin' });
  await handle.close();
});

test('lines', async () => {
  const handle = handleOn(fileOf('one\ntwo\r\nthree'));
  const lines: string[] = [];
  for await (const line of handle.readLines()) lines.push(line);
  expect(lines).toEqual(['one', 'two', 'three']);
  expect(handle.fd).toBe(-1);
});

test('a web stream of bytes', async () => {
  const content = plainOf(200_000);
  const file = fileOf(content, 'later');
  const handle = handleOn(file);
  await handle.read(Buffer.alloc(10));
  const stream = handle.readableWebStream();
  expect(() => handle.readableWebStream()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  expect(Buffer.concat(parts).equals(content.subarray(10))).toBe(true);
  expect(file.closes).toBe(0);
  await handle.close();
  expect(file.closes).toBe(1);
  expect(() => handle.readableWebStream()).toThrow(expect.objectContaining({ code: 'ERR_INVALID_STATE' }));
});

test('a web stream closes its handle when that is asked for, at its end and when it is cancelled', async () => {
  const whole = fileOf('text', 'later');
  const parts: Uint8Array[] = [];
  for await (const part of handleOn(whole).readableWebStream({ autoClose: true })) parts.push(part);
  expect(String(Buffer.concat(parts))).toBe('text');
  expect(whole.closes).toBe(1);
  const cut = fileOf(plainOf(200_000), 'later');
  const reader = handleOn(cut).readableWebStream({ autoClose: true }).getReader();
  await reader.read();
  await reader.cancel();
  expect(cut.closes).toBe(1);
});

test('a web stream whose handle is closed ends with an error, not early', async () => {
  const file = fileOf(plainOf(200_000), 'later');
  const handle = handleOn(file);
  const reader = handle.readableWebStream().getReader();
  expect((await reader.read()).value?.length).toBe(65_536);
  await handle.close();
  expect(await outcomeOf(() => reader.read())).toMatchObject({ code: 'ERR_INVALID_STATE' });
  expect(file.closes).toBe(1);
});
