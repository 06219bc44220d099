/**
 * How far a rewrap of the whole volume is: `.volseal/rewrap.json`. It only saves work. A run that has none, or whose mark is not
 * there any more, looks at every file again, and finds those that were done before under the primary key already.
 */

import { join } from 'node:path';

import { hasErrno } from '../errno.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import { metadataName } from '../fs/volume/path-rules.ts';
import { readNoFollow } from '../fs/volume/paths.ts';
import { readUpTo } from '../os/descriptor-bytes.ts';
import { replaceFile } from '../os/replacing-file.ts';

export interface Checkpoint {
  /** Of the volume key that headers are moved to. */
  readonly keyId: string;
  /** That nothing was moved since the run began. */
  readonly mark: string;
  /** Everything up to here is done. */
  readonly path: string;
  readonly files: number;
  readonly rewrapped: number;
}

const fileName = 'rewrap.json';
const version = 1;
const maxBytes = 65_536;

const pathOf = ({ paths }: Mounted): string => join(paths.root, metadataName, fileName);

/** Undefined where there is none that can be used. */
export async function readCheckpoint(mounted: Mounted): Promise<Checkpoint | undefined> {
  const { system } = mounted;
  let fd: number;
  try {
    fd = await system.open(pathOf(mounted), readNoFollow);
  } catch (error) {
    if (hasErrno(error, 'ENOENT', 'ELOOP')) return undefined;
    throw error;
  }
  try {
    return parse(await readUpTo(system, fd, new Uint8Array(maxBytes), 0));
  } finally {
    await system.close(fd).catch(() => {});
  }
}

function parse(bytes: Uint8Array): Checkpoint | undefined {
  let value: Readonly<Record<string, unknown>>;
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8')) as typeof value;
  } catch {
    return undefined; // a crash, or somebody else
  }
  if (value === null || typeof value !== 'object' || value['volsealRewrap'] !== version) return undefined;
  const { files, keyId, mark, path, rewrapped } = value;
  const isText = [keyId, mark, path].every((text) => typeof text === 'string' && text !== '');
  const isCount = [files, rewrapped].every((count) => Number.isSafeInteger(count) && (count as number) >= 0);
  return isText && isCount ? ({ keyId, mark, path, files, rewrapped } as Checkpoint) : undefined;
}

export async function writeCheckpoint(mounted: Mounted, checkpoint: Checkpoint): Promise<void> {
  const { environment, system } = mounted;
  const text = `${JSON.stringify({ volsealRewrap: version, ...checkpoint })}\n`;
  const { owner } = environment;
  await replaceFile(system, pathOf(mounted), [Buffer.from(text)], {
    mode: 0o600,
    durable: environment.durability === 'sync',
    ...(owner === undefined ? {} : { owner }),
  });
}

export async function removeCheckpoint(mounted: Mounted): Promise<void> {
  await mounted.system.unlink(pathOf(mounted)).catch((error: unknown) => {
    if (!hasErrno(error, 'ENOENT')) throw error;
  });
}

/** Up to where everything is done, of entries that are begun in their order and end in any. */
export class DoneUpTo {
  /** Of the last entry with nothing open before it. */
  path: string | undefined;
  files = 0;
  readonly #open = new Map<number, string | undefined>();
  #next = 0;

  /** @param path undefined for an entry that has to be looked at again */
  done(number: number, path: string): void {
    this.#open.set(number, path);
    for (;;) {
      const first = this.#open.get(this.#next);
      if (first === undefined) return;
      this.#open.delete(this.#next++);
      this.path = first;
      this.files++;
    }
  }
}
