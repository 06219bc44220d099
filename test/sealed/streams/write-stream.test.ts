/** createEncryptWriteStream: all of what was written is in the file when it finishes, or the file is as it was. */

import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { spawnSync } from 'node:child_process';
import { Readable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { createEncryptWriteStream, decrypt, type Progress } from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { producers } from './producers.ts';
import { keys } from './transforms.ts';

const { at, directory, fresh, leftovers } = scratch();

async function expectFile(path: string, plain: Uint8Array): Promise<void> {
  expect(Buffer.compare(await decrypt(readFileSync(path), { keys }), plain)).toBe(0);
  expect(leftovers()).toEqual([]);
}

test('every producer, any size, any chunks', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...Object.keys(producers)),
      fc.oneof(fc.nat({ max: 3 }), fc.integer({ min: 4_050, max: 4_110 }), fc.nat({ max: 3_000_000 })),
      fc
        .array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 3 })
        .filter((sizes) => Math.max(...sizes) > 3_000),
      fc.constantFrom(4_096, 65_536, 1_048_576),
      async (producer, size, sizes, segmentBytes) => {
        const plain = plainOf(size);
        const path = at('any');
        const stream = createEncryptWriteStream(path, { keys, segmentBytes });
        await Promise.all([producers[producer]?.(stream, plain, sizes), finished(stream)]);
        await expectFile(path, plain);
      },
    ),
    { numRuns: 50 },
  );
});

test("the bytes of a chunk are the caller's again once its write is called back", async () => {
  const plain = plainOf(400_000);
  const path = fresh();
  const stream = createEncryptWriteStream(path, { keys });
  const reused = Buffer.alloc(5_000);
  for (const chunk of cutInto(plain, [reused.length])) {
    reused.set(chunk);
    await new Promise((resolve) => stream.write(reused.subarray(0, chunk.length), resolve));
    reused.fill(0xee);
  }
  stream.end();
  await finished(stream);
  await expectFile(path, plain);
});

test('one huge chunk, and a slow drip of small ones', async () => {
  const plain = Buffer.alloc(64 * 1_048_576, 'huge');
  const path = fresh();
  const stream = createEncryptWriteStream(path, { keys });
  stream.end(plain);
  await finished(stream);
  await expectFile(path, plain);
  const drip = createEncryptWriteStream(path, { keys });
  for (let i = 0; i < 20_000; i++) if (!drip.write('x')) await once(drip, 'drain');
  drip.end();
  await finished(drip);
  await expectFile(path, Buffer.alloc(20_000, 'x'));
});

test('the file is there when finish is emitted, and not before', async () => {
  const path = fresh();
  const stream = createEncryptWriteStream(path, { keys });
  stream.write(plainOf(3_000_000));
  await once(stream, 'drain');
  expect(existsSync(path)).toBe(false);
  stream.end();
  await once(stream, 'finish');
  await expectFile(path, plainOf(3_000_000));
});

test('destroyed at any moment: nothing is left behind and an older file is as it was', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat({ max: 40 }), fc.boolean(), fc.boolean(), async (when, withError, existing) => {
      const path = fresh();
      if (existing) writeFileSync(path, 'older');
      const stream = createEncryptWriteStream(path, { keys, segmentBytes: 4_096 });
      let index = 0;
      async function* chunks(): AsyncGenerator<Buffer, void, void> {
        for (const chunk of cutInto(plainOf(400_000), [10_000])) {
          if (index++ === when) stream.destroy(withError ? new Error('on purpose') : undefined);
          yield chunk;
        }
        if (index === when) stream.destroy();
      }
      // For Node a pipeline into a stream that was destroyed without an error after the last chunk is one that worked.
      await pipeline(chunks, stream).catch(() => {});
      expect(stream.writableFinished).toBe(false);
      if (!stream.closed) await once(stream, 'close');
      expect(existsSync(path)).toBe(existing);
      if (existing) expect(readFileSync(path, 'utf8')).toBe('older');
      expect(leftovers()).toEqual([]);
    }),
    { numRuns: 40 },
  );
});

test('a source that fails leaves nothing behind', async () => {
  const path = fresh();
  const source = new Readable({
    read() {
      this.push(plainOf(50_000));
      setImmediate(() => this.destroy(new Error('client went away')));
    },
  });
  await expect(pipeline(source, createEncryptWriteStream(path, { keys }))).rejects.toThrow(
    'client went away',
  );
  expect(existsSync(path)).toBe(false);
  expect(leftovers()).toEqual([]);
});

test('what stands where the file should be is refused or kept', async () => {
  const folder = fresh();
  mkdirSync(folder);
  const pipe = fresh();
  spawnSync('mkfifo', [pipe]);
  for (const path of [folder, pipe]) {
    const stream = createEncryptWriteStream(path, { keys });
    stream.end('x');
    await expect(finished(stream)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_IO', path });
  }
  expect(lstatSync(pipe).isFIFO()).toBe(true);
  expect(lstatSync(folder).isDirectory()).toBe(true);
  const missing = createEncryptWriteStream(at('no/such/folder/file'), { keys });
  missing.end('x');
  await expect(finished(missing)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_NOT_FOUND' });
  expect(leftovers()).toEqual([]);
});

test('overwrite: false keeps what was there, also when it came meanwhile', async () => {
  const path = fresh();
  writeFileSync(path, 'older');
  const early = createEncryptWriteStream(path, { keys, overwrite: false });
  early.end('x');
  await expect(finished(early)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_EXISTS', path });
  const other = fresh();
  const late = createEncryptWriteStream(other, { keys, overwrite: false });
  late.write('x');
  await new Promise((resolve) => late.write('y', resolve));
  writeFileSync(other, 'meanwhile');
  late.end();
  await expect(finished(late)).rejects.toMatchObject({ code: 'ERR_VOLSEAL_EXISTS', path: other });
  expect(readFileSync(path, 'utf8')).toBe('older');
  expect(readFileSync(other, 'utf8')).toBe('meanwhile');
  expect(leftovers()).toEqual([]);
});

test('modes: of the file that is replaced, of the option, else of the umask', async () => {
  const write = async (path: string, mode?: number): Promise<number> => {
    const stream = createEncryptWriteStream(path, mode === undefined ? { keys } : { keys, mode });
    stream.end('x');
    await finished(stream);
    return statSync(path).mode & 0o7777;
  };
  expect(await write(fresh())).toBe(0o666 & ~process.umask());
  expect(await write(fresh(), 0o604)).toBe(0o604);
  const kept = fresh();
  writeFileSync(kept, 'older');
  chmodSync(kept, 0o640);
  expect(await write(kept)).toBe(0o640);
  expect(await write(kept, 0o600)).toBe(0o600);
});

test('a symbolic link is written through, also one that leads nowhere yet', async () => {
  const target = fresh();
  writeFileSync(target, 'older');
  const nowhere = fresh();
  for (const [link, to] of [
    [fresh(), target],
    [fresh(), nowhere],
  ] as const) {
    symlinkSync(to, link);
    const stream = createEncryptWriteStream(link, { keys });
    stream.end('new');
    await finished(stream);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    await expectFile(to, Buffer.from('new'));
  }
});

test('a file URL', async () => {
  const path = at('ü b#c?d%');
  const stream = createEncryptWriteStream(pathToFileURL(path), { keys });
  stream.end('x');
  await finished(stream);
  await expectFile(path, Buffer.from('x'));
});

test('progress rises to the end; one that throws fails the stream and leaves nothing behind', async () => {
  const path = fresh();
  const seen: Progress[] = [];
  const stream = createEncryptWriteStream(path, { keys, onProgress: (progress) => void seen.push(progress) });
  await pipeline(Readable.from(cutInto(plainOf(3_000_000), [100_000])), stream);
  const done = seen.map(({ doneBytes }) => doneBytes);
  expect(done).toEqual([...done].sort((a, b) => a - b));
  expect(done.at(-1)).toBe(3_000_000);
  for (const bytes of [10, 3_000_000]) {
    const failing = createEncryptWriteStream(at('failing'), {
      keys,
      onProgress() {
        throw new Error('progress broke');
      },
    });
    failing.end(plainOf(bytes));
    await expect(finished(failing)).rejects.toThrow('progress broke');
    if (!failing.closed) await once(failing, 'close');
    expect(existsSync(at('failing'))).toBe(false);
  }
  expect(leftovers()).toEqual([]);
});

test('two streams to one path: the later one to finish wins, and the file is whole', async () => {
  const path = fresh();
  const first = createEncryptWriteStream(path, { keys });
  const second = createEncryptWriteStream(path, { keys });
  first.end(plainOf(500_000, 'first'));
  await finished(first);
  second.end(plainOf(700_000, 'second'));
  await finished(second);
  await expectFile(path, plainOf(700_000, 'second'));
  expect(readdirSync(directory)).not.toContain('.tmp');
});
