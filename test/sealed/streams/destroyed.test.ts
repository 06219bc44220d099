/** Whoever goes away, and whenever: the others get all bytes or an error, never an early end, and nothing hangs. */

import { once } from 'node:events';
import { PassThrough, Readable, type Transform, type Writable } from 'node:stream';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { createDecryptStream, encrypt } from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { keeper } from './consumers.ts';
import { keys, transformCases } from './transforms.ts';

const segmentBytes = 4_096;
const someBytes = 200_000;
const failure = new Error('on purpose');

/** Gives the bytes chunk by chunk and calls `at` before each. */
async function* chunksOf(bytes: Uint8Array, at: (index: number) => void): AsyncGenerator<Buffer, void, void> {
  let index = 0;
  for (const chunk of cutInto(bytes, [3_000])) {
    at(index++);
    await turn();
    yield chunk;
  }
}

type Party = 'source' | 'stream' | 'sink';
const parties: readonly Party[] = ['source', 'stream', 'sink'];

describe.each(transformCases)('$name', ({ make, inputFor, expectOutput }) => {
  test('in a pipeline any party may go away at any chunk, with and without an error', async () => {
    const plain = plainOf(someBytes);
    const input = await inputFor(plain, { segmentBytes });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...parties),
        fc.nat({ max: 80 }),
        fc.boolean(),
        async (leaver, when, withError) => {
          const stream = make({ segmentBytes });
          const sink = keeper(0);
          const party: Partial<Record<Party, Readable | Transform | Writable>> = {
            stream,
            sink: sink.writable,
          };
          const source = Readable.from(
            chunksOf(input, (index) => {
              if (index === when) party[leaver]?.destroy(withError ? failure : undefined);
            }),
            { objectMode: false },
          );
          party.source = source;
          const outcome = await pipeline(source, stream, sink.writable).then(
            () => 'all' as const,
            (error: unknown) => error,
          );
          if (outcome === 'all') {
            await expectOutput(sink.taken(), plain);
          } else {
            expect(when * 3_000).toBeLessThan(input.length + 3_000);
            if (withError) expect(outcome).toBe(failure);
            else expect(outcome).toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
            expect(sink.writable.writableFinished).toBe(false);
          }
          for (const end of [source, stream, sink.writable]) expect(end.destroyed).toBe(true);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('a reader that leaves its loop destroys the stream', async () => {
    const stream = make({ segmentBytes });
    stream.on('error', () => {});
    stream.end(await inputFor(plainOf(someBytes), { segmentBytes }));
    for await (const chunk of stream) {
      expect((chunk as Buffer).length).toBeGreaterThan(0);
      break;
    }
    expect(stream.destroyed).toBe(true);
    expect(stream.readableEnded).toBe(false);
  });

  test.each([0, 50_000])(
    'destroyed after %i bytes were written: a waiting reader hears of it',
    async (bytes) => {
      const stream = make({ segmentBytes });
      const input = await inputFor(plainOf(someBytes), { segmentBytes });
      const reading = (async () => {
        for await (const _chunk of stream);
      })();
      stream.write(input.subarray(0, bytes));
      setImmediate(() => stream.destroy());
      await expect(reading).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
    },
  );

  test('destroyed while nobody reads: every waiting write and the end are called back', async () => {
    const stream = make({ segmentBytes });
    const input = await inputFor(plainOf(someBytes), { segmentBytes });
    const half = input.length / 2;
    const writes = [0, half].map(
      (at) => new Promise((resolve) => stream.write(input.subarray(at, at + half), resolve)),
    );
    const ended = new Promise((resolve) => stream.end(resolve));
    await turn();
    stream.destroy();
    expect((await Promise.all([...writes, ended])).slice(1)).toMatchObject([
      { code: 'ERR_STREAM_DESTROYED' },
      { code: 'ERR_STREAM_DESTROYED' },
    ]);
  });

  test('destroyed when everything was given: what was given stays whole', async () => {
    const plain = plainOf(someBytes);
    const stream = make({ segmentBytes });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.once('end', () => stream.destroy());
    stream.end(await inputFor(plain, { segmentBytes }));
    await finished(stream);
    await expectOutput(Buffer.concat(chunks), plain);
  });

  test('an error of the source that is piped in by hand and handed on', async () => {
    const stream = make();
    const source = new PassThrough();
    source.on('error', (error) => stream.destroy(error));
    source.pipe(stream);
    source.write((await inputFor(plainOf(someBytes))).subarray(0, 1_000));
    setImmediate(() => source.destroy(failure));
    const reading = (async () => {
      for await (const _chunk of stream);
    })();
    await expect(reading).rejects.toBe(failure);
  });

  test('a data listener that throws ends the stream: nothing may follow the bytes that it missed', async () => {
    const stream = make({ segmentBytes });
    let heard = 0;
    stream.on('data', () => {
      heard++;
      if (heard === 4) throw failure;
    });
    stream.end(await inputFor(plainOf(someBytes), { segmentBytes }));
    const [error] = (await once(stream, 'error')) as [Error];
    expect(error).toBe(failure);
    await turn();
    expect(heard).toBe(4);
    expect(stream.readableEnded).toBe(false);
  });

  test('input of a wrong kind does not harm the stream', async () => {
    const plain = plainOf(10_000);
    const stream = make();
    const sink = keeper(0);
    stream.pipe(sink.writable);
    for (const wrong of [null, undefined, 5, {}, [], true]) {
      expect(() => stream.write(wrong as unknown as string)).toThrow(/chunk|null/);
    }
    stream.end(await inputFor(plain));
    await finished(sink.writable);
    await expectOutput(sink.taken(), plain);
  });
});

describe('input that ends early is an error however it ends', async () => {
  const sealed = await encrypt(plainOf(30_000), { keys, segmentBytes });
  const cuts = [
    0,
    1,
    2_047,
    4_095,
    4_096,
    4_097,
    4_096 + segmentBytes - 1,
    4_096 + segmentBytes,
    4_096 + 3 * segmentBytes,
    sealed.length - 1,
  ];

  test.each(cuts)('%i bytes', async (bytes) => {
    const stream = createDecryptStream({ keys });
    const chunks: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.end(sealed.subarray(0, bytes));
    const [error] = (await once(stream, 'error')) as [{ code: string }];
    expect(error.code).toMatch(/^ERR_VOLSEAL_(TRUNCATED|NOT_SEALED)$/);
    expect(stream.readableEnded).toBe(false);
    // What came out before is authentic, and only that.
    const released = Buffer.concat(chunks);
    expect(Buffer.compare(released, plainOf(released.length))).toBe(0);
    expect(released.length).toBeLessThanOrEqual(Math.max(0, bytes - 4_096));
  });
});

test('a source that is destroyed without an error, piped by hand, does not end the stream', async () => {
  const stream = createDecryptStream({ keys });
  const source = new PassThrough();
  source.pipe(stream);
  source.write(await encrypt(plainOf(10), { keys }));
  const seen: string[] = [];
  for (const event of ['end', 'finish', 'data']) stream.on(event, () => seen.push(event));
  await turn();
  source.destroy();
  await once(source, 'close');
  await turn();
  expect(seen).toEqual([]);
  stream.destroy();
});
