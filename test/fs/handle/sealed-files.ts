/** The open files of a volume without the volume: a keyring, locks and a journal in a directory of their own. */

import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Suite } from '../../../src/aead/suite.ts';
import { testKeys } from '../../../src/testing.ts';
import type { FileEnvironment } from '../../../src/fs/file/environment.ts';
import { SegmentCache } from '../../../src/fs/file/segment-cache.ts';
import { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { parseMode, parseOpenFlags } from '../../../src/fs/handle/flags.ts';
import { OpenFiles } from '../../../src/fs/handle/open-files.ts';
import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';

export interface SealedFilesOptions {
  suite?: Suite;
  segmentBytes?: number;
  durability?: 'sync' | 'none';
  cacheBytes?: number;
  maxGapBytes?: number;
  system?: System;
}

const keys = testKeys();

export class SealedFiles {
  readonly root: string;
  readonly env: FileEnvironment;
  readonly files: OpenFiles;
  readonly keyring: Keyring;
  readonly locks: FileLocks;

  private constructor(root: string, keyring: Keyring, options: SealedFilesOptions) {
    const { cacheBytes = 2 ** 20, durability = 'sync', maxGapBytes = 2 ** 30, system = nodeSystem } = options;
    const metadata = join(root, '.volseal');
    this.root = root;
    this.keyring = keyring;
    this.locks = new FileLocks(system, join(metadata, 'locks'));
    this.env = {
      system,
      keyring,
      locks: this.locks,
      journalDirectory: join(metadata, 'journal'),
      durability,
      cache: new SegmentCache(cacheBytes),
      maxGapBytes,
    };
    this.files = new OpenFiles(this.env);
  }

  /** Makes the keyring when there is none in the directory. Several of them are like several processes. */
  static async in(root: string, options: SealedFilesOptions = {}): Promise<SealedFiles> {
    mkdirSync(root, { recursive: true });
    const { segmentBytes, suite, system = nodeSystem } = options;
    const metadata = join(root, '.volseal');
    const policy = {
      ...(suite === undefined ? {} : { suite }),
      ...(segmentBytes === undefined ? {} : { segmentBytes }),
    };
    const keyring = existsSync(join(metadata, 'keyring.json'))
      ? await Keyring.open(system, metadata, { providers: [keys] })
      : (await Keyring.create(system, metadata, { providers: [keys], recovery: false, policy })).keyring;
    return new SealedFiles(root, keyring, options);
  }

  at(name: string): string {
    return join(this.root, name);
  }

  async open(name: string, flags?: string | number, mode?: string | number): Promise<VolumeFileHandle> {
    const parsed = parseOpenFlags(flags);
    const request = { flags: parsed, mode: parseMode(mode, 0o666), path: name };
    return new VolumeFileHandle(await this.files.open(this.at(name), request), parsed);
  }

  async write(name: string, content: string | Uint8Array): Promise<void> {
    await using handle = await this.open(name, 'w');
    await handle.writeFile(content);
  }

  async read(name: string): Promise<Buffer> {
    await using handle = await this.open(name);
    return await handle.readFile();
  }

  /** Locks that are held and journals that are there. */
  remains(): string[] {
    return ['locks', 'journal'].flatMap((folder) => {
      const path = join(this.root, '.volseal', folder);
      return existsSync(path) ? readdirSync(path).filter((name) => /^[0-9a-f]{32}/.test(name)) : [];
    });
  }

  async close(): Promise<void> {
    try {
      await this.files.closeAll();
    } finally {
      await this.locks.close();
      this.env.cache.wipe();
      this.keyring.close();
    }
  }
}
