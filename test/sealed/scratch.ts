/** A directory of its own for a test file, and what must be true of it and of the process after failures. */

import { existsSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';

export interface Scratch {
  readonly directory: string;
  /** A path in the directory. */
  at(name: string): string;
  /** A path in the directory that no other call has given. */
  fresh(): string;
  /** Temporary files of volseal that are there. */
  leftovers(): string[];
}

/** In memory where there is room: files that these tests write are synced, which on a busy disk takes most of their time. */
function roomyDirectory(): string {
  const memory = '/dev/shm';
  if (!existsSync(memory)) return tmpdir();
  const { bavail, bsize } = statfsSync(memory);
  return bavail * bsize > 2 ** 31 ? memory : tmpdir();
}

/** Removed when the tests of the calling file are over. */
export function scratch(): Scratch {
  const directory = mkdtempSync(join(roomyDirectory(), 'volseal-test-'));
  afterAll(() => rmSync(directory, { recursive: true, force: true }));
  let count = 0;
  return {
    directory,
    at: (name) => join(directory, name),
    fresh: () => join(directory, `fresh-${++count}`),
    leftovers: () =>
      (readdirSync(directory, { recursive: true }) as string[]).filter((name) => name.includes('.volseal-')),
  };
}

/**
 * What the open descriptors of this process lead to, those of the test runner included. Linux alone. Random bytes come
 * through one descriptor that stays open.
 */
export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd')
    .map((descriptor) => {
      try {
        return readlinkSync(`/proc/self/fd/${descriptor}`);
      } catch {
        return ''; // the one that readdir had open
      }
    })
    .filter((target) => target !== '' && target !== '/dev/urandom');
}
