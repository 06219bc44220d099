/** A keyring, locks and a journal directory over any system, and files in it opened without handles. */

import { constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'vitest';

import type { Suite } from '../../../src/aead/suite.ts';
import { hex } from '../../../src/bytes.ts';
import { emptyState } from '../../../src/envelope/v1/copy.ts';
import { bodyBytes, segmentCount } from '../../../src/floe/layout.ts';
import type { FileEnvironment } from '../../../src/fs/file/environment.ts';
import { OpenFile } from '../../../src/fs/file/open-file.ts';
import { SegmentCache } from '../../../src/fs/file/segment-cache.ts';
import { FileHeader } from '../../../src/fs/header/file-header.ts';
import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { Keyring } from '../../../src/keyring/keyring.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import type { System } from '../../../src/os/system.ts';
import { testKeys } from '../../../src/testing.ts';

const providers = [testKeys()];

export interface SealedVolumeOptions {
  durability?: 'sync' | 'none';
  cacheBytes?: number;
  maxGapBytes?: number;
}

export interface NewFileOptions {
  kind?: 'mutable' | 'write-once';
  suite?: Suite;
  segmentBytes?: number;
  /** Ends with a segment without plaintext behind whole ones, as other writers may leave it. */
  emptyTail?: boolean;
}

/** Several objects over one directory are like several processes that share a keyring. */
export class SealedVolume {
  readonly root: string;
  readonly system: System;
  readonly env: FileEnvironment;

  constructor(root: string, keyring: Keyring, system: System, options: SealedVolumeOptions = {}) {
    const { cacheBytes = 2 ** 20, durability = 'sync', maxGapBytes = 2 ** 30 } = options;
    this.root = root;
    this.system = system;
    this.env = {
      system,
      keyring,
      locks: new FileLocks(system, join(root, '.volseal', 'locks')),
      journalDirectory: join(root, '.volseal', 'journal'),
      durability,
      cache: new SegmentCache(cacheBytes),
      maxGapBytes,
    };
  }

  static async create(
    root: string,
    system: System = nodeSystem,
    options: SealedVolumeOptions = {},
  ): Promise<SealedVolume> {
    if (system === nodeSystem) mkdirSync(root, { recursive: true });
    else if (root !== '/') await system.mkdir(root);
    const { keyring } = await Keyring.create(system, join(root, '.volseal'), { providers, recovery: false });
    const volume = new SealedVolume(root, keyring, system, options);
    await system.mkdir(volume.env.journalDirectory);
    return volume;
  }

  static async open(
    root: string,
    system: System = nodeSystem,
    options: SealedVolumeOptions = {},
  ): Promise<SealedVolume> {
    const keyring = await Keyring.open(system, join(root, '.volseal'), { providers });
    return new SealedVolume(root, keyring, system, options);
  }

  /** The same volume as another process has it. */
  sibling(options: SealedVolumeOptions = {}, system: System = this.system): SealedVolume {
    return new SealedVolume(this.root, this.env.keyring, system, options);
  }

  at(name: string): string {
    return join(this.root, name);
  }

  /** Makes a file with this content, as a whole. */
  async make(
    name: string,
    content: Uint8Array = new Uint8Array(0),
    options: NewFileOptions = {},
  ): Promise<void> {
    const { emptyTail = false, kind = 'mutable', segmentBytes, suite } = options;
    const made = FileHeader.create(this.env.keyring, { kind, segmentBytes, suite });
    const { header, encryptor } = made;
    const { layout } = header;
    const count = segmentCount(layout, content.length) + (emptyTail ? 1 : 0);
    const sealedBytes = bodyBytes(layout, content.length) + (emptyTail ? layout.overheadBytes : 0);
    const parts: Uint8Array[] = [
      kind === 'mutable' ? header.regionWith({ ...emptyState, bodyBytes: sealedBytes }) : made.region,
    ];
    for (let index = 0; index < count; index++) {
      const from = index * layout.plainSegmentBytes;
      const piece = content.subarray(from, from + layout.plainSegmentBytes);
      const final = index === count - 1;
      parts.push(
        ...(encryptor === undefined
          ? header.segments.seal([piece], index, final)
          : encryptor.sealSegmentParts([piece], index, final)),
      );
    }
    await this.putRaw(name, Buffer.concat(parts));
    encryptor?.wipe();
    header.wipe();
  }

  async open(name: string, write = true): Promise<OpenFile> {
    const flags = write ? constants.O_RDWR : constants.O_RDONLY;
    const fd = await this.system.open(this.at(name), flags);
    return OpenFile.open(this.env, fd, { path: name, write });
  }

  /** The sealed bytes of a file, or of anything below the root. */
  async raw(name: string): Promise<Buffer> {
    const fd = await this.system.open(this.at(name), constants.O_RDONLY);
    try {
      const bytes = Buffer.alloc(Number((await this.system.fstat(fd)).size));
      for (let at = 0; at < bytes.length; ) {
        at += await this.system.read(fd, bytes, at, bytes.length - at, at);
      }
      return bytes;
    } finally {
      await this.system.close(fd);
    }
  }

  async putRaw(name: string, bytes: Uint8Array): Promise<void> {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_TRUNC;
    const fd = await this.system.open(this.at(name), flags, 0o644);
    try {
      for (let at = 0; at < bytes.length; ) {
        at += await this.system.writev(fd, [bytes.subarray(at)], at);
      }
    } finally {
      await this.system.close(fd);
    }
  }

  /** Names of the journals that are there. */
  async journals(): Promise<string[]> {
    const entries = await this.system.readdir(this.env.journalDirectory).catch(() => []);
    return entries.map(({ name }) => join('.volseal', 'journal', name));
  }

  /** Names of the locks that are held. */
  async locks(): Promise<string[]> {
    const entries = await this.system.readdir(join(this.root, '.volseal', 'locks')).catch(() => []);
    return entries.map(({ name }) => name).filter((name) => /^[0-9a-f]{32}\./.test(name));
  }

  async content(name: string): Promise<Buffer> {
    const file = await this.open(name, false);
    try {
      return await contentOf(file);
    } finally {
      await file.close();
    }
  }
}

export async function readAt(file: OpenFile, length: number, plainOffset: number): Promise<Buffer> {
  const target = Buffer.alloc(length, 0xee);
  const count = await file.read(target, 0, length, plainOffset);
  return target.subarray(0, count);
}

export async function contentOf(file: OpenFile): Promise<Buffer> {
  return readAt(file, file.plainBytes, 0);
}

/** Bytes that differ everywhere. */
export function pattern(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length);
  let state = seed * 2_654_435_761;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** `toEqual` of large buffers takes seconds; so it only has the last word. */
export function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  if (Buffer.compare(actual, expected) === 0) return;
  expect(actual.length).toBe(expected.length);
  const at = actual.findIndex((byte, i) => byte !== expected[i]);
  expect({ at, bytes: hex(actual.subarray(at, at + 32)) }).toEqual({
    at,
    bytes: hex(expected.subarray(at, at + 32)),
  });
}
