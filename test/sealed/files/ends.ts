/** Every kind of source that gives some bytes, and every kind of destination that shows what it got. */

import { spawnSync } from 'node:child_process';
import { createReadStream, createWriteStream, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

import type { Destination, Source } from '../../../src/index.ts';
import { cutInto } from '../plain.ts';
import { keeper } from '../streams/consumers.ts';

type Fresh = () => string;

function fifo(path: string): string {
  if (spawnSync('mkfifo', [path]).status !== 0) throw new Error('mkfifo failed');
  return path;
}

export const sources: Readonly<
  Record<string, (bytes: Uint8Array, sizes: readonly number[], fresh: Fresh) => Source>
> = {
  path: (bytes, _sizes, fresh) => {
    const path = fresh();
    writeFileSync(path, bytes);
    return path;
  },
  'file URL': (bytes, _sizes, fresh) => {
    const path = `${fresh()} #?%ü`;
    writeFileSync(path, bytes);
    return pathToFileURL(path);
  },
  FIFO: (bytes, sizes, fresh) => {
    const path = fifo(fresh());
    void pipeline(Readable.from(cutInto(bytes, sizes)), createWriteStream(path)).catch(() => {});
    return path;
  },
  Readable: (bytes, sizes) => Readable.from(cutInto(bytes, sizes), { objectMode: false }),
  'file stream': (bytes, sizes, fresh) => {
    const path = fresh();
    writeFileSync(path, bytes);
    return createReadStream(path, { highWaterMark: Math.max(1_000, ...sizes) });
  },
  'async generator': async function* (bytes, sizes) {
    for (const chunk of cutInto(bytes, sizes)) {
      await turn();
      yield Uint8Array.from(chunk);
    }
  },
  'generator that uses one buffer over and over': async function* (bytes, sizes) {
    const reused = Buffer.alloc(Math.max(...sizes));
    for (const chunk of cutInto(bytes, sizes)) {
      reused.fill(0xee);
      reused.set(chunk);
      yield reused.subarray(0, chunk.length);
    }
  },
  'web stream': (bytes, sizes) =>
    new ReadableStream<Uint8Array>({
      start(controller) {
        for (const chunk of cutInto(bytes, sizes)) controller.enqueue(chunk);
        controller.close();
      },
    }),
};

export interface Target {
  readonly destination: Destination;
  /** All that it got, when the transfer is over. */
  taken(): Promise<Buffer>;
}

const fileTarget = (path: string, destination: Destination = path): Target => ({
  destination,
  taken: async () => readFileSync(path),
});

export const targets: Readonly<Record<string, (fresh: Fresh) => Target>> = {
  'new path': (fresh) => fileTarget(fresh()),
  'existing path': (fresh) => {
    const path = fresh();
    writeFileSync(path, 'what was there before, and longer than some of what comes');
    return fileTarget(path);
  },
  'file URL': (fresh) => {
    const path = `${fresh()} #?%ü`;
    return fileTarget(path, pathToFileURL(path));
  },
  FIFO: (fresh) => {
    const path = fifo(fresh());
    const reading = buffer(createReadStream(path));
    return {
      destination: path,
      async taken() {
        const bytes = await reading;
        unlinkSync(path);
        return bytes;
      },
    };
  },
  'slow Writable': () => {
    const { writable, taken } = keeper(1, 100);
    return { destination: writable, taken: async () => taken() };
  },
  'file stream': (fresh) => {
    const path = fresh();
    return fileTarget(path, createWriteStream(path));
  },
  PassThrough: () => {
    const through = new PassThrough();
    const reading = buffer(through);
    return { destination: through, taken: () => reading };
  },
};
