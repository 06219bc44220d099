/** Test data: incompressible, the same in every process. */

import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';

function keystream() {
  return createCipheriv('aes-256-ctr', Buffer.alloc(32, 'volseal bench data'), Buffer.alloc(16));
}

export function plainBytes(bytes) {
  return keystream().update(Buffer.alloc(bytes));
}

/** Writes the same bytes as plainBytes(bytes) and returns their hash. */
export async function writePlainFile(path, bytes) {
  const cipher = keystream();
  const hash = createHash('sha256');
  const out = createWriteStream(path);
  const zeros = Buffer.alloc(1024 * 1024);
  for (let left = bytes; left > 0; ) {
    const piece = cipher.update(zeros.subarray(0, Math.min(left, zeros.length)));
    left -= piece.length;
    hash.update(piece);
    if (!out.write(piece)) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return hash.digest('hex');
}

export function hashOf(...pieces) {
  const hash = createHash('sha256');
  for (const piece of pieces) hash.update(piece);
  return hash.digest('hex');
}

export async function hashOfFile(path) {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash);
  return hash.digest('hex');
}

/** A small repeatable generator (mulberry32): every contender reads the same random places. */
export function seededRandom(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export class NotEqualError extends Error {}

/** Nothing is timed before this has passed. */
export function assertEqualHash(what, actual, expected) {
  if (actual !== expected) throw new NotEqualError(`${what}: what came back is not what went in`);
}
