/** What a volume holds, counted by a look at every header. Nothing is decrypted. */

import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

import { hasErrno } from '../../errno.ts';
import { VolsealError } from '../../errors.ts';
import type { FileLocks } from '../../fs/locks/file-locks.ts';
import type { Volume } from '../../fs/volume/volume.ts';
import { volumePrefixBytes } from '../../keyring/content.ts';
import { parseKeyId } from '../../key-id.ts';
import { isStaleTemporary } from '../../os/temporary-name.ts';
import { throwIfAborted } from '../../options.ts';
import { fileSystem, isTemporary, type Tree, type TreeEntry, walkTree } from '../walk.ts';
import { headerOf } from './header-of.ts';

export interface Amount {
  files: number;
  /** As they lie on the disk. */
  storedBytes: number;
}

export interface Census {
  /** Files of this volume. */
  sealed: Amount & { plainBytes: number };
  /** Sealed, but by themselves: `volseal encrypt`. */
  alone: Amount;
  /** Sealed in another volume. */
  foreign: Amount;
  /** Not sealed at all. */
  plaintext: Amount;
  /** Begin like sealed files, but their header is damaged or of a later version. */
  unreadable: Amount;
  folders: number;
  /** Symbolic links, sockets, pipes, devices. */
  others: number;
  /** Files by the version of the volume key that wraps their data key, and how many name one that the keyring does not know. */
  byKeyVersion: Map<number, number>;
  unknownKeys: number;
  /** Unfinished files: of processes that are gone, and of those that write them now. */
  temporaries: { stale: number; live: number };
  /** Journals: synced changes that are not in their files yet. `pending` waits for the next opening, `live` is in use. */
  journals: { pending: number; live: number };
}

export interface CensusOptions {
  readonly signal: AbortSignal;
  /** How many headers are read at a time. */
  readonly jobs: number;
  onProgress(files: number, bytes: number): void;
  onFailure(path: string, error: unknown): void;
}

/** Names as on the disk: what the volume hides is looked at too. */
const wholeVolume: Tree = {
  ...fileSystem,
  skips(name, relative) {
    if (relative === 'lost+found' || relative === '.volseal') return 'not data of the application';
    return isTemporary(name) ? 'temporary file of volseal' : undefined;
  },
};

export async function takeCensus(volume: Volume, locks: FileLocks, options: CensusOptions): Promise<Census> {
  const census = new Counting(volume, options);
  const journals = await names(join(volume.root, '.volseal', 'journal'));
  census.journalled = new Set(journals);
  for (const fileId of journals) {
    const isLive = (await locks.holder(`${fileId}.write`)) !== undefined;
    census.result.journals[isLive ? 'live' : 'pending']++;
  }
  const enter = async (): Promise<boolean> => {
    census.result.folders++;
    return true;
  };
  const entries = walkTree(volume.root, enter, wholeVolume);
  await Promise.all(Array.from({ length: options.jobs }, () => census.work(entries)));
  return census.result;
}

async function names(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^[0-9a-f]{32}$/.test(name));
  } catch (error) {
    if (hasErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

class Counting {
  readonly result: Census = {
    sealed: { files: 0, plainBytes: 0, storedBytes: 0 },
    alone: { files: 0, storedBytes: 0 },
    foreign: { files: 0, storedBytes: 0 },
    plaintext: { files: 0, storedBytes: 0 },
    unreadable: { files: 0, storedBytes: 0 },
    folders: 0,
    others: 0,
    byKeyVersion: new Map(),
    unknownKeys: 0,
    temporaries: { stale: 0, live: 0 },
    journals: { pending: 0, live: 0 },
  };
  /** Ids of the files whose header may not have their newest size. */
  journalled: ReadonlySet<string> = new Set();
  readonly #volume: Volume;
  readonly #options: CensusOptions;
  readonly #prefix: Buffer;
  readonly #versions: ReadonlySet<string>;
  #files = 0;
  #bytes = 0;

  constructor(volume: Volume, options: CensusOptions) {
    this.#volume = volume;
    this.#options = options;
    const { volumeId, volumeKeys } = volume.keyring;
    this.#prefix = Buffer.from(volumeId, 'hex').subarray(0, volumePrefixBytes);
    this.#versions = new Set(volumeKeys.map(({ keyId, version }) => `${keyId}:${version}`));
  }

  /** One of several workers that share the entries. */
  async work(entries: AsyncGenerator<TreeEntry, void, void>): Promise<void> {
    for (;;) {
      throwIfAborted(this.#options.signal);
      const next = await entries.next();
      if (next.done === true) return;
      const entry = next.value;
      if (entry.kind === 'failed') this.#options.onFailure(entry.path, entry.error);
      else if (entry.kind === 'skipped') this.#skipped(entry);
      else await this.#file(entry);
    }
  }

  #skipped({ path, reason }: TreeEntry & { kind: 'skipped' }): void {
    if (reason === 'not data of the application') return;
    if (reason !== 'temporary file of volseal') {
      this.result.others++;
      return;
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    // Those of `encrypt` and `decrypt` do not say whose they are.
    this.result.temporaries[isStaleTemporary(name) ? 'stale' : 'live']++;
  }

  async #file({ path, relative, stats }: TreeEntry & { kind: 'file' }): Promise<void> {
    try {
      await this.#look(path, relative, stats.size);
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code === 'ERR_VOLSEAL_NOT_FOUND') return;
      if (error.code === 'ERR_VOLSEAL_NOT_SEALED') {
        count(this.result.plaintext, stats.size);
      } else {
        count(this.result.unreadable, stats.size);
        this.#options.onFailure(path, error);
      }
    }
    this.#bytes += stats.size;
    this.#options.onProgress(++this.#files, this.#bytes);
  }

  async #look(path: string, relative: string, storedBytes: number): Promise<void> {
    const { fileId, plainBytes, slots } = await headerOf(path);
    const slot = slots.find(({ type }) => type === 'volume-key');
    if (slot === undefined) {
      count(this.result.alone, storedBytes);
      return;
    }
    const ids = parseKeyId(slot.keyId);
    if (ids === undefined || !this.#prefix.equals(ids.subarray(0, volumePrefixBytes))) {
      count(this.result.foreign, storedBytes);
      return;
    }
    // What a journal holds is not in the header yet.
    const isPending = plainBytes === undefined || this.journalled.has(fileId);
    // Before it is added, not while: other workers add theirs meanwhile.
    const bytes = isPending ? (await this.#volume.stat(`/${relative}`)).size : plainBytes;
    this.result.sealed.plainBytes += bytes;
    count(this.result.sealed, storedBytes);
    const version = slot.keyVersion ?? 0;
    if (!this.#versions.has(`${slot.keyId}:${version}`)) this.result.unknownKeys++;
    else this.result.byKeyVersion.set(version, (this.result.byKeyVersion.get(version) ?? 0) + 1);
  }
}

function count(amount: Amount, storedBytes: number): void {
  amount.files++;
  amount.storedBytes += storedBytes;
}
