/**
 * Input for the bulk engine: runs of whole segments, about a mebibyte each, so that a read, a conversion and a write
 * are each one step of the event loop. The last batch is known as such when it is given, which finality needs.
 */

import type { FileHandle } from 'node:fs/promises';

import type { ByteQueue } from './byte-queue.ts';
import { readFully } from './file-bytes.ts';

export interface Batch {
  /** Each in pieces that count as joined; all but the last one of the last batch are whole. Valid until the next batch is asked for. */
  readonly segments: readonly (readonly Uint8Array[])[];
  readonly last: boolean;
}

const batchTargetBytes = 1_048_576;

function segmentsPerBatch(segmentBytes: number): number {
  return Math.max(1, Math.floor(batchTargetBytes / segmentBytes));
}

/**
 * Batches of a regular file from `start` on. Two reads are under way while a batch is being converted.
 * @param segmentBytes bytes of a whole segment on this side
 * @param expectedBytes what is expected from `start` on: only chooses buffer sizes
 */
export async function* fileBatches(
  handle: FileHandle,
  start: number,
  segmentBytes: number,
  expectedBytes: number,
): AsyncGenerator<Batch, void, void> {
  const fittingSegments = Math.floor(Math.max(0, expectedBytes) / segmentBytes) + 1;
  const bufferBytes = Math.min(segmentsPerBatch(segmentBytes), fittingSegments) * segmentBytes;
  const buffers: Uint8Array[] = [];
  const read = (batch: number): Promise<Uint8Array> => {
    const slot = batch % 3;
    buffers[slot] ??= Buffer.allocUnsafeSlow(bufferBytes);
    const reading = readFully(handle, buffers[slot], start + batch * bufferBytes);
    reading.catch(() => {}); // awaited later, or not at all after another failure
    return reading;
  };
  const pending: Promise<Uint8Array>[] = [read(0)];
  try {
    for (let batch = 0; ; batch++) {
      const current = await (pending.shift() as Promise<Uint8Array>);
      if (current.length < bufferBytes) {
        yield { segments: cut(current, segmentBytes), last: true };
        return;
      }
      if (pending.length === 0) pending.push(read(batch + 1));
      const next = await (pending[0] as Promise<Uint8Array>);
      // A short read was the end of the file: no further read is needed to know it.
      if (next.length === bufferBytes) pending.push(read(batch + 2));
      const last = next.length === 0;
      yield { segments: cut(current, segmentBytes), last };
      if (last) return;
    }
  } finally {
    await Promise.allSettled(pending);
    for (const buffer of buffers) buffer?.fill(0);
  }
}

function cut(bytes: Uint8Array, segmentBytes: number): Uint8Array[][] {
  if (bytes.length === 0) return [[]];
  const segments: Uint8Array[][] = [];
  for (let at = 0; at < bytes.length; at += segmentBytes)
    segments.push([bytes.subarray(at, at + segmentBytes)]);
  return segments;
}

/** Chunks of a source that is no regular file. */
export interface Chunks {
  next(): Promise<IteratorResult<unknown>>;
  /** Whether the memory of a chunk may be used again when the next one is asked for. */
  readonly reused: boolean;
}

/** Batches of whatever comes in chunks, after what is in the queue already. */
export async function* streamBatches(
  chunks: Chunks,
  queue: ByteQueue,
  segmentBytes: number,
  toBytes: (chunk: unknown) => Uint8Array,
): AsyncGenerator<Batch, void, void> {
  const perBatch = segmentsPerBatch(segmentBytes);
  const batchBytes = perBatch * segmentBytes;
  for (let item = await chunks.next(); item.done !== true; item = await chunks.next()) {
    queue.push(toBytes(item.value));
    while (queue.length > batchBytes)
      yield { segments: takeSegments(queue, segmentBytes, perBatch), last: false };
    if (chunks.reused) queue.own();
  }
  const whole = Math.floor(queue.length / segmentBytes);
  const segments = takeSegments(queue, segmentBytes, whole);
  if (queue.length > 0 || whole === 0) segments.push(queue.take(queue.length));
  yield { segments, last: true };
}

function takeSegments(queue: ByteQueue, segmentBytes: number, count: number): Uint8Array[][] {
  const segments: Uint8Array[][] = [];
  for (let i = 0; i < count; i++) segments.push(queue.take(segmentBytes));
  return segments;
}
