/** A signal ends a stream before it starts, while it waits, and while it works; afterwards nothing listens to the signal. */

import { getEventListeners, once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { Duplex, type Readable, type Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';

import {
  createDecryptReadStream,
  createDecryptStream,
  createEncryptStream,
  createEncryptWriteStream,
  DecryptionStream,
  EncryptionStream,
  encrypt,
  encryptFile,
} from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { scratch } from '../scratch.ts';
import { warningsOf } from '../warnings.ts';
import { keys } from './transforms.ts';

const plain = plainOf(500_000);
const { at, directory } = scratch();
const sealedPath = at('sealed');
let sealed: Uint8Array;
beforeAll(async () => {
  sealed = await encrypt(plain, { keys });
  await encryptFile(
    (async function* () {
      yield plain;
    })(),
    sealedPath,
    { keys },
  );
});

/** Some streams only read, some only write. */
interface Kind {
  readonly name: string;
  make(signal: AbortSignal): { stream: Readable | Writable; write?: Writable; read?: Readable };
  input(): Uint8Array;
}

const kinds: readonly Kind[] = [
  {
    name: 'createEncryptStream',
    make: (signal) => {
      const stream = createEncryptStream({ keys, signal });
      return { stream, write: stream, read: stream };
    },
    input: () => plain,
  },
  {
    name: 'createDecryptStream',
    make: (signal) => {
      const stream = createDecryptStream({ keys, signal });
      return { stream, write: stream, read: stream };
    },
    input: () => sealed,
  },
  {
    name: 'createEncryptWriteStream',
    make: (signal) => {
      const stream = createEncryptWriteStream(at('new'), { keys, signal });
      return { stream, write: stream };
    },
    input: () => plain,
  },
  {
    name: 'createDecryptReadStream',
    make: (signal) => {
      const stream = createDecryptReadStream(sealedPath, { keys, signal });
      return { stream, read: stream };
    },
    input: () => plain,
  },
];

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

describe.each(kinds)('$name', ({ make, input }) => {
  test('aborted before it starts', async () => {
    const reason = new Error('no longer wanted');
    const { stream, write } = make(AbortSignal.abort(reason));
    write?.write(input().subarray(0, 10), () => {});
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError', cause: reason });
  });

  test('aborted while it waits', async () => {
    const controller = new AbortController();
    const { stream, write, read } = make(controller.signal);
    write?.write(input().subarray(0, 10_000));
    read?.once('readable', () => {});
    await turn();
    setTimeout(() => controller.abort(), 10);
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error).toMatchObject({ code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' });
    if (!stream.closed) await once(stream, 'close');
    expect(listeners(controller.signal)).toBe(0);
  });

  test('aborted while it works', async () => {
    const controller = new AbortController();
    const { stream, write, read } = make(controller.signal);
    const failed = once(stream, 'error');
    let heard = 0;
    read?.on('data', () => {
      if (++heard === 3) controller.abort();
    });
    for (let at = 0; write !== undefined && at < input().length; at += 20_000) {
      write.write(input().subarray(at, at + 20_000), () => {
        if (read === undefined && at > 200_000) controller.abort();
      });
    }
    const [error] = (await failed) as [Error];
    expect(error).toMatchObject({ code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' });
    if (!stream.closed) await once(stream, 'close');
    expect(listeners(controller.signal)).toBe(0);
    if (read !== undefined) expect(read.readableEnded).toBe(false);
    if (write !== undefined) expect(write.writableFinished).toBe(false);
  });

  test('done before it is aborted: it stays done, and does not listen any more', async () => {
    const controller = new AbortController();
    const { stream, write, read } = make(controller.signal);
    read?.resume();
    write?.end(input());
    await finished(stream);
    expect(listeners(controller.signal)).toBe(0);
    controller.abort();
    await turn();
    expect(stream.errored).toBeNull();
    rmSync(at('new'), { force: true });
  });
});

test('the signal of pipeline() works as well', async () => {
  const controller = new AbortController();
  const endless = async function* (): AsyncGenerator<Buffer, void, void> {
    for (let i = 0; ; i++) {
      if (i === 50) controller.abort();
      await turn();
      yield plain.subarray(0, 10_000);
    }
  };
  const target = createEncryptWriteStream(at('new'), { keys });
  await expect(pipeline(endless, target, { signal: controller.signal })).rejects.toMatchObject({
    name: 'AbortError',
  });
  if (!target.closed) await once(target, 'close');
  expect(readdirSync(directory)).toEqual(['sealed']);
});

test('a hundred streams of one signal warn of nothing and leave no listener', async () => {
  const controller = new AbortController();
  const warnings = await warningsOf(async () => {
    const streams = Array.from({ length: 100 }, () =>
      createEncryptStream({ keys, signal: controller.signal }),
    );
    const pairs = Array.from({ length: 20 }, () => new EncryptionStream({ keys, signal: controller.signal }));
    await Promise.all(streams.map((stream) => buffer(stream.end('x'))));
    await Promise.all(pairs.map(({ readable }) => readable.cancel()));
  });
  expect(warnings).toEqual([]);
  expect(listeners(controller.signal)).toBe(0);
});

describe.each([
  ['EncryptionStream', (signal: AbortSignal) => new EncryptionStream({ keys, signal }), () => plain],
  ['DecryptionStream', (signal: AbortSignal) => new DecryptionStream({ keys, signal }), () => sealed],
] as const)('%s', (_name, make, input) => {
  test.each(['before it starts', 'while it waits', 'while it works'] as const)(
    'aborted %s: both sides hear of it',
    async (when) => {
      const controller = new AbortController();
      if (when === 'before it starts') controller.abort();
      const { readable, writable } = make(controller.signal);
      const writer = writable.getWriter();
      const reader = readable.getReader();
      const writing = writer.write(
        Uint8Array.from(input().subarray(0, when === 'while it works' ? undefined : 100)),
      );
      writing.catch(() => {});
      if (when === 'while it works') await reader.read();
      const waiting = (async () => {
        while (!(await reader.read()).done);
      })();
      waiting.catch(() => {});
      await turn();
      controller.abort();
      await expect(waiting).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED', name: 'AbortError' });
      await expect(reader.closed).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
      await expect(writer.closed).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
      await expect(writer.write(Uint8Array.of(1))).rejects.toMatchObject({ code: 'ERR_VOLSEAL_ABORTED' });
      expect(listeners(controller.signal)).toBe(0);
    },
  );

  test('done: nothing listens to the signal any more', async () => {
    const controller = new AbortController();
    const { readable, writable } = make(controller.signal);
    const duplex = Duplex.fromWeb({ readable, writable } as unknown as Parameters<typeof Duplex.fromWeb>[0]);
    expect((await buffer(duplex.end(input()))).length).toBeGreaterThan(0);
    expect(listeners(controller.signal)).toBe(0);
  });
});
