/**
 * The obvious twin of an open file: bytes in memory. It answers at once or later, whichever the test wants, so
 * that what handles make of either can be told from what the files themselves do.
 */

import { type BigIntStats, statSync } from 'node:fs';

import { parseOpenFlags } from '../../../src/fs/handle/flags.ts';
import { VolumeFileHandle } from '../../../src/fs/handle/file-handle.ts';
import type { HandleTarget, Lease } from '../../../src/fs/handle/handle-target.ts';

/** `later`: every read answers in another turn of the event loop, as one that has to go to the disk does. */
export type Answering = 'at once' | 'later';

const turn = async (): Promise<void> => {
  await new Promise((resolve) => {
    setImmediate(resolve);
  });
};

export class MemoryFile implements HandleTarget {
  content: Buffer = Buffer.alloc(0);
  readonly answering: Answering;
  /** Syncs and closes so far. */
  syncs = 0;
  closes = 0;
  /** What the next call fails with. */
  failure: Error | undefined;
  mode = 0o644;
  times: readonly [atimeSeconds: number, mtimeSeconds: number] = [0, 0];
  holders = 0;

  constructor(answering: Answering) {
    this.answering = answering;
  }

  get plainBytes(): number {
    return this.content.length;
  }

  #fail(): void {
    const { failure } = this;
    this.failure = undefined;
    if (failure !== undefined) throw failure;
  }

  read(
    target: Uint8Array,
    targetOffset: number,
    length: number,
    plainOffset: number,
  ): number | Promise<number> {
    const give = (): number => {
      this.#fail();
      const part = this.content.subarray(plainOffset, plainOffset + length);
      target.set(part, targetOffset);
      return part.length;
    };
    return this.answering === 'at once' ? give() : turn().then(give);
  }

  async write(
    source: Uint8Array,
    sourceOffset: number,
    length: number,
    plainOffset: number,
  ): Promise<number> {
    this.#fail();
    const bytes = Buffer.from(source.subarray(sourceOffset, sourceOffset + length));
    await turn();
    if (plainOffset > this.content.length) {
      this.content = Buffer.concat([this.content, Buffer.alloc(plainOffset - this.content.length)]);
    }
    const behind = this.content.subarray(plainOffset + length);
    this.content = Buffer.concat([this.content.subarray(0, plainOffset), bytes, behind]);
    return length;
  }

  async append(source: Uint8Array, sourceOffset: number, length: number): Promise<number> {
    this.#fail();
    this.content = Buffer.concat([this.content, source.subarray(sourceOffset, sourceOffset + length)]);
    return length;
  }

  async truncate(plainBytes: number): Promise<void> {
    this.#fail();
    const kept = this.content.subarray(0, plainBytes);
    this.content = Buffer.concat([kept, Buffer.alloc(plainBytes - kept.length)]);
  }

  async sync(): Promise<void> {
    this.#fail();
    this.syncs++;
  }

  async stat(): Promise<BigIntStats> {
    const stats = statSync('/', { bigint: true });
    return Object.assign(stats, { size: BigInt(this.content.length), mode: BigInt(0o100000 | this.mode) });
  }

  async utimes(atimeSeconds: number, mtimeSeconds: number): Promise<void> {
    this.times = [atimeSeconds, mtimeSeconds];
  }

  async chmod(mode: number): Promise<void> {
    this.mode = mode;
  }

  async chown(): Promise<void> {}

  async close(): Promise<void> {
    this.closes++;
    this.#fail();
  }

  lease(): Lease {
    this.holders++;
    return {
      file: this,
      context: { kind: 'twin' },
      release: async () => {
        this.holders--;
        if (this.holders === 0) await this.close();
      },
    };
  }
}

/** A handle on one such file. */
export function handleOn(file: MemoryFile, flags: string | number = 'r+'): VolumeFileHandle {
  return new VolumeFileHandle(file.lease(), parseOpenFlags(flags));
}
