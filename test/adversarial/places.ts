/** Files for those functions that take a path. All lie in one directory, which goes when the test file has run. */

import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll } from 'vitest';

let directory: string | undefined;
let serial = 0;

afterAll(() => {
  if (directory !== undefined) rmSync(directory, { recursive: true });
  directory = undefined;
});

function nextPath(): string {
  directory ??= mkdtempSync(join(tmpdir(), 'volseal-adversarial-'));
  return join(directory, String(serial++));
}

/** Runs a function on a file with these bytes. */
export async function onFile<T>(bytes: Uint8Array, run: (path: string) => Promise<T>): Promise<T> {
  const path = nextPath();
  writeFileSync(path, bytes);
  try {
    return await run(path);
  } finally {
    unlinkSync(path);
  }
}

export interface Destination {
  readonly path: string;
  /** The names of files that lie around it, itself included if it has another content than before. */
  left(): string[];
}

/**
 * Runs a function on a destination in a folder of its own.
 * @param before what the destination holds already
 */
export async function onDestination<T>(
  before: string | undefined,
  run: (destination: Destination) => Promise<T>,
): Promise<T> {
  const folder = nextPath();
  const path = join(folder, 'plain');
  mkdirSync(folder);
  if (before !== undefined) writeFileSync(path, before);
  const isUntouched = (name: string): boolean =>
    name === 'plain' && before !== undefined && readFileSync(path, 'utf8') === before;
  try {
    return await run({ path, left: () => readdirSync(folder).filter((name) => !isUntouched(name)) });
  } finally {
    rmSync(folder, { recursive: true });
  }
}
