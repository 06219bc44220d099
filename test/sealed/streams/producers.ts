/** Every way in which programs put bytes into a Writable and end it. Each resolves when the last byte was handed over. */

import { once } from 'node:events';
import { Readable, type Writable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';

import { cutInto } from '../plain.ts';

export type Producer = (
  writable: Writable,
  bytes: Uint8Array,
  chunkSizes: readonly number[],
) => Promise<void>;

export const producers: Readonly<Record<string, Producer>> = {
  'one end(bytes)': async (writable, bytes) => {
    writable.end(bytes);
  },

  'waits for drain': async (writable, bytes, sizes) => {
    for (const chunk of cutInto(bytes, sizes)) {
      if (!writable.write(chunk)) await once(writable, 'drain');
    }
    writable.end();
  },

  'waits for every callback': async (writable, bytes, sizes) => {
    for (const chunk of cutInto(bytes, sizes)) {
      await new Promise<void>((resolve, reject) => {
        writable.write(chunk, (error) => (error ? reject(error) : resolve()));
      });
    }
    writable.end();
  },

  'never waits': async (writable, bytes, sizes) => {
    for (const chunk of cutInto(bytes, sizes)) writable.write(chunk);
    writable.end();
  },

  'a slow source piped in': async (writable, bytes, sizes) => {
    async function* slowly(): AsyncGenerator<Buffer, void, void> {
      for (const chunk of cutInto(bytes, sizes)) {
        await turn();
        yield chunk;
      }
    }
    Readable.from(slowly(), { objectMode: false }).pipe(writable);
  },

  'corked writes': async (writable, bytes, sizes) => {
    writable.cork();
    for (const chunk of cutInto(bytes, sizes)) writable.write(chunk);
    process.nextTick(() => {
      writable.uncork();
      writable.end();
    });
  },
};
