/** The bulk engine: batches in, converted parts out, reads and writes under way while the processor works. */

import { throwIfAborted } from '../options.ts';
import type { Batch } from './batches.ts';
import type { Sink } from './sink.ts';

/** More would only take memory: the disk has one batch to write while the next is being made. */
const writesUnderWay = 2;

/**
 * @param convert makes the parts of one segment; called in order of position
 * @param onBatch told after each batch was handed to the sink
 */
export async function pump(
  batches: AsyncIterable<Batch>,
  convert: (segment: readonly Uint8Array[], position: number, final: boolean) => Uint8Array[],
  sink: Sink,
  signal: AbortSignal | undefined,
  onBatch: () => void,
): Promise<void> {
  const writes: Promise<void>[] = [];
  let position = 0;
  try {
    for await (const { segments, last } of batches) {
      throwIfAborted(signal);
      const parts: Uint8Array[] = [];
      segments.forEach((segment, i) => {
        parts.push(...convert(segment, position++, last && i === segments.length - 1));
      });
      if (writes.length >= writesUnderWay) await writes.shift();
      const write = sink.write(parts);
      write.catch(() => {}); // awaited below
      writes.push(write);
      onBatch();
    }
    await Promise.all(writes);
    throwIfAborted(signal);
  } finally {
    // Whoever closes or removes the destination next must not meet a write that is still under way.
    await Promise.allSettled(writes);
  }
}
