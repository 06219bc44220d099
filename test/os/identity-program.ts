/** Says who it is, then waits to be ended; without an input it ends at once. */

import { parentPort } from 'node:worker_threads';

import { ownIdentity } from '../../src/os/process-identity.ts';
import { temporaryName } from '../../src/os/temporary-name.ts';

const told = { identity: ownIdentity(), temporary: temporaryName() };
if (parentPort === null) {
  process.stdout.write(`${JSON.stringify(told)}\n`);
  process.stdin.resume();
} else {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origins
  parentPort.postMessage(told);
  parentPort.on('message', () => {});
}
