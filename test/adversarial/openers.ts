/** Every function that opens sealed data, as one: sealed bytes in, what it released and how it ended out. */

import { readFileSync } from 'node:fs';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import {
  createDecryptReadStream,
  createDecryptStream,
  DecryptionStream,
  decrypt,
  decryptFile,
  type OpenOptions,
  openEncrypted,
} from '../../src/index.ts';
import { onDestination, onFile } from './places.ts';

/** Plaintext that came out, and where in the plaintext the function said it belongs. */
export interface Released {
  readonly plainOffset: number;
  readonly bytes: Uint8Array;
}

export interface Outcome {
  readonly released: readonly Released[];
  /** Undefined when the function said that all is well. */
  readonly error?: unknown;
  /** Names of files around a destination that were not there before, or have changed. */
  readonly left: readonly string[];
}

export interface Opener {
  readonly name: string;
  /** `end-first` looks at the last segment before any other, so that it may meet another fault first. */
  readonly order: 'start-first' | 'end-first';
  open(sealed: Uint8Array, options: OpenOptions): Promise<Outcome>;
}

type Give = (bytes: Uint8Array) => void;

type Run = (sealed: Uint8Array, options: OpenOptions, give: Give) => Promise<void>;

/** An opener of data in order: everything it gives follows on what it gave before. */
function sequential(name: string, run: Run): Opener {
  return {
    name,
    order: 'start-first',
    open: (sealed, options) => outcomeOf((released) => run(sealed, options, inOrder(released))),
  };
}

function inOrder(released: Released[]): Give {
  let plainOffset = 0;
  return (bytes) => {
    released.push({ plainOffset, bytes: Uint8Array.from(bytes) });
    plainOffset += bytes.length;
  };
}

async function outcomeOf(run: (released: Released[]) => Promise<void>): Promise<Outcome> {
  const released: Released[] = [];
  try {
    await run(released);
    return { released, left: [] };
  } catch (error) {
    return { released, error, left: [] };
  }
}

/** An opener into a file, which is looked at when it has ended. */
function toPath(
  name: string,
  before: string | undefined,
  run: (sealed: Uint8Array, options: OpenOptions, path: string) => Promise<unknown>,
): Opener {
  return {
    name,
    order: 'start-first',
    open: (sealed, options) =>
      onDestination(before, async ({ path, left }) => {
        const outcome = await outcomeOf(async (released) => {
          await run(sealed, options, path);
          released.push({ plainOffset: 0, bytes: Uint8Array.from(readFileSync(path)) });
        });
        return { ...outcome, left: left() };
      }),
  };
}

function* cut(bytes: Uint8Array, sizes: readonly number[]): Generator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] as number;
    yield Uint8Array.from(bytes.subarray(at, at + size));
    at += size;
  }
}

function collector(give: Give): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, callback) {
      give(chunk);
      callback();
    },
  });
}

function transformIn(name: string, sizes: readonly number[]): Opener {
  return sequential(name, (sealed, options, give) =>
    pipeline(Readable.from(cut(sealed, sizes)), createDecryptStream(options), collector(give)),
  );
}

/** One write a byte, all at once: back-pressure is not waited for. */
export const byteAtATime: Opener = sequential(
  'createDecryptStream, byte by byte',
  (sealed, options, give) => {
    const stream = createDecryptStream(options);
    const end = pipeline(stream, collector(give));
    for (let at = 0; at < sealed.length && !stream.destroyed; at++) stream.write(sealed.slice(at, at + 1));
    stream.end();
    return end;
  },
);

const webStream = sequential('DecryptionStream', async (sealed, options, give) => {
  const source = new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of cut(sealed, [3_000])) controller.enqueue(chunk);
      controller.close();
    },
  });
  const { readable, writable } = new DecryptionStream(options);
  const fed = source.pipeThrough({ readable, writable });
  for await (const chunk of fed) give(chunk);
});

/** What a failed read left in its buffer: the part that it has filled. */
function filled(buffer: Uint8Array): Uint8Array {
  return buffer.subarray(0, buffer.findLastIndex((byte) => byte !== 0) + 1);
}

const randomReads: Opener = {
  name: 'openEncrypted',
  order: 'end-first',
  open: (sealed, options) =>
    outcomeOf((released) =>
      onFile(sealed, async (path) => {
        await using file = await openEncrypted(path, options);
        const { size } = await file.stat();
        const step = 1_111;
        const failures: unknown[] = [];
        // Backwards, and on after a failure: a read that fails must not spoil or leak into the next one.
        for (let position = Math.floor(size / step) * step; position >= 0; position -= step) {
          const buffer = new Uint8Array(step);
          try {
            const { bytesRead } = await file.read(buffer, 0, step, position);
            released.push({ plainOffset: position, bytes: buffer.subarray(0, bytesRead) });
          } catch (error) {
            released.push({ plainOffset: position, bytes: filled(buffer) });
            failures.push(error);
          }
        }
        if (failures.length > 0) throw failures[0];
      }),
    ),
};

/** All functions of the API that give plaintext, except the one that is fed byte by byte. */
export const openers: readonly Opener[] = [
  sequential('decrypt', async (sealed, options, give) => give(await decrypt(sealed, options))),
  transformIn('createDecryptStream, one chunk', [Number.MAX_SAFE_INTEGER]),
  transformIn('createDecryptStream, odd chunks', [1, 15, 1_000, 4_097, 31]),
  webStream,
  toPath('decryptFile, path to path', undefined, (sealed, options, path) =>
    onFile(sealed, (source) => decryptFile(source, path, options)),
  ),
  toPath('decryptFile, stream to path', 'what was there before', (sealed, options, path) =>
    decryptFile(Readable.from(cut(sealed, [5_000])), path, options),
  ),
  sequential('decryptFile, path to stream', (sealed, options, give) =>
    onFile(sealed, async (path) => {
      await decryptFile(path, collector(give), options);
    }),
  ),
  sequential('createDecryptReadStream', (sealed, options, give) =>
    onFile(sealed, (path) => pipeline(createDecryptReadStream(path, options), collector(give))),
  ),
  randomReads,
];
