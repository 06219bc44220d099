/** What `stat` reports about a file of a volume: objects of `node:fs`, with the size of the plaintext. */

import { type BigIntStats, Stats } from 'node:fs';

export interface StatOptions {
  /** Numbers as bigint, times to the nanosecond. Default false. */
  bigint?: boolean | undefined;
}

const nsPerMs = 1_000_000n;
const nsPerSecond = 1_000_000_000n;

function msOf(ns: bigint): number {
  return Number(ns / nsPerSecond) * 1_000 + Number(ns % nsPerSecond) / Number(nsPerMs);
}

/** The same entry with another size. Where `size` is what the entry has already, it comes back as it is. */
export function withPlainSize(stats: BigIntStats, plainBytes: number): BigIntStats {
  if (stats.size !== BigInt(plainBytes)) stats.size = BigInt(plainBytes);
  return stats;
}

/** Newer Nodes make the dates when they are asked for. */
const datesAreOwn = !('mtime' in Stats.prototype);
/** The newest ones have exact times beside them, from a part of the numbers that is hidden. */
const instantNames = ['atimeInstant', 'mtimeInstant', 'ctimeInstant', 'birthtimeInstant'].filter(
  (name) => name in Stats.prototype,
);

/** The same as a `Stats` of numbers, put together: its constructor is deprecated. */
export function numberStats(stats: BigIntStats): Stats {
  const times = {
    atimeMs: msOf(stats.atimeNs),
    mtimeMs: msOf(stats.mtimeNs),
    ctimeMs: msOf(stats.ctimeNs),
    birthtimeMs: msOf(stats.birthtimeNs),
  };
  const made = Object.create(Stats.prototype) as Stats;
  Object.assign(made, {
    dev: Number(stats.dev),
    mode: Number(stats.mode),
    nlink: Number(stats.nlink),
    uid: Number(stats.uid),
    gid: Number(stats.gid),
    rdev: Number(stats.rdev),
    blksize: Number(stats.blksize),
    ino: Number(stats.ino),
    size: Number(stats.size),
    blocks: Number(stats.blocks),
    ...times,
  });
  if (datesAreOwn) {
    made.atime = new Date(Math.round(times.atimeMs));
    made.mtime = new Date(Math.round(times.mtimeMs));
    made.ctime = new Date(Math.round(times.ctimeMs));
    made.birthtime = new Date(Math.round(times.birthtimeMs));
  }
  for (const name of instantNames) {
    const get = (): unknown => Reflect.get(stats, name);
    Object.defineProperty(made, name, { configurable: true, get });
  }
  return made;
}

/** The form that the options ask for. */
export function statsAs(stats: BigIntStats, options: StatOptions | undefined): Stats | BigIntStats {
  return options?.bigint === true ? stats : numberStats(stats);
}
