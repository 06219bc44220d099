/** A reader that stops stops the source: nothing is taken in beyond what the high-water marks and one segment hold. */

import { Readable, type Transform } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';

import {
  createDecryptStream,
  createEncryptStream,
  DecryptionStream,
  EncryptionStream,
} from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { decryptCase, keys, transformCases } from './transforms.ts';

const segmentBytes = 4_096;
const chunkBytes = 1_000;

/** A Readable that counts what was taken from it. */
function counted(bytes: Uint8Array): { readable: Readable; takenBytes(): number } {
  let at = 0;
  const readable = new Readable({
    highWaterMark: chunkBytes,
    read() {
      const chunk = bytes.subarray(at, at + chunkBytes);
      at += chunk.length;
      this.push(chunk.length === 0 ? null : Buffer.from(chunk));
    },
  });
  return { readable, takenBytes: () => at };
}

/** Until a value stays the same over several turns of the event loop. */
async function settled(value: () => number): Promise<number> {
  for (let last = -1; last !== value(); ) {
    last = value();
    await sleep(20);
  }
  return value();
}

describe.each(transformCases)('$name', ({ make, inputFor, expectOutput }) => {
  const marks = (stream: Transform): number => stream.writableHighWaterMark + stream.readableHighWaterMark;

  test('a reader that never reads', async () => {
    const input = await inputFor(plainOf(3_000_000), { segmentBytes });
    const { readable, takenBytes } = counted(input);
    const stream = make({ segmentBytes });
    readable.pipe(stream);
    const most = marks(stream) + 2 * segmentBytes + 3 * chunkBytes;
    expect(await settled(takenBytes)).toBeLessThanOrEqual(most);
    readable.destroy();
    stream.destroy();
  });

  test('a reader that pauses in the middle, and then takes the rest', async () => {
    const plain = plainOf(3_000_000);
    const input = await inputFor(plain, { segmentBytes });
    const { readable, takenBytes } = counted(input);
    const stream = make({ segmentBytes });
    const chunks: Buffer[] = [];
    let givenBytes = 0;
    let paused = (): void => {};
    const pause = new Promise<void>((resolve) => {
      paused = resolve;
    });
    const ended = new Promise((resolve) => stream.once('end', resolve));
    stream.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      givenBytes += chunk.length;
      if (givenBytes < 1_000_000 || givenBytes - chunk.length >= 1_000_000) return;
      stream.pause();
      paused();
    });
    readable.pipe(stream);
    await pause;
    // Sealed bytes are more than plain ones: a header, and 32 bytes for each segment.
    const usedBytes = 4_096 + givenBytes * 1.01;
    expect(await settled(takenBytes)).toBeLessThanOrEqual(
      usedBytes + marks(stream) + 2 * segmentBytes + 3 * chunkBytes,
    );
    stream.resume();
    await ended;
    await expectOutput(Buffer.concat(chunks), plain);
  });

  test('a writer is held up from the first full segment on', async () => {
    const stream = make({ segmentBytes });
    const input = await inputFor(plainOf(3_000_000), { segmentBytes });
    let calledBack = 0;
    for (let at = 0; at < input.length; at += chunkBytes) {
      stream.write(input.subarray(at, at + chunkBytes), () => {
        calledBack += chunkBytes;
      });
    }
    expect(stream.writableNeedDrain).toBe(true);
    expect(await settled(() => calledBack)).toBeLessThanOrEqual(
      stream.readableHighWaterMark + 2 * segmentBytes + chunkBytes,
    );
    stream.destroy();
  });
});

test.each([
  [
    'EncryptionStream',
    (): EncryptionStream => new EncryptionStream({ keys, segmentBytes }),
    async (plain: Buffer) => plain,
  ],
  [
    'DecryptionStream',
    (): DecryptionStream => new DecryptionStream({ keys }),
    (plain: Buffer) => decryptCase.inputFor(plain),
  ],
])(
  '%s: without a reader nothing is taken in; each read takes what it needs',
  async (_name, make, inputFor) => {
    const input = await inputFor(plainOf(500_000));
    let givenBytes = 0;
    const source = new ReadableStream<Uint8Array>(
      {
        pull(controller) {
          if (givenBytes >= input.length) controller.close();
          else controller.enqueue(Uint8Array.from(input.subarray(givenBytes, (givenBytes += chunkBytes))));
        },
      },
      { highWaterMark: 0 },
    );
    const reader = source.pipeThrough(make()).getReader();
    expect(await settled(() => givenBytes)).toBeLessThanOrEqual(2 * chunkBytes);
    await reader.read();
    expect(await settled(() => givenBytes)).toBeLessThanOrEqual(65_536 + 65_536 + 3 * chunkBytes);
    await reader.cancel();
  },
);

test('an encrypting stream hands one segment on while the next is not there yet', async () => {
  const encrypting = createEncryptStream({ keys, segmentBytes });
  const decrypting = createDecryptStream({ keys });
  encrypting.pipe(decrypting);
  encrypting.write(plainOf(2 * segmentBytes));
  const [chunk] = (await new Promise<[Buffer]>((resolve) =>
    decrypting.once('data', (data: Buffer) => resolve([data])),
  )) as [Buffer];
  expect(Buffer.compare(chunk, plainOf(chunk.length))).toBe(0);
  encrypting.destroy();
  decrypting.destroy();
});
