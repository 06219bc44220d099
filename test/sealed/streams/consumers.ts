/** Every way in which programs take all bytes out of a Readable. Each gives all of them, or rejects. */

import { once } from 'node:events';
import { type Readable, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { finished, pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';

export type Consumer = (readable: Readable) => Promise<Buffer>;

/** A Writable that keeps what it gets and takes `turns` of the event loop over each chunk. */
export function keeper(
  turns: number,
  highWaterMark: number = 16_384,
): { writable: Writable; taken(): Buffer } {
  const chunks: Buffer[] = [];
  const writable = new Writable({
    highWaterMark,
    write(chunk: Buffer, _encoding, callback) {
      const keep = async (): Promise<void> => {
        for (let i = 0; i < turns; i++) await turn();
        chunks.push(Buffer.from(chunk));
      };
      void keep().then(() => callback());
    },
  });
  return { writable, taken: () => Buffer.concat(chunks) };
}

async function onData(readable: Readable, each: (chunk: Buffer) => void): Promise<Buffer> {
  const chunks: Buffer[] = [];
  readable.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    each(chunk);
  });
  await once(readable, 'end');
  return Buffer.concat(chunks);
}

export const consumers: Readonly<Record<string, Consumer>> = {
  'data listener': (readable) => onData(readable, () => {}),

  'paused after every chunk': (readable) =>
    onData(readable, () => {
      readable.pause();
      setImmediate(() => readable.resume());
    }),

  'read() of odd sizes': async (readable) => {
    const chunks: Buffer[] = [];
    readable.on('readable', () => {
      for (let size = 1; ; size = (size * 7) % 9_973) {
        const chunk = (readable.read(size) ?? readable.read()) as Buffer | null;
        if (chunk === null) return;
        chunks.push(chunk);
      }
    });
    await once(readable, 'end');
    return Buffer.concat(chunks);
  },

  'for await': async (readable) => {
    const chunks: Buffer[] = [];
    for await (const chunk of readable) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  },

  'slow for await': async (readable) => {
    const chunks: Buffer[] = [];
    for await (const chunk of readable) {
      await turn();
      chunks.push(chunk as Buffer);
    }
    return Buffer.concat(chunks);
  },

  'pipe into a slow writable': async (readable) => {
    const { writable, taken } = keeper(2, 1_000);
    readable.on('error', (error) => writable.destroy(error));
    readable.pipe(writable);
    await finished(writable);
    return taken();
  },

  pipeline: async (readable) => {
    const { writable, taken } = keeper(0);
    await pipeline(readable, writable);
    return taken();
  },

  'stream/consumers': (readable) => buffer(readable),
};
