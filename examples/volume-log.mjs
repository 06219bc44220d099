/**
 * An append-only log in a volume: each line of standard input is a record, and is acknowledged on standard output once
 * it is on the disk. Kill it whenever you like: every acknowledged record is there.
 *
 *     export VOLSEAL_SECRET_v1=$(npx volseal keygen) DATA_DIR=/tmp/data
 *     seq 1000 | node examples/volume-log.mjs
 *     node examples/volume-log.mjs --print
 */

import { createInterface } from 'node:readline';
import { openVolume } from 'volseal';
import { flySecrets } from 'volseal/kms';
import { onStop } from './http.mjs';

const root = process.env.DATA_DIR ?? '/data';
const keys = flySecrets();

if (process.argv.includes('--print')) {
  const volume = await openVolume(root, { keys, readonly: true });
  const file = await volume.open('audit.ndjson', 'r');
  for await (const line of createInterface({ input: file.createReadStream() })) {
    console.log(JSON.parse(line).text);
  }
  await volume.close();
} else {
  const volume = await openVolume(root, { keys, create: true });
  const log = await volume.open('audit.ndjson', 'a');
  let stopping = false;
  onStop(() => {
    stopping = true;
    process.stdin.destroy();
  });

  let written = 0;
  for await (const text of createInterface({ input: process.stdin })) {
    await log.appendFile(`${JSON.stringify({ at: new Date().toISOString(), text })}\n`);
    await log.sync(); // the durability point: one fsync
    written += 1;
    console.log(`ok ${written}`);
    if (stopping) break;
  }
  await log.close();
  await volume.close();
}
