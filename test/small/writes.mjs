/** Writes at random places of a large file, syncs, opens it again and compares all of it. Runs under the limit of run.mjs. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { openVolume } from 'volseal';
import { flySecrets } from 'volseal/kms';

import { seededRandom } from '../../bench/lib/data.mjs';
import { Content } from './content.mjs';

const fileBytes = Number(process.env.FILE_BYTES);
const writes = Number(process.env.WRITES);
const blockBytes = 4096;
const blocks = fileBytes / blockBytes;
const writesPerSync = 500;

/** How often each block was written: what it holds follows from that. */
const versions = new Uint32Array(blocks);
const first = new Content('first');
const later = new Content('later');
const expected = (block) =>
  versions[block] === 0
    ? first.bytes(block * blockBytes, blockBytes)
    : later.bytes((versions[block] * blocks + block) * blockBytes, blockBytes);

let volume = await openVolume(process.env.DATA_DIR, { keys: flySecrets(), create: true });
const stream = volume.createWriteStream('large.bin');
for (const piece of first.pieces(0, fileBytes)) if (!stream.write(piece)) await once(stream, 'drain');
stream.end();
await once(stream, 'close');

let file = await volume.open('large.bin', 'r+');
const random = seededRandom(writes);
for (let i = 1; i <= writes; i++) {
  const block = Math.floor(random() * blocks);
  versions[block] += 1;
  await file.write(expected(block), 0, blockBytes, block * blockBytes);
  if (i % writesPerSync === 0) await file.sync();
}
await file.close();
await volume.close();

volume = await openVolume(process.env.DATA_DIR, { keys: flySecrets(), readonly: true });
file = await volume.open('large.bin', 'r');
assert.equal((await file.stat()).size, fileBytes);
const pieceBlocks = 256;
const target = Buffer.alloc(pieceBlocks * blockBytes);
for (let at = 0; at < blocks; at += pieceBlocks) {
  const { bytesRead } = await file.read(target, 0, target.length, at * blockBytes);
  assert.equal(bytesRead, target.length);
  for (let i = 0; i < pieceBlocks; i++) {
    const same = target.subarray(i * blockBytes, (i + 1) * blockBytes).equals(expected(at + i));
    assert.ok(same, `block ${at + i}`);
  }
}
await file.close();
await volume.close();

console.log(`${writes} random writes of 4 KiB to a file of ${fileBytes / 1024 / 1024} MiB`);
const peakKib = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
console.log(`peak ${Number(peakKib) * 1024}`);
