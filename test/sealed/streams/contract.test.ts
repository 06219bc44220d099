/** Whatever writes and whatever reads, in whatever chunks: all bytes come out, in order, and then the end. */

import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { plainOf } from '../plain.ts';
import { consumers, keeper } from './consumers.ts';
import { producers } from './producers.ts';
import { encryptCase, transformCases } from './transforms.ts';

const choices = fc.record({
  segmentBytes: fc.constantFrom(4_096, 4_608, 65_536),
  suite: fc.constantFrom('aes-256-gcm' as const, 'xchacha20-poly1305' as const),
});
/** Around the boundaries of 4 KiB segments, and up to several large ones. */
const plainBytes = fc.oneof(
  fc.integer({ min: 0, max: 3 }),
  fc.integer({ min: 4_050, max: 4_110 }),
  fc.integer({ min: 65_480, max: 65_540 }),
  fc.integer({ min: 0, max: 300_000 }),
);
const chunkSizes = fc
  .array(fc.oneof(fc.constantFrom(0, 1, 2_047, 2_048, 65_536), fc.integer({ min: 1, max: 100_000 })), {
    minLength: 1,
    maxLength: 5,
  })
  .filter((sizes) => sizes.reduce((sum, size) => sum + size, 0) / sizes.length > 100);

describe.each(transformCases)('$name', ({ make, inputFor, expectOutput }) => {
  test('every producer with every consumer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(producers)),
        fc.constantFrom(...Object.keys(consumers)),
        plainBytes,
        chunkSizes,
        choices,
        async (producer, consumer, size, sizes, chosen) => {
          const plain = plainOf(size);
          const input = await inputFor(plain, chosen);
          const stream = make(chosen);
          const output = consumers[consumer]?.(stream) as Promise<Buffer>;
          await Promise.all([producers[producer]?.(stream, input, sizes), output]);
          await expectOutput(await output, plain);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('a byte at a time', async () => {
    const plain = plainOf(9_000);
    const input = await inputFor(plain, { segmentBytes: 4_096 });
    const stream = make({ segmentBytes: 4_096 });
    const output = consumers['data listener']?.(stream) as Promise<Buffer>;
    await producers['waits for drain']?.(stream, input, [1]);
    await expectOutput(await output, plain);
  });

  test('two pipes of different speed and a data listener each get everything', async () => {
    const plain = plainOf(400_000);
    const stream = make();
    const quick = keeper(0);
    const slow = keeper(3, 100);
    const heard: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => heard.push(chunk));
    stream.pipe(quick.writable);
    stream.pipe(slow.writable);
    const finished = Promise.all([once(quick.writable, 'finish'), once(slow.writable, 'finish')]);
    stream.end(await inputFor(plain));
    await finished;
    for (const output of [quick.taken(), slow.taken(), Buffer.concat(heard)])
      await expectOutput(output, plain);
  });

  test('one of two pipes goes away: the other still gets everything', async () => {
    const plain = plainOf(400_000);
    const stream = make();
    const leaver = keeper(1, 100);
    const stayer = keeper(1, 100);
    stream.pipe(leaver.writable);
    stream.pipe(stayer.writable);
    stream.once('data', () => {
      stream.unpipe(leaver.writable);
      leaver.writable.destroy();
    });
    const finished = once(stayer.writable, 'finish');
    stream.end(await inputFor(plain));
    await finished;
    await expectOutput(stayer.taken(), plain);
  });

  test('one huge chunk: no more than a segment beyond the high-water mark is queued for the reader', async () => {
    const plain = Buffer.alloc(64 * 1_048_576, 'huge');
    const stream = make();
    const chunks: Buffer[] = [];
    let queuedBytes = 0;
    stream.end(await inputFor(plain));
    for await (const chunk of stream) {
      chunks.push(chunk as Buffer);
      queuedBytes = Math.max(queuedBytes, stream.readableLength);
    }
    expect(queuedBytes).toBeLessThanOrEqual(stream.readableHighWaterMark + 65_536);
    await expectOutput(Buffer.concat(chunks), plain);
  });

  test('empty chunks count for nothing', async () => {
    const plain = plainOf(10);
    const stream = make();
    const output = consumers['for await']?.(stream) as Promise<Buffer>;
    stream.write(Buffer.alloc(0));
    for (const byte of await inputFor(plain)) {
      stream.write(Buffer.of(byte));
      stream.write(Buffer.alloc(0));
    }
    stream.end(Buffer.alloc(0));
    await expectOutput(await output, plain);
  });

  test("the bytes of a chunk are the caller's again once its write is called back", async () => {
    const plain = plainOf(300_000);
    const input = await inputFor(plain);
    const stream = make();
    const output = consumers['data listener']?.(stream) as Promise<Buffer>;
    const reused = Buffer.alloc(5_000);
    for (let at = 0; at < input.length; at += reused.length) {
      const length = Math.min(reused.length, input.length - at);
      reused.set(input.subarray(at, at + length));
      await new Promise((resolve) => stream.write(reused.subarray(0, length), resolve));
      reused.fill(0xee);
    }
    stream.end();
    await expectOutput(await output, plain);
  });
});

test('text is taken as UTF-8, and in the encoding that is named', async () => {
  const stream = encryptCase.make();
  const output = consumers['for await']?.(stream) as Promise<Buffer>;
  stream.write('grüße ');
  stream.write('00ff10', 'hex');
  stream.end('!', 'latin1');
  await encryptCase.expectOutput(
    await output,
    Buffer.concat([Buffer.from('grüße '), Buffer.of(0, 255, 16), Buffer.from('!')]),
  );
});

test.each([1, 100, 1_000_000])(
  'piped into a writable with a high-water mark of %i',
  async (highWaterMark) => {
    const plain = plainOf(200_000);
    const stream = encryptCase.make();
    const { writable, taken } = keeper(1, highWaterMark);
    stream.pipe(writable);
    stream.end(plain);
    await once(writable, 'finish');
    await encryptCase.expectOutput(taken(), plain);
  },
);
