/** Looking for files that only the keyring of a volume opens. */

import { constants } from 'node:fs';
import { join } from 'node:path';

import { findHeader } from '../../envelope/region.ts';
import { magic } from '../../envelope/v1/constants.ts';
import { bytesEqual } from '../../bytes.ts';
import { minProviderRegionBytes } from '../../limits.ts';
import type { System } from '../../os/system.ts';
import { readNoFollow } from './paths.ts';

/** What a slot that a volume key opens is called (docs/format/v1.md §4, type 1). */
const volumeKeyType = 'volume-key';
/** Files that are looked into at the same time. */
const width = 16;

/**
 * The first file below a directory that was sealed in a volume, as its path below that directory. Files sealed outside
 * any volume, which a Fly secret opens, do not count. What cannot be read is passed over.
 */
export async function findVolumeFile(system: System, directory: string): Promise<string | undefined> {
  const directories = [''];
  for (let below = directories.pop(); below !== undefined; below = directories.pop()) {
    const entries = await system.readdir(join(directory, below)).catch(() => []);
    const files: string[] = [];
    for (const { kind, name } of entries) {
      if (kind === 'directory') directories.push(join(below, name));
      else if (kind === 'file') files.push(join(below, name));
    }
    for (let at = 0; at < files.length; at += width) {
      const some = files.slice(at, at + width);
      const found = await Promise.all(some.map((path) => isVolumeFile(system, join(directory, path))));
      const first = found.indexOf(true);
      if (first !== -1) return some[first];
    }
  }
  return undefined;
}

async function isVolumeFile(system: System, path: string): Promise<boolean> {
  let descriptor: number;
  try {
    descriptor = await system.open(path, readNoFollow | (constants.O_NOATIME ?? 0));
  } catch {
    return false;
  }
  try {
    const start = Buffer.alloc(minProviderRegionBytes);
    const read = start.subarray(0, await system.read(descriptor, start, 0, start.length, 0));
    const looksSealed = bytesEqual(read.subarray(0, magic.length), magic);
    return looksSealed && findHeader(read).header.slots.some(({ wrapped }) => wrapped.type === volumeKeyType);
  } catch {
    return false;
  } finally {
    await system.close(descriptor).catch(() => {});
  }
}
