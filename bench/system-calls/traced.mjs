/** Runs one operation in this process, which is traced. What is asked of the kernel between the two marks counts. */

import { accessSync, mkdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

import { plainFiles } from '../contenders/plain-files.mjs';
import { secretEnv } from '../contenders/keys.mjs';
import { operations, plainStore } from './operations.mjs';

const [id, kind, root] = process.argv.slice(2);

function mark(name) {
  try {
    accessSync(`/volseal-mark/${name}`);
  } catch {
    // It is not there; the trace shows that it was looked for.
  }
}

async function openStore() {
  mkdirSync(root, { recursive: true });
  if (kind === 'plain') return plainStore(root, plainFiles.replaceFile);
  const { initVolume, openVolume } = await import('../../dist/index.js');
  const { flySecrets } = await import('../../dist/kms/index.js');
  const keys = flySecrets({ env: secretEnv });
  await initVolume(root, { keys, recovery: true });
  return openVolume(root, { keys });
}

const store = await openStore();
const operation = operations.find((one) => one.id === id);
const { turn, end } = await operation.prepare(store);
await turn(0);
if (operation.kind === 'read') {
  // What changed a moment ago is looked at more often; what is traced is files that did not, by a process that has read some.
  await sleep(2_500);
  for (let i = 0; i < 3; i++) await turn(0);
}
// Files that were only read are closed in the background.
await sleep(100);
mark('begin');
await turn(1);
await sleep(100);
mark('end');
await end?.();
await store.close?.();
