/** EncryptionStream and DecryptionStream: the contract of a TransformStream of bytes, as CompressionStream has it. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { decrypt, DecryptionStream, EncryptionStream, encrypt } from '../../../src/index.ts';
import { cutInto, plainOf } from '../plain.ts';
import { keys } from './transforms.ts';

type Pair = EncryptionStream | DecryptionStream;

interface WebCase {
  readonly name: string;
  make(segmentBytes?: number): Pair;
  inputFor(plain: Uint8Array, segmentBytes?: number): Promise<Uint8Array>;
  plainOfOutput(output: Uint8Array): Promise<Uint8Array>;
}

const cases: readonly WebCase[] = [
  {
    name: 'EncryptionStream',
    make: (segmentBytes = 65_536) => new EncryptionStream({ keys, segmentBytes }),
    inputFor: async (plain) => plain,
    plainOfOutput: (output) => decrypt(output, { keys }),
  },
  {
    name: 'DecryptionStream',
    make: () => new DecryptionStream({ keys }),
    inputFor: (plain, segmentBytes = 65_536) => encrypt(plain, { keys, segmentBytes }),
    plainOfOutput: async (output) => output,
  },
];

/** A source that hands out fresh copies: what was handed out is the taker's. */
function sourceOf(bytes: Uint8Array, sizes: readonly number[]): ReadableStream<Uint8Array<ArrayBuffer>> {
  const chunks = cutInto(bytes, sizes);
  return new ReadableStream({
    pull(controller) {
      const { done, value } = chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(Uint8Array.from(value));
    },
  });
}

async function collect(readable: ReadableStream<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readable) {
    expect(chunk).toBeInstanceOf(Uint8Array);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

const same = (a: Uint8Array, b: Uint8Array): void => expect(Buffer.compare(a, b)).toBe(0);

describe.each(cases)('$name', ({ make, inputFor, plainOfOutput }) => {
  test('any size in any chunks', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(fc.nat({ max: 3 }), fc.integer({ min: 4_050, max: 4_110 }), fc.nat({ max: 200_000 })),
        fc
          .array(fc.integer({ min: 0, max: 70_000 }), { minLength: 1, maxLength: 4 })
          .filter((sizes) => Math.max(...sizes) > 500),
        fc.constantFrom(4_096, 65_536),
        async (size, sizes, segmentBytes) => {
          const plain = plainOf(size);
          const input = await inputFor(plain, segmentBytes);
          const output = await collect(sourceOf(input, sizes).pipeThrough(make(segmentBytes)));
          same(await plainOfOutput(output), plain);
        },
      ),
      { numRuns: 60 },
    );
  });

  test('both branches of tee get everything, whatever their speed', async () => {
    const plain = plainOf(300_000);
    const [quick, slow] = sourceOf(await inputFor(plain), [10_000])
      .pipeThrough(make())
      .tee();
    const slowly = async (): Promise<Buffer> => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of slow) {
        await new Promise((resolve) => setImmediate(resolve));
        chunks.push(chunk);
      }
      return Buffer.concat(chunks);
    };
    for (const output of await Promise.all([collect(quick), slowly()]))
      same(await plainOfOutput(output), plain);
  });

  test("chunks may be any view of bytes, and are the writer's again once write resolves", async () => {
    const plain = plainOf(200_000);
    const input = await inputFor(plain);
    const pair = make();
    const output = collect(pair.readable);
    const writer = pair.writable.getWriter();
    const memory = new ArrayBuffer(8_000);
    const bytes = new Uint8Array(memory);
    const views = [memory, bytes, new DataView(memory), new Float64Array(memory)];
    let at = 0;
    for (let i = 0; at + memory.byteLength <= input.length; i++, at += memory.byteLength) {
      bytes.set(input.subarray(at, at + memory.byteLength));
      await writer.write(views[i % views.length] as ArrayBuffer);
      bytes.fill(0xee);
    }
    await writer.write(Uint8Array.from(input.subarray(at)));
    await writer.close();
    same(await plainOfOutput(await output), plain);
  });

  test.each(['text', 5, null, undefined, {}])(
    '%j is not bytes: the writer and the reader both hear of it',
    async (wrong) => {
      const { readable, writable } = make();
      const writer = writable.getWriter();
      const reader = readable.getReader();
      const reading = reader.read().then(async ({ done }) => (done ? undefined : reader.read()));
      reading.catch(() => {});
      await expect(writer.write(wrong as unknown as Uint8Array<ArrayBuffer>)).rejects.toMatchObject({
        code: 'ERR_VOLSEAL_INVALID_ARGUMENT',
      });
      await expect(reading).rejects.toMatchObject({ code: 'ERR_VOLSEAL_INVALID_ARGUMENT' });
    },
  );

  test('cancelled by the reader: the writer hears of it, and the source too', async () => {
    const input = await inputFor(plainOf(300_000));
    let cancelled: unknown;
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(Uint8Array.from(input.subarray(0, 10_000))),
      cancel(reason) {
        cancelled = reason;
      },
    });
    const reason = new Error('seen enough');
    const pair = make();
    const piping = source.pipeTo(pair.writable);
    piping.catch(() => {});
    const reader = pair.readable.getReader();
    reader.read().catch(() => {});
    await reader.cancel(reason);
    await expect(piping).rejects.toBe(reason);
    expect(cancelled).toBe(reason);
  });

  test('aborted by the writer: the reader hears of it', async () => {
    const reason = new Error('source broke');
    const { readable, writable } = make();
    const writer = writable.getWriter();
    const reading = collect(readable);
    reading.catch(() => {});
    await writer.write(Uint8Array.from((await inputFor(plainOf(10_000))).subarray(0, 5_000)));
    await writer.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test('an error of the source goes through to the reader', async () => {
    const reason = new Error('source broke');
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      start: (controller) => controller.enqueue(Uint8Array.of(1, 2, 3)),
      pull: () => Promise.reject(reason),
    });
    await expect(collect(source.pipeThrough(make()))).rejects.toBe(reason);
  });

  test('one huge chunk comes out one segment at a time', async () => {
    const plain = Buffer.alloc(16 * 1_048_576, 'huge');
    const pair = make();
    const writer = pair.writable.getWriter();
    const written = writer.write((await inputFor(plain)) as Uint8Array<ArrayBuffer>);
    let pulled = false;
    written.then(
      () => {
        pulled = true;
      },
      () => {}, // when the reader has seen enough
    );
    const reader = pair.readable.getReader();
    for (let i = 0; i < 20; i++)
      expect(((await reader.read()).value as Uint8Array).length).toBeLessThanOrEqual(65_536);
    expect(pulled).toBe(false);
    await reader.cancel();
    await expect(written).rejects.toBeUndefined();
  });
});

test('what is cut off is an error for the reader, and for whoever closes the writer', async () => {
  const sealed = await encrypt(plainOf(100_000), { keys });
  for (const bytes of [0, 3_000, 4_096, 70_000, sealed.length - 1]) {
    const { readable, writable } = new DecryptionStream({ keys });
    const reading = collect(readable);
    reading.catch(() => {});
    const writer = writable.getWriter();
    if (bytes > 0) await writer.write(Uint8Array.from(sealed.subarray(0, bytes)));
    await expect(writer.close()).rejects.toMatchObject({ code: /ERR_VOLSEAL_(TRUNCATED|NOT_SEALED)/ });
    await expect(reading).rejects.toMatchObject({ name: 'VolsealError' });
  }
});

test('a reader that cancels while a slow key provider works leaves the process running', async () => {
  const slow = {
    ...keys,
    type: keys.type,
    describe: () => keys.describe(),
    unwrap: keys.unwrap.bind(keys),
    async wrap(...parameters: Parameters<typeof keys.wrap>) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      return keys.wrap(...parameters);
    },
  };
  const reader = new EncryptionStream({ keys: slow }).readable.getReader();
  const first = reader.read();
  await new Promise((resolve) => setTimeout(resolve, 5));
  await reader.cancel();
  expect(await first).toEqual({ done: true, value: undefined });
  await new Promise((resolve) => setTimeout(resolve, 40));
});
