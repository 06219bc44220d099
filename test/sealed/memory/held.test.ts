/** Input that was converted is not kept: the collector gets all chunks but the few that are still being worked on. */

import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';

import { encryptFile } from '../../../src/index.ts';
import { plainOf } from '../plain.ts';
import { keys, transformCases } from '../streams/transforms.ts';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const chunkBytes = 50_000;
const count = 300;

/** How many of the chunks are still in memory. */
async function heldChunks(chunks: readonly WeakRef<Uint8Array>[]): Promise<number> {
  for (let i = 0; i < 3; i++) {
    await turn();
    collect();
  }
  return chunks.filter((chunk) => chunk.deref() !== undefined).length;
}

test.each(transformCases)('$name', async ({ make, inputFor }) => {
  const input = await inputFor(plainOf(chunkBytes * count));
  const stream = make();
  stream.resume();
  const chunks: WeakRef<Uint8Array>[] = [];
  for (let i = 0; i < count; i++) {
    const chunk = Uint8Array.from(input.subarray(i * chunkBytes, (i + 1) * chunkBytes));
    chunks.push(new WeakRef(chunk));
    if (!stream.write(chunk)) await once(stream, 'drain');
  }
  expect(await heldChunks(chunks)).toBeLessThanOrEqual(5);
  stream.destroy();
});

test('encryptFile of a generator', async () => {
  const chunks: WeakRef<Uint8Array>[] = [];
  let held = count;
  async function* generate(): AsyncGenerator<Uint8Array, void, void> {
    for (let i = 0; i < count; i++) {
      const chunk = new Uint8Array(chunkBytes);
      chunks.push(new WeakRef(chunk));
      yield chunk;
    }
    held = await heldChunks(chunks);
  }
  await encryptFile(generate(), '/dev/null', { keys });
  // A batch is about a mebibyte, and two are being written.
  expect(held).toBeLessThanOrEqual(5 + (3 * 1_048_576) / chunkBytes);
});
