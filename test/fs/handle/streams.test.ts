/** Streams of handles over files in memory, beside those of node:fs over a plain file. */

import { createReadStream as fsReadStream, readFileSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import fc from 'fast-check';
import { describe, expect, test, vi } from 'vitest';

import { errnoError } from '../../../src/errno.ts';
import { createReadStream } from '../../../src/fs/handle/read-stream.ts';
import { createWriteStream } from '../../../src/fs/handle/write-stream.ts';
import { cutInto, plainOf } from '../../sealed/plain.ts';
import { scratch } from '../../sealed/scratch.ts';
import { handleOn, MemoryFile } from './memory-file.ts';
import { outcomeOf } from './operations.ts';
import { until } from './until.ts';

const { fresh } = scratch();
const answerings = ['at once', 'later'] as const;

function fileOf(content: Buffer | string, answering: 'at once' | 'later' = 'later'): MemoryFile {
  const file = new MemoryFile(answering);
  file.content = Buffer.from(content);
  return file;
}

/** Everything a reader sees: the chunks, the events in their order, and what the stream says of itself. */
async function watchRead(
  stream: Readable & { bytesRead: number; path: unknown; pending: boolean },
): Promise<unknown> {
  const seen: unknown[] = [stream.path, stream.pending];
  for (const event of ['open', 'ready', 'end', 'close', 'error']) {
    stream.on(event, (error?: unknown) =>
      seen.push(event, (error as NodeJS.ErrnoException | undefined)?.code),
    );
  }
  stream.on('data', (chunk: string | Buffer) =>
    seen.push(typeof chunk === 'string' ? chunk : chunk.toString('hex')),
  );
  await finished(stream).catch(() => {});
  // `close` comes after `end`, when it comes at all.
  if (stream.destroyed || (stream as { autoClose?: boolean }).autoClose === true) {
    await until(() => stream.closed);
  }
  return [...seen, stream.bytesRead, stream.destroyed];
}

const readOptions = fc
  .record(
    {
      start: fc.nat({ max: 350 }),
      end: fc.oneof(fc.nat({ max: 350 }), fc.constant(Infinity)),
      highWaterMark: fc.constantFrom(1, 7, 64, 1_000),
      encoding: fc.constantFrom('utf8' as const, 'hex' as const),
      autoClose: fc.boolean(),
      emitClose: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .filter(({ start = 0, end = Infinity }) => start <= end);

test.each(answerings)('a read stream gives what one of node:fs gives, answered %s', async (answering) => {
  await fc.assert(
    fc.asyncProperty(readOptions, fc.nat({ max: 300 }), fc.nat({ max: 20 }), async (options, size, ahead) => {
      const path = fresh();
      const content = plainOf(size);
      writeFileSync(path, content);
      const plain = await open(path);
      const file = fileOf(content, answering);
      const handle = handleOn(file, 'r');
      // Where no start is given it begins where the handle is.
      await plain.read(Buffer.alloc(ahead + 1), 0, ahead);
      await handle.read(Buffer.alloc(ahead + 1), 0, ahead);
      const start = async (from: FileHandle | typeof handle): Promise<unknown> =>
        watchRead((from as FileHandle).createReadStream(options));
      const expected = await outcomeOf(async () => start(plain));
      expect(await outcomeOf(async () => start(handle))).toEqual(expected);
      expect(handle.fd === -1).toBe(plain.fd === -1);
      const after = async (from: FileHandle | typeof handle): Promise<unknown> =>
        outcomeOf(async () => (await from.read(Buffer.alloc(5), 0, 5)).bytesRead);
      expect(await after(handle)).toEqual(await after(plain));
      await plain.close();
      await handle.close();
      expect(file.closes).toBe(1);
    }),
    { numRuns: 120 },
  );
});

test.each([{ start: -1 }, { start: 1.5 }, { start: '1' }, { end: -1 }, { end: '1' }, { start: 5, end: 4 }])(
  'a range that node:fs refuses: %o',
  async (range) => {
    const file = fileOf('text');
    const handle = handleOn(file);
    const expected = await outcomeOf(async () => fsReadStream('/', range as never));
    expect(expected).toHaveProperty('code');
    expect(await outcomeOf(async () => handle.createReadStream(range as never))).toEqual(expected);
    await handle.close();
    expect(file.closes).toBe(1);
  },
);

const writeSteps = fc.record({
  flags: fc.constantFrom('r+', 'a', 'a+'),
  sizes: fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 12 }),
  wait: fc.boolean(),
  options: fc.record(
    {
      start: fc.nat({ max: 200 }),
      highWaterMark: fc.constantFrom(1, 50, 65_536),
      autoClose: fc.boolean(),
      emitClose: fc.boolean(),
      flush: fc.boolean(),
    },
    { requiredKeys: [] },
  ),
});

async function writeAll(
  stream: Writable & { bytesWritten: number; path: unknown; pending: boolean },
  chunks: readonly Buffer[],
  wait: boolean,
): Promise<unknown> {
  const seen: unknown[] = [stream.path, stream.pending];
  for (const event of ['open', 'ready', 'finish', 'close', 'error']) stream.on(event, () => seen.push(event));
  for (const chunk of chunks) {
    await new Promise<void>((resolve, reject) => {
      stream.write(chunk, (error) => (error ? reject(error) : resolve()));
      if (!wait) resolve();
    });
  }
  stream.end('…', 'utf8');
  await finished(stream, { readable: false });
  if ((stream as { autoClose?: boolean }).autoClose === true) {
    await until(() => stream.closed);
  }
  return [...seen, stream.bytesWritten, stream.destroyed];
}

test('a write stream leaves what one of node:fs leaves', async () => {
  await fc.assert(
    fc.asyncProperty(writeSteps, fc.nat({ max: 300 }), async ({ flags, options, sizes, wait }, size) => {
      const path = fresh();
      writeFileSync(path, plainOf(size));
      const plain = await open(path, flags);
      const file = fileOf(plainOf(size));
      const handle = handleOn(file, flags);
      const chunks = sizes.map((bytes, i) => plainOf(bytes, `chunk ${i}`));
      const run = async (to: FileHandle | typeof handle): Promise<unknown> => {
        const stream = (to as FileHandle).createWriteStream(options);
        const seen = await writeAll(stream, chunks, wait);
        const closed = to.fd === -1;
        // Node's handle waits for ever for a stream of its that has finished but is not destroyed.
        if (to === plain) stream.destroy();
        return [seen, closed];
      };
      expect(await run(handle)).toEqual(await run(plain));
      expect(file.content.equals(readFileSync(path))).toBe(true);
      if (options.flush === true) expect(file.syncs).toBe(1);
      await plain.close();
      await handle.close();
      expect(file.closes).toBe(1);
    }),
    { numRuns: 120 },
  );
});

describe('a reader that is slow', () => {
  test('is not overrun: no more is read than it has room for', async () => {
    const file = fileOf(plainOf(1_000_000));
    const read = vi.spyOn(file, 'read');
    const handle = handleOn(file, 'r');
    const stream = handle.createReadStream({ highWaterMark: 10_000 });
    stream.once('readable', () => {});
    await until(() => stream.readableLength > 0);
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(stream.readableLength).toBeLessThanOrEqual(20_000);
    expect(read.mock.calls.length).toBeLessThanOrEqual(2);
    stream.destroy();
    await finished(stream).catch(() => {});
    await until(() => file.closes === 1);
  });

  test('gets everything in the end', async () => {
    const content = plainOf(300_000);
    const parts: Buffer[] = [];
    for await (const part of handleOn(fileOf(content), 'r').createReadStream({ highWaterMark: 8_000 })) {
      parts.push(part as Buffer);
      if (parts.length % 7 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(Buffer.concat(parts).equals(content)).toBe(true);
  });
});

test('a writer is told to wait', async () => {
  const file = fileOf('');
  const stream = handleOn(file, 'r+').createWriteStream({ highWaterMark: 1_000 });
  expect(stream.write(Buffer.alloc(999))).toBe(true);
  expect(stream.write(Buffer.alloc(1))).toBe(false);
  await new Promise((resolve) => stream.once('drain', resolve));
  expect(file.content.length).toBe(1_000);
  stream.end();
  await finished(stream);
});

test('from one file to another', async () => {
  const content = plainOf(400_000);
  const [from, to] = [fileOf(content), fileOf('')];
  await pipeline(handleOn(from, 'r').createReadStream(), handleOn(to, 'r+').createWriteStream());
  expect(to.content.equals(content)).toBe(true);
  expect([from.closes, to.closes]).toEqual([1, 1]);
});

describe('destroyed in the middle', () => {
  test('a read stream waits for its read and closes its handle', async () => {
    const file = fileOf(plainOf(100_000));
    const handle = handleOn(file, 'r');
    const stream = handle.createReadStream();
    const data = vi.fn<(chunk: Buffer) => void>();
    stream.on('data', data);
    stream.on('error', () => {});
    await new Promise((resolve) => setImmediate(resolve));
    stream.destroy(new Error('enough'));
    await expect(finished(stream)).rejects.toThrow('enough');
    await until(() => file.closes === 1);
    const calls = data.mock.calls.length;
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(data.mock.calls.length).toBe(calls);
    expect(handle.fd).toBe(-1);
  });

  test('a write stream lets its write end and drops the rest', async () => {
    const file = fileOf('');
    const handle = handleOn(file, 'r+');
    const stream = handle.createWriteStream({ highWaterMark: 10 });
    stream.on('error', () => {});
    const [first, ...rest] = cutInto(plainOf(100), [10]);
    await new Promise((resolve) => stream.write(first, resolve));
    for (const chunk of rest) stream.write(chunk);
    stream.destroy();
    await until(() => file.closes === 1);
    expect(file.content.equals(plainOf(20))).toBe(true);
  });

  test('a stream that leaves its handle open still waits for what it has begun', async () => {
    const file = fileOf(plainOf(100));
    const handle = handleOn(file, 'r+');
    let underWay = 0;
    const slowly = async (): Promise<number> => {
      underWay++;
      await new Promise((resolve) => setTimeout(resolve, 10));
      underWay--;
      return 4;
    };
    vi.spyOn(file, 'read').mockImplementation(slowly);
    vi.spyOn(file, 'write').mockImplementation(slowly);
    const reader = handle.createReadStream({ autoClose: false });
    const writer = handle.createWriteStream({ autoClose: false, start: 0 });
    reader.resume();
    writer.write('text');
    await until(() => underWay === 2);
    const closed = [reader, writer].map((stream) => new Promise((resolve) => stream.once('close', resolve)));
    reader.destroy();
    writer.destroy();
    await Promise.all(closed);
    expect(underWay).toBe(0);
    expect((await handle.stat()).size).toBe(100);
    await handle.close();
  });

  test('by a signal', async () => {
    for (const early of [true, false]) {
      const controller = new AbortController();
      if (early) controller.abort();
      const file = fileOf(plainOf(1_000_000));
      const stream = handleOn(file, 'r').createReadStream({ signal: controller.signal });
      stream.once('data', () => controller.abort(new Error('enough')));
      await expect(finished(stream)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_ABORTED',
        name: 'AbortError',
      });
      await until(() => file.closes === 1);
      const target = fileOf('');
      const writer = handleOn(target, 'r+').createWriteStream({ signal: controller.signal });
      await expect(finished(writer)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
      await until(() => target.closes === 1);
    }
  });
});

describe('a failure of the file', () => {
  test('reaches the reader, who has got nothing behind it', async () => {
    const file = fileOf(plainOf(200_000));
    const stream = handleOn(file, 'r').createReadStream();
    let given = 0;
    stream.on('data', ({ length }: Buffer) => {
      given += length;
      file.failure = errnoError('EIO', 'read');
    });
    await expect(finished(stream)).rejects.toMatchObject({ code: 'EIO' });
    expect(given).toBe(65_536);
    await until(() => file.closes === 1);
  });

  test('reaches the writer, and so does that of the close', async () => {
    const file = fileOf('');
    const stream = handleOn(file, 'r+').createWriteStream();
    file.failure = errnoError('ENOSPC', 'write');
    stream.end('text');
    await expect(finished(stream)).rejects.toMatchObject({ code: 'ENOSPC' });
    await until(() => file.closes === 1);
    const closing = fileOf('');
    vi.spyOn(closing, 'close').mockRejectedValue(errnoError('EIO', 'fsync'));
    const other = handleOn(closing, 'r+').createWriteStream();
    const failed = new Promise((resolve) => other.once('error', resolve));
    other.end('text');
    expect(await failed).toMatchObject({ code: 'EIO', syscall: 'fsync' });
  });

  test('leaves a handle open that is not the stream’s to close', async () => {
    const file = fileOf(plainOf(100));
    const handle = handleOn(file, 'r+');
    file.failure = errnoError('EIO', 'read');
    const stream = handle.createReadStream({ autoClose: false });
    stream.resume();
    await expect(finished(stream)).rejects.toMatchObject({ code: 'EIO' });
    expect((await handle.stat()).size).toBe(100);
    await handle.close();
    expect(file.closes).toBe(1);
  });
});

describe('a handle that is closed under its streams', () => {
  test('ends them: the reader early, the writer with all it was given', async () => {
    const file = fileOf(plainOf(500_000));
    const handle = handleOn(file, 'r+');
    const reader = handle.createReadStream({ start: 0 });
    const writer = handle.createWriteStream({ start: 500_000, highWaterMark: 1 });
    reader.once('data', () => {});
    writer.write('some ');
    writer.write('more');
    await handle.close();
    expect([reader.destroyed, writer.destroyed, file.closes]).toEqual([true, true, 1]);
    expect(file.content.subarray(500_000).toString()).toBe('some more');
    expect(() => handle.createReadStream()).toThrow(expect.objectContaining({ code: 'EBADF' }));
  });

  test('takes any number of streams', async () => {
    const warned = vi.spyOn(process, 'emitWarning');
    const file = fileOf(plainOf(100));
    const handle = handleOn(file, 'r');
    const streams = Array.from({ length: 30 }, () => handle.createReadStream({ start: 0, autoClose: false }));
    for (const stream of streams) {
      const parts: Buffer[] = [];
      for await (const part of stream) parts.push(part as Buffer);
      expect(Buffer.concat(parts).length).toBe(100);
    }
    await handle.close();
    expect(file.closes).toBe(1);
    expect(warned).not.toHaveBeenCalled();
  });
});

describe('a stream that opens its file itself', () => {
  test('says when it has', async () => {
    const file = fileOf('text');
    const stream = createReadStream('read', { path: 'a/b', open: async () => handleOn(file, 'r') });
    expect([stream.path, stream.pending]).toEqual(['a/b', true]);
    const seen: unknown[] = [];
    stream.on('open', (fd) => seen.push(typeof fd));
    stream.on('ready', () => seen.push(stream.pending));
    for await (const part of stream) seen.push(String(part));
    expect(seen).toEqual(['number', false, 'text']);
    expect(file.closes).toBe(1);
    const target = fileOf('');
    const writer = createWriteStream('write', { path: 'c', open: async () => handleOn(target, 'r+') });
    writer.end('text');
    await finished(writer);
    await until(() => target.closes === 1);
    expect(String(target.content)).toBe('text');
  });

  test('fails when it cannot', async () => {
    const open = async (): Promise<never> => {
      throw errnoError('ENOENT', 'open', 'a');
    };
    await expect(finished(createReadStream('read', { path: 'a', open }).resume())).rejects.toMatchObject({
      code: 'ENOENT',
    });
    const writer = createWriteStream('write', { path: 'a', open });
    writer.end('text');
    await expect(finished(writer)).rejects.toMatchObject({ code: 'ENOENT' });
  });

  test('closes it when it was destroyed meanwhile', async () => {
    const file = fileOf('text');
    const stream = createReadStream('read', {
      path: 'a',
      open: async () => {
        await new Promise((resolve) => setTimeout(resolve, 5));
        return handleOn(file, 'r');
      },
    });
    stream.destroy(new Error('enough'));
    await expect(finished(stream)).rejects.toThrow('enough');
    await until(() => file.closes === 1);
  });

  test('closes, and says so to whoever asked', async () => {
    const file = fileOf(plainOf(100_000));
    const stream = createReadStream('read', { path: 'a', open: async () => handleOn(file, 'r') });
    await new Promise<void>((resolve) => stream.close(() => resolve()));
    expect(file.closes).toBe(1);
    await new Promise<void>((resolve) => stream.close(() => resolve()));
    const writer = handleOn(file, 'r+').createWriteStream({ autoClose: false });
    writer.write('text');
    await new Promise<void>((resolve) => writer.close(() => resolve()));
    expect(String(file.content.subarray(0, 4))).toBe('text');
  });
});
