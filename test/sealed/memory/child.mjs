/**
 * Streams generated data through encryption and decryption and prints what it took: `node child.mjs KIND MIB`.
 * Imports the built library: what is measured is the library in a process of its own.
 */

import { createHash } from 'node:crypto';
import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import {
  createDecryptStream,
  createEncryptStream,
  DecryptionStream,
  decryptFile,
  EncryptionStream,
  encryptFile,
} from '../../../dist/index.js';
import { testKeys } from '../../../dist/testing.js';

const [kind, mebibytes] = process.argv.slice(2);
const keys = testKeys();
const chunk = createHash('shake256', { outputLength: 65_536 }).update('chunk').digest();
const chunks = Number(mebibytes) * 16;

const peak = { heapBytes: 0, externalBytes: 0 };
function sample() {
  const { heapUsed, external, arrayBuffers } = process.memoryUsage();
  peak.heapBytes = Math.max(peak.heapBytes, heapUsed);
  peak.externalBytes = Math.max(peak.externalBytes, external, arrayBuffers);
}

/** Fresh memory for every chunk, as from a socket. */
async function* generate() {
  for (let i = 0; i < chunks; i++) {
    if (i % 64 === 0) sample();
    yield Buffer.from(chunk);
  }
}

let receivedBytes = 0;
/** Takes a turn of the event loop over every `every`th chunk: a consumer that is slower than the source. */
function counter(every) {
  let count = 0;
  return new Writable({
    write(bytes, _encoding, done) {
      receivedBytes += bytes.length;
      if (++count % every === 0) setImmediate(() => done());
      else done();
    },
  });
}

const runs = {
  node: () =>
    pipeline(generate, createEncryptStream({ keys }), createDecryptStream({ keys }), counter(1_000_000)),
  'slow-reader': () =>
    pipeline(generate, createEncryptStream({ keys }), createDecryptStream({ keys }), counter(1)),
  async web() {
    const source =
      ReadableStream.from === undefined
        ? Readable.toWeb(Readable.from(generate()))
        : ReadableStream.from(generate());
    const opened = source
      .pipeThrough(new EncryptionStream({ keys }))
      .pipeThrough(new DecryptionStream({ keys }));
    for await (const bytes of opened) receivedBytes += bytes.length;
  },
  async files() {
    const between = createDecryptStream({ keys });
    const sink = counter(3);
    await Promise.all([encryptFile(generate(), between, { keys }), pipeline(between, sink)]);
  },
  async 'files-back'() {
    const between = createEncryptStream({ keys });
    await Promise.all([pipeline(generate, between), decryptFile(between, counter(3), { keys })]);
  },
};

await runs[kind]();
sample();
console.log(
  JSON.stringify({ receivedBytes, peakResidentBytes: process.resourceUsage().maxRSS * 1_024, ...peak }),
);
