/** Looking for files that only the keyring of a volume opens. */

import { constants } from 'node:fs';
import { join } from 'node:path';

import { VolsealError } from '../../errors.ts';
import type { System } from '../../os/system.ts';
import { findRegion } from '../header/find-region.ts';
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
    const { header } = await findRegion(system, descriptor, undefined);
    return header.slots.some(({ wrapped }) => wrapped.type === volumeKeyType);
  } catch (error) {
    if (error instanceof VolsealError) return false; // plaintext, or too damaged to belong anywhere
    throw error;
  } finally {
    await system.close(descriptor).catch(() => {});
  }
}
