/** Streams by path. */

import { readdirSync } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { Readable } from 'node:stream';
import { beforeAll, describe, expect, test } from 'vitest';

import type { Volume } from '../../../src/fs/volume/volume.ts';
import { failureOf, plainEntries, volumeScratch } from './volumes.ts';

const { volume } = volumeScratch();
let sealed: Volume;
const content = Buffer.from(Array.from({ length: 250_000 }, (_, i) => (i * 31 + (i >>> 9)) & 255));

beforeAll(async () => {
  sealed = await volume({ durability: 'none' });
});

async function collect(stream: AsyncIterable<unknown>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk as Buffer));
  return Buffer.concat(chunks);
}

const closed = (stream: NodeJS.EventEmitter): Promise<unknown> =>
  new Promise((resolve) => stream.once('close', resolve));

describe('createReadStream', () => {
  test.each([
    [{}],
    [{ start: 0, end: 0 }],
    [{ start: 16_339, end: 16_341 }],
    [{ start: 100_000 }],
    [{ end: 99 }],
    [{ start: 249_999 }],
    [{ start: 250_000 }],
    [{ start: 1_000_000, end: 2_000_000 }],
    [{ highWaterMark: 7, end: 100 }],
    [{ start: 5, end: Infinity }],
  ])('%j, also of a write-once file', async (options) => {
    const { start = 0, end = Infinity } = options as { start?: number; end?: number };
    for (const immutable of [false, true]) {
      await sealed.writeFile('content', content, { immutable });
      const read = await collect(sealed.createReadStream('content', options));
      expect(read.equals(content.subarray(start, end + 1))).toBe(true);
    }
  });

  test('in an encoding', async () => {
    await sealed.writeFile('text', 'ä'.repeat(1_000));
    let text = '';
    for await (const piece of sealed.createReadStream('text', { encoding: 'utf8', highWaterMark: 3 }))
      text += String(piece);
    expect(text).toBe('ä'.repeat(1_000));
    const stream = sealed.createReadStream('text', 'hex');
    expect(typeof ((await stream[Symbol.asyncIterator]().next()).value as unknown)).toBe('string');
    stream.destroy();
  });

  test('tells that it opened, and closes', async () => {
    const stream = sealed.createReadStream('content');
    const events: string[] = [];
    for (const event of ['open', 'ready', 'end', 'close']) stream.on(event, () => events.push(event));
    stream.resume();
    await closed(stream);
    expect(events).toEqual(['open', 'ready', 'end', 'close']);
    expect([stream.path, stream.bytesRead, stream.pending]).toEqual(['content', 250_000, false]);
  });

  test('fails as fs does', async () => {
    for (const [path, code] of [
      ['none', 'ENOENT'],
      ['/', 'EISDIR'],
      ['content/x', 'ENOTDIR'],
    ] as const) {
      const failure = await failureOf(collect(sealed.createReadStream(path)));
      expect(failure.code).toBe(code);
    }
    expect(() => sealed.createReadStream('content', { start: 5, end: 3 })).toThrowError(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => sealed.createReadStream('content', { start: -1 })).toThrowError(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => sealed.createReadStream(5 as unknown as string)).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => sealed.createReadStream('content', { flags: 'zz' })).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_VALUE' }),
    );
    const aborted = sealed.createReadStream('content', { signal: AbortSignal.abort() });
    expect((await failureOf(collect(aborted))).name).toBe('AbortError');
  });
});

describe('createWriteStream', () => {
  test('the content appears as a whole when it finishes', async () => {
    for (const immutable of [false, true]) {
      await sealed.writeFile('target', 'old');
      const stream = sealed.createWriteStream('target', { immutable });
      for (let at = 0; at < content.length; at += 10_000) {
        if (!stream.write(content.subarray(at, at + 10_000)))
          await new Promise((resolve) => stream.once('drain', resolve));
        if (at % 50_000 === 0) expect(await sealed.readFile('target', 'utf8')).toBe('old');
      }
      stream.end();
      await closed(stream);
      expect((await sealed.readFile('target')).equals(content)).toBe(true);
      expect([stream.path, stream.bytesWritten, stream.pending]).toEqual(['target', 250_000, false]);
    }
  });

  test('takes what is piped into it, text in an encoding, and nothing at all', async () => {
    await pipeline(
      Readable.from([content.subarray(0, 1), content.subarray(1)]),
      sealed.createWriteStream('piped'),
    );
    expect((await sealed.readFile('piped')).equals(content)).toBe(true);
    const stream = sealed.createWriteStream('encoded', { encoding: 'hex' });
    stream.end('6162');
    await closed(stream);
    expect(await sealed.readFile('encoded', 'utf8')).toBe('ab');
    const empty = sealed.createWriteStream('nothing', 'utf8');
    empty.end();
    await closed(empty);
    expect(await sealed.readFile('nothing', 'utf8')).toBe('');
  });

  test('memory that is used again after the callback', async () => {
    const stream = sealed.createWriteStream('reused');
    const buffer = Buffer.alloc(10_000);
    for (let at = 0; at < content.length; at += buffer.length) {
      content.copy(buffer, 0, at);
      await new Promise<void>((resolve, reject) => {
        stream.write(buffer, (error) => (error ? reject(error) : resolve()));
      });
    }
    stream.end();
    await closed(stream);
    expect((await sealed.readFile('reused')).equals(content)).toBe(true);
  });

  test('destroyed before its end it leaves nothing, at whatever moment', async () => {
    await sealed.writeFile('kept', 'old');
    const before = plainEntries(sealed.root);
    const moments: ((stream: ReturnType<Volume['createWriteStream']>) => Promise<unknown>)[] = [
      async () => {},
      (stream) => new Promise((resolve) => stream.once('ready', resolve)),
      (stream) => new Promise((resolve) => stream.write('x', resolve)),
      (stream) => new Promise((resolve) => stream.write(Buffer.alloc(5_000_000), resolve)),
      async (stream) => void stream.write(Buffer.alloc(5_000_000)),
    ];
    for (const path of ['kept', 'not-made']) {
      for (const [index, moment] of moments.entries()) {
        const stream = sealed.createWriteStream(path);
        await moment(stream);
        const failed = new Promise<Error>((resolve) => stream.once('error', resolve));
        stream.destroy(new Error(`destroyed ${index}`));
        expect((await failed).message).toBe(`destroyed ${index}`);
        await (stream.closed ? undefined : closed(stream));
        expect(plainEntries(sealed.root)).toEqual(before);
      }
    }
    expect(await sealed.readFile('kept', 'utf8')).toBe('old');
    const signalled = sealed.createWriteStream('kept', { signal: AbortSignal.abort() });
    expect((await failureOf(new Promise((_, reject) => signalled.on('error', reject)))).name).toBe(
      'AbortError',
    );
    expect(await sealed.readFile('kept', 'utf8')).toBe('old');
  });

  test('with other flags, or from a place on, it writes in place', async () => {
    await sealed.writeFile('log', 'one\n');
    for (const line of ['two\n', 'three\n']) {
      const stream = sealed.createWriteStream('log', { flags: 'a' });
      stream.end(line);
      await closed(stream);
    }
    expect(await sealed.readFile('log', 'utf8')).toBe('one\ntwo\nthree\n');
    const patch = sealed.createWriteStream('log', { flags: 'r+', start: 4 });
    patch.end('TWO');
    await closed(patch);
    expect(await sealed.readFile('log', 'utf8')).toBe('one\nTWO\nthree\n');
    const far = sealed.createWriteStream('log', { start: 20_000 });
    far.end('end');
    await closed(far);
    expect(await sealed.readFile('log')).toEqual(Buffer.concat([Buffer.alloc(20_000), Buffer.from('end')]));
  });

  test('fails as fs does', async () => {
    for (const [path, options, code] of [
      ['none/x', {}, 'ENOENT'],
      ['/', {}, 'EISDIR'],
      ['log/x', {}, 'ENOTDIR'],
      ['log', { flags: 'wx' }, 'EEXIST'],
      ['none', { flags: 'r+' }, 'ENOENT'],
    ] as const) {
      const stream = sealed.createWriteStream(path, options);
      const failure = await failureOf(new Promise((_, reject) => stream.on('error', reject)));
      expect([failure.code, failure.syscall, failure.path]).toEqual([code, 'open', path]);
    }
    expect(() => sealed.createWriteStream('x', { start: -1 })).toThrowError(
      expect.objectContaining({ code: 'ERR_OUT_OF_RANGE' }),
    );
    expect(() => sealed.createWriteStream('x', { start: 'a' as unknown as number })).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(() => sealed.createWriteStream(5 as unknown as string)).toThrowError(
      expect.objectContaining({ code: 'ERR_INVALID_ARG_TYPE' }),
    );
    expect(readdirSync(sealed.root)).not.toContain('x');
  });

  test('close() ends it', async () => {
    const stream = sealed.createWriteStream('by-close');
    stream.write('x');
    await new Promise<void>((resolve) => stream.close(() => resolve()));
    expect(await sealed.readFile('by-close', 'utf8')).toBe('x');
  });
});
