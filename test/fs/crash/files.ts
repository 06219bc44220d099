/** One file of a volume on a simulated disk, changed step by step, and what it must hold after a crash. */

import { constants } from 'node:fs';

import { expect } from 'vitest';

import type { FileEnvironment } from '../../../src/fs/file/environment.ts';
import { OpenFile } from '../../../src/fs/file/open-file.ts';
import { SegmentCache } from '../../../src/fs/file/segment-cache.ts';
import { makeEmptyFile } from '../../../src/fs/handle/new-file.ts';
import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import type { System } from '../../../src/os/system.ts';
import { testKeys } from '../../../src/testing.ts';
import { SimulatedSystem } from '../../simulator/simulated-system.ts';

export const path = '/data/f';
export const journalDirectory = '/data/.volseal/journal';
/** The smallest there are: a few kilobytes are several of them. */
export const segmentBytes = 4_096;
/** Plaintext bytes of such a segment. */
export const plainSegmentBytes: number = segmentBytes - 44;

/** On a disk of its own: the crashes of these tests are those of files. */
export async function makeKeyring(): Promise<Keyring> {
  const { keyring } = await Keyring.create(new SimulatedSystem(), '/.volseal', {
    providers: [testKeys()],
    recovery: false,
    policy: { segmentBytes },
  });
  return keyring;
}

export function environmentOn(system: System, keyring: Keyring): FileEnvironment {
  return {
    system,
    keyring,
    locks: new FileLocks(system, '/data/.volseal/locks'),
    journalDirectory,
    durability: 'sync',
    cache: new SegmentCache(2 ** 20),
    maxGapBytes: 2 ** 20,
  };
}

/** An empty volume but for one empty file. */
export async function makeDisk(system: System, keyring: Keyring): Promise<void> {
  for (const directory of ['/data', '/data/.volseal', journalDirectory]) await system.mkdir(directory);
  await system.close(await makeEmptyFile(environmentOn(system, keyring), path, { mode: 0o600 }));
}

export async function openFile(env: FileEnvironment, write: boolean): Promise<OpenFile> {
  const fd = await env.system.open(path, write ? constants.O_RDWR : constants.O_RDONLY);
  return OpenFile.open(env, fd, { path, write });
}

/** Everything, in pieces that do not fall on segments. */
async function contentOf(file: OpenFile): Promise<Buffer> {
  const content = Buffer.alloc(file.plainBytes);
  for (let at = 0; at < content.length; ) {
    const count = await file.read(content, at, Math.min(3_000, content.length - at), at);
    if (count === 0) throw new Error(`it ends at ${at} of ${content.length}`);
    at += count;
  }
  return content;
}

export type Step =
  | { readonly do: 'write'; readonly at: number; readonly bytes: number }
  | { readonly do: 'append'; readonly bytes: number }
  | { readonly do: 'truncate'; readonly to: number }
  | { readonly do: 'sync' | 'checkpoint' | 'reopen' };

/** A file and a buffer to which the same things are done. */
export class SteppedFile {
  readonly #env: FileEnvironment;
  #file: OpenFile;
  #content: Buffer = Buffer.alloc(0);
  /** The contents after each step, the first one before all of them. */
  readonly #contents: Buffer[] = [Buffer.alloc(0)];
  /** How many steps had been taken when something was to be made durable. */
  readonly #syncs: number[] = [];

  private constructor(env: FileEnvironment, file: OpenFile) {
    this.#env = env;
    this.#file = file;
  }

  static async open(env: FileEnvironment): Promise<SteppedFile> {
    return new SteppedFile(env, await openFile(env, true));
  }

  /**
   * `durable` is called with the number of a sync when it is done. The next step may be taken before this one is done. After
   * a failure it may have been taken or not, and may be taken again.
   */
  async take(step: Step, durable: (sync: number) => void): Promise<void> {
    const before = this.#content;
    const taken = this.#take(step, durable);
    this.#contents.push(Buffer.from(this.#content));
    try {
      await taken;
    } catch (error) {
      this.#content = before;
      this.#contents.push(Buffer.from(before));
      throw error;
    }
  }

  /** The content of the model changes before this gives up control. */
  async #take(step: Step, durable: (sync: number) => void): Promise<void> {
    const fill = 1 + (this.#contents.length % 250);
    switch (step.do) {
      case 'write': {
        const data = Buffer.alloc(step.bytes, fill);
        if (data.length > 0) this.#put(data, step.at);
        expect(await this.#file.write(data, 0, data.length, step.at)).toBe(data.length);
        break;
      }
      case 'append': {
        const data = Buffer.alloc(step.bytes, fill);
        this.#put(data, this.#content.length);
        expect(await this.#file.append(data, 0, data.length)).toBe(data.length);
        break;
      }
      case 'truncate': {
        const cut = Buffer.alloc(step.to);
        this.#content.copy(cut);
        this.#content = cut;
        await this.#file.truncate(step.to);
        break;
      }
      case 'sync':
      case 'checkpoint':
      case 'reopen': {
        const sync = this.#syncs.push(this.#contents.length - 1) - 1;
        if (step.do === 'sync') await this.#file.sync();
        else if (step.do === 'checkpoint') await this.#file.checkpoint();
        else {
          await this.#file.close();
          this.#file = await openFile(this.#env, true);
        }
        durable(sync);
      }
    }
  }

  /** What there is now, synced or not. */
  get content(): Buffer {
    return this.#content;
  }

  get file(): OpenFile {
    return this.#file;
  }

  get lastSync(): number {
    return this.#syncs.length - 1;
  }

  /**
   * After a crash: what was durable last, or anything up to what was to be made durable next. In between the file may become
   * durable by itself, after any step.
   */
  checkContent(lastSync: number, content: Buffer): void {
    const from = this.#syncs[lastSync] as number;
    const to = this.#syncs[lastSync + 1] ?? this.#contents.length - 1;
    for (let at = from; at <= to; at++) if (this.#contents[at]?.equals(content) === true) return;
    const other = this.#contents.findIndex((version) => version.equals(content));
    const found =
      other === -1 ? `${content.length} bytes that it never held` : `what it held after step ${other}`;
    throw new Error(`the file holds ${found}; it must hold what it held after steps ${from} to ${to}`);
  }

  #put(data: Buffer, at: number): void {
    const larger = Buffer.alloc(Math.max(this.#content.length, at + data.length));
    this.#content.copy(larger);
    data.copy(larger, at);
    this.#content = larger;
  }
}

/** After a crash: what is there is read, put in place, and read again, and it is always the same. */
export async function checkFile(
  system: SimulatedSystem,
  keyring: Keyring,
  file: SteppedFile,
  lastSync: number,
): Promise<void> {
  const env = environmentOn(system, keyring);
  const read = async (write: boolean): Promise<Buffer> => {
    const opened = await openFile(env, write);
    try {
      return await contentOf(opened);
    } finally {
      await opened.close();
    }
  };
  const overlaid = await read(false);
  file.checkContent(lastSync, overlaid);
  const changesBefore = system.contentChanges;
  const recovered = await read(true);
  if (!recovered.equals(overlaid)) throw new Error('recovery changed the content');
  // The lock is written in any case.
  if (system.contentChanges > changesBefore + 1 && !(await read(false)).equals(recovered)) {
    throw new Error('the content changed after recovery');
  }
  const left = await system.readdir(journalDirectory);
  if (left.length > 0) throw new Error('a journal stayed behind');
}
