/** Replays a log of fsx, the file-system exerciser, on a handle and on a plain file side by side. */

import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'vitest';

import type { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import { plainOf } from '../../sealed/plain.ts';
import { SealedFiles, type SealedFilesOptions } from './sealed-files.ts';

/** What is written comes from here: other bytes for each write. */
const pool = plainOf(2 ** 21);

interface Line {
  readonly text: string;
  readonly kind: 'read' | 'write' | 'truncate';
  readonly offset: number;
  readonly length: number;
  readonly sizeBefore: number;
  readonly reopen: boolean;
}

function linesOf(path: string): Line[] {
  return readFileSync(path, 'utf8')
    .trim()
    .split('\n')
    .map((text) => {
      const [kind, offset, length, sizeBefore, more] = text.split(' ');
      if (kind !== 'read' && kind !== 'write' && kind !== 'truncate') throw new Error(`what is ${text}?`);
      const [at, bytes, size] = [Number(offset), Number(length), Number(sizeBefore)];
      return { text, kind, offset: at, length: bytes, sizeBefore: size, reopen: more === 'close_open' };
    });
}

/** One log on both files. */
class Replay {
  readonly #files: SealedFiles;
  readonly #plainPath: string;
  #plain: FileHandle | undefined;
  #sealed: VolumeFileHandle | undefined;

  constructor(files: SealedFiles, plainPath: string) {
    this.#files = files;
    this.#plainPath = plainPath;
  }

  async open(): Promise<void> {
    this.#plain = await open(this.#plainPath, 'r+');
    this.#sealed = await this.#files.open('file', 'r+');
  }

  async close(): Promise<void> {
    await this.#plain?.close();
    await this.#sealed?.close();
  }

  async step({ kind, length, offset, sizeBefore, text }: Line): Promise<void> {
    const [plain, sealed] = [this.#plain as FileHandle, this.#sealed as VolumeFileHandle];
    if ((await sealed.stat()).size !== sizeBefore) expect.unreachable(`the size before ${text}`);
    if (kind === 'write') {
      const from = (offset * 31 + sizeBefore * 17) % (pool.length - length);
      const data = pool.subarray(from, from + length);
      await plain.write(data, 0, length, offset);
      const { bytesWritten } = await sealed.write(data, 0, length, offset);
      if (bytesWritten !== length) expect.unreachable(`${bytesWritten} bytes of ${text}`);
    } else if (kind === 'truncate') {
      await plain.truncate(length);
      await sealed.truncate(length);
    } else {
      const [wanted, got] = [Buffer.alloc(length), Buffer.alloc(length)];
      const { bytesRead } = await plain.read(wanted, 0, length, offset);
      const { bytesRead: ours } = await sealed.read(got, 0, length, offset);
      if (ours !== bytesRead || !got.equals(wanted)) expect.unreachable(`the bytes of ${text}`);
    }
    if ((await sealed.stat()).size !== (await plain.stat()).size)
      expect.unreachable(`the size after ${text}`);
  }
}

export interface Subject extends SealedFilesOptions {
  readonly reopening: 'as logged' | 'never';
}

/**
 * Fails at the first difference.
 * @param root a directory that does not exist yet
 * @returns how many lines were replayed
 */
export async function replayLog(
  logPath: string,
  root: string,
  { reopening, ...options }: Subject,
): Promise<number> {
  const files = await SealedFiles.in(root, options);
  const plainPath = join(root, '.plain');
  writeFileSync(plainPath, '');
  await files.write('file', '');
  const replay = new Replay(files, plainPath);
  await replay.open();
  const lines = linesOf(logPath);
  for (const line of lines) {
    await replay.step(line);
    if (!line.reopen || reopening === 'never') continue;
    await replay.close();
    await replay.open();
  }
  await replay.close();
  expect((await files.read('file')).equals(readFileSync(plainPath))).toBe(true);
  expect(files.remains()).toEqual([]);
  await files.close();
  rmSync(root, { recursive: true });
  return lines.length;
}
