/**
 * Runs operations of the built library in a process of its own, for limits and rights that a test cannot give itself:
 * `node child.mjs '{"uid": 65534, "spareDescriptors": 3, "operations": [["encryptFile", SOURCE, DESTINATION], …]}'`.
 * Prints one line of JSON for each operation.
 */

import { closeSync, createReadStream, openSync, readdirSync } from 'node:fs';
import { finished, pipeline } from 'node:stream/promises';
import {
  createDecryptReadStream,
  createEncryptWriteStream,
  decryptFile,
  encryptFile,
  inspect,
  openEncrypted,
} from '../../dist/index.js';
import { testKeys } from '../../dist/testing.js';

const keys = testKeys();
const { uid, spareDescriptors, operations } = JSON.parse(process.argv[2]);

const run = {
  encryptFile: (source, destination) => encryptFile(source, destination, { keys }),
  decryptFile: (source, destination) => decryptFile(source, destination, { keys }),
  createEncryptWriteStream: (source, destination) =>
    pipeline(createReadStream(source), createEncryptWriteStream(destination, { keys })),
  async createDecryptReadStream(source) {
    const stream = createDecryptReadStream(source, { keys });
    stream.resume();
    await finished(stream);
  },
  openEncrypted: async (source) => (await openEncrypted(source, { keys })).close(),
  inspect: (source) => inspect(source),
};

const openDescriptors = () => readdirSync('/proc/self/fd').length;

/** Takes all descriptors but a few; gives them back. */
function occupy(spare) {
  const taken = [];
  try {
    for (;;) taken.push(openSync('/dev/null', 'r'));
  } catch (error) {
    if (error.code !== 'EMFILE') throw error;
  }
  for (let i = 0; i < spare; i++) closeSync(taken.pop());
  return () => taken.forEach((descriptor) => closeSync(descriptor));
}

// What is loaded and opened late must not be missing later.
await run.inspect(operations[0][1]).catch(() => {});
await run.encryptFile('/dev/null', '/dev/null').catch(() => {});
if (uid !== undefined) {
  process.setgroups([]);
  process.setgid(uid);
  process.setuid(uid);
}
for (const [name, ...parameters] of operations) {
  const before = openDescriptors();
  const release = spareDescriptors === undefined ? () => {} : occupy(spareDescriptors);
  const outcome = await run[name](...parameters).then(
    () => ({ outcome: 'done' }),
    ({ name, code, message, hint, path, retryable }) => ({
      outcome: name,
      code,
      message,
      hint,
      path,
      retryable,
    }),
  );
  release();
  // A stream of Node's own that failed is closed a little later.
  for (let i = 0; i < 100 && openDescriptors() > before; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  console.log(JSON.stringify({ ...outcome, leakedDescriptors: openDescriptors() - before }));
}
