/** A signal, or a destination that goes away, ends a transfer also while the other end keeps it waiting. */

import { getEventListeners, once } from 'node:events';
import { createReadStream, existsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { PassThrough, Readable, Writable } from 'node:stream';
import { setImmediate as turn, setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import {
  type Destination,
  decryptFile,
  encrypt,
  encryptFile,
  type FileOptions,
  type Source,
} from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { openDescriptors, scratch } from '../scratch.ts';
import { keys } from '../streams/transforms.ts';

const { at, fresh, leftovers } = scratch();

interface Direction {
  readonly name: string;
  run(
    source: Source,
    destination: Destination,
    options: FileOptions & { signal?: AbortSignal },
  ): Promise<unknown>;
  inputFor(plain: Uint8Array): Promise<Uint8Array>;
}

const directions: readonly Direction[] = [
  {
    name: 'encryptFile',
    run: (source, destination, options) => encryptFile(source, destination, { keys, ...options }),
    inputFor: async (plain) => plain,
  },
  {
    name: 'decryptFile',
    run: (source, destination, options) => decryptFile(source, destination, { keys, ...options }),
    inputFor: (plain) => encrypt(plain, { keys }),
  },
];

/** Gives some chunks and then keeps everybody waiting. */
async function* stalling(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, void> {
  yield* cutInto(bytes, [1_000]);
  await new Promise(() => {});
}

function stallingReadable(bytes: Uint8Array): Readable {
  const readable = new PassThrough({ highWaterMark: 10_000_000 });
  readable.write(bytes);
  return readable;
}

/** A Writable that never finishes its first write. */
const stuck = (): Writable => new Writable({ highWaterMark: 10, write: () => {} });

const aborted = { code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' };

describe.each(directions)('$name', ({ run, inputFor }) => {
  test.each([
    ['a Readable that never gives anything', async () => new PassThrough()],
    [
      'a Readable that stalls',
      async () => stallingReadable((await inputFor(plainOf(500_000))).subarray(0, 300_000)),
    ],
    ['a generator that stalls at once', async () => stalling(new Uint8Array(0))],
    [
      'a generator that stalls later',
      async () => stalling((await inputFor(plainOf(3_000_000))).subarray(0, 2_500_000)),
    ],
    ['a web stream that never gives anything', async () => new ReadableStream<Uint8Array>()],
  ] as const)('aborted while it waits for %s', async (_name, source) => {
    const controller = new AbortController();
    const path = fresh();
    writeFileSync(path, 'older');
    const from = await source();
    setTimeout(() => controller.abort(), 20);
    await expect(run(from as Source, path, { signal: controller.signal })).rejects.toMatchObject(aborted);
    if (from instanceof Readable) expect(from.destroyed).toBe(true);
    expect(spawnSync('cat', [path]).stdout.toString()).toBe('older');
    expect(leftovers()).toEqual([]);
    expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  });

  test('aborted while it waits for a destination that takes nothing', async () => {
    const controller = new AbortController();
    const path = fresh();
    writeFileSync(path, await inputFor(plainOf(3_000_000)));
    const destination = stuck();
    setTimeout(() => controller.abort(), 20);
    await expect(run(path, destination, { signal: controller.signal })).rejects.toMatchObject(aborted);
    expect(destination.destroyed).toBe(true);
  });

  test('aborted while it waits for the destination to finish', async () => {
    const controller = new AbortController();
    const destination = new Writable({ write: (_chunk, _encoding, done) => done(), final: () => {} });
    const source = Readable.from([await inputFor(plainOf(10))]);
    setTimeout(() => controller.abort(), 20);
    await expect(run(source, destination, { signal: controller.signal })).rejects.toMatchObject(aborted);
    expect(destination.destroyed).toBe(true);
  });

  test.each([undefined, new Error('connection lost')])(
    'the destination goes away while the source keeps waiting: %s',
    async (error) => {
      const source = stallingReadable((await inputFor(plainOf(500_000))).subarray(0, 300_000));
      const destination = new PassThrough();
      destination.resume();
      setTimeout(() => destination.destroy(error), 20);
      await expect(run(source, destination, {})).rejects.toMatchObject(error ?? { code: 'ERR_VOLSEAL_IO' });
      expect(source.destroyed).toBe(true);
    },
  );

  test('a destination that was gone before', async () => {
    for (const error of [undefined, new Error('connection lost')]) {
      const destination = new PassThrough();
      destination.on('error', () => {});
      destination.destroy(error);
      await sleep(1);
      const source = stallingReadable(await inputFor(plainOf(10)));
      await expect(run(source, destination, {})).rejects.toMatchObject(error ?? { code: 'ERR_VOLSEAL_IO' });
      expect(source.destroyed).toBe(true);
    }
    const ended = new PassThrough();
    ended.resume();
    ended.end();
    await sleep(1);
    await expect(run(Readable.from([await inputFor(plainOf(10))]), ended, {})).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_IO',
    });
  });

  test('a failure before anything was read destroys the source: nothing of it stays open', async () => {
    const path = fresh();
    writeFileSync(path, await inputFor(plainOf(10)));
    const before = openDescriptors();
    const readable = createReadStream(path);
    await once(readable, 'open');
    await expect(run(readable, at('no/such/folder'), {})).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_NOT_FOUND',
    });
    expect(readable.destroyed).toBe(true);
    if (!readable.closed) await once(readable, 'close');
    await expect(run('/dev/zero', at('no/such/folder'), {})).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_NOT_FOUND',
    });
    await turn();
    expect(openDescriptors().filter((target) => !before.includes(target))).toEqual([]);
  });

  test('a source that was destroyed before', async () => {
    const path = fresh();
    for (const error of [undefined, new Error('connection lost')]) {
      const source = new PassThrough();
      source.on('error', () => {});
      source.destroy(error);
      await sleep(1);
      await expect(run(source, path, {})).rejects.toMatchObject(
        error ?? { code: 'ERR_STREAM_PREMATURE_CLOSE' },
      );
    }
    expect(existsSync(path)).toBe(false);
    expect(leftovers()).toEqual([]);
  });
});

test('many transfers into one stream that stays open leave no listener on it', async () => {
  const destination = new Writable({ write: (_chunk, _encoding, done) => done() });
  destination.setMaxListeners(3);
  const counts = (): number[] =>
    ['error', 'close', 'drain', 'finish'].map((event) => destination.listenerCount(event));
  const before = counts();
  const source = new Readable({
    read() {
      this.destroy(new Error('broken'));
    },
  });
  await expect(encryptFile(source, destination, { keys })).rejects.toThrow('broken');
  await sleep(1);
  expect(counts().slice(1)).toEqual(before.slice(1));
});
