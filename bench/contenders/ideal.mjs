/**
 * What a careful engineer writes by hand for two known files: batches of 16 segments, three read buffers in flight,
 * the bare cipher, writev without joining, and each ciphertext's memory released as soon as it is written. No header,
 * no key management, no temporary name, no progress, no abort.
 */

import { open } from 'node:fs/promises';

import { bareSegments, plainBytesOfSegment, tagBytes } from './bare.mjs';

const segmentsInBatch = 16;
const depth = 3;
const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';

function release(pieces) {
  if (!canTransfer) return;
  for (const piece of pieces) {
    if (piece.length === piece.buffer.byteLength) piece.buffer.transfer(0);
  }
}

/** Copies `source` to `destination` through `convert(segment, position) => pieces`, `unitBytes` of source at a time. */
async function convertFile(source, destination, unitBytes, convert) {
  const from = await open(source);
  const to = await open(destination, 'w');
  const { size } = await from.stat();
  const batchBytes = unitBytes * segmentsInBatch;
  const buffers = Array.from({ length: depth }, () => Buffer.allocUnsafeSlow(Math.min(batchBytes, size)));
  const count = Math.ceil(size / batchBytes);
  const readBatch = (batch) =>
    from.read(buffers[batch % depth], 0, buffers[batch % depth].length, batch * batchBytes);

  const reads = [];
  for (let batch = 0; batch < Math.min(depth - 1, count); batch++) reads.push(readBatch(batch));
  const writes = [];
  let position = 0;
  let written = 0;
  for (let batch = 0; batch < count; batch++) {
    const { bytesRead, buffer } = await reads.shift();
    // The buffer that this read fills was emptied one turn ago: sealing is synchronous.
    if (batch + depth - 1 < count) reads.push(readBatch(batch + depth - 1));
    const pieces = [];
    for (let at = 0; at < bytesRead; at += unitBytes) {
      pieces.push(...convert(buffer.subarray(at, Math.min(at + unitBytes, bytesRead)), position++));
    }
    if (writes.length === depth - 1) await writes.shift();
    const at = written;
    for (const piece of pieces) written += piece.length;
    writes.push(to.writev(pieces, at).then(() => release(pieces)));
  }
  await Promise.all(writes);
  await to.close();
  await from.close();
}

export function ideal(suite) {
  return {
    title: 'ideal: hand-written read, cipher, write',
    files() {
      const { seal, open: openSegment } = bareSegments(suite);
      const plainUnit = plainBytesOfSegment(65_536);
      return {
        encrypt: (source, destination) =>
          convertFile(source, destination, plainUnit, (plain, position) => seal(plain, position, false)),
        decrypt: (source, destination) =>
          convertFile(source, destination, plainUnit + tagBytes, (sealed, position) => [
            openSegment(sealed, position, false),
          ]),
      };
    },
  };
}
