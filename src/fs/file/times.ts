/** Times of a file whose changes reach the disk later than they are made. */

import type { BigIntStats } from 'node:fs';

/** Times that somebody set after the last write. */
export interface WantedTimes {
  readonly atimeSeconds: number;
  readonly mtimeSeconds: number;
  /** `Body.placements` when they were set last. */
  readonly placements: number;
}

/** The time of a write that is still in memory, in what `fstat` said. */
export function keepWriteTime(stats: BigIntStats, writtenMs: number): void {
  const writtenBigMs = BigInt(writtenMs);
  if (writtenBigMs <= stats.mtimeMs) return;
  stats.mtimeMs = writtenBigMs;
  stats.mtimeNs = writtenBigMs * 1_000_000n;
  stats.mtime = new Date(writtenMs);
}
