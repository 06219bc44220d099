/** Reading and writing the segments of an open file in their places. Everything here is sealed. */

import type { SegmentLayout } from '../../floe/layout.ts';
import { uninitialised } from '../../memory.ts';
import type { System } from '../../os/system.ts';
import { readUpTo, writeAll } from '../../os/descriptor-bytes.ts';
import type { SealedSegment } from '../journal/format.ts';
import { syncData } from '../journal/sync-failure.ts';

/** One system call reads or writes about so much at most. */
export const runBytes = 1_048_576;
/** Runs that are written at a time: the thread pool of Node has four threads. */
const writesAtATime = 6;

/** Buffers for sealed bytes, kept for the next read: their contents are no secret. */
const keptBuffers: Uint8Array[] = [];
const mostKeptBuffers = 4;

function takeBuffer(bytes: number): Uint8Array {
  const kept = keptBuffers.pop();
  return kept !== undefined && kept.length >= bytes ? kept : uninitialised(bytes);
}

function giveBuffer(buffer: Uint8Array): void {
  if (keptBuffers.length < mostKeptBuffers && buffer.length <= runBytes) keptBuffers.push(buffer);
}

function exactly(buffer: Uint8Array, bytes: number): Uint8Array {
  return buffer.length === bytes ? buffer : buffer.subarray(0, bytes);
}

/** Neighbouring segments. */
interface Run {
  readonly fileOffset: number;
  readonly parts: Uint8Array[];
}

/** Shorter runs are written in one part. */
const joinedBytes = 65_536;

function bytesOf(parts: readonly Uint8Array[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}

/** A descriptor that is closed when nobody reads from it any more. */
class SharedDescriptor {
  readonly fd: number;
  readonly #system: System;
  #users = 0;
  #idle: (() => void) | undefined;

  constructor(system: System, fd: number) {
    this.#system = system;
    this.fd = fd;
  }

  retain(): void {
    this.#users += 1;
  }

  release(): void {
    this.#users -= 1;
    if (this.#users === 0) this.#idle?.();
  }

  async close(): Promise<void> {
    if (this.#users > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    await this.#system.close(this.fd);
  }
}

export class Placed {
  readonly regionBytes: number;
  readonly layout: SegmentLayout;
  readonly #system: System;
  /** How far behind the start of the file something was written. */
  writtenEnd = 0;
  #descriptor: SharedDescriptor;
  /** The first bytes of the file, when they were read for the header: good for one look at the segments among them. */
  #start: Uint8Array | undefined;

  constructor(system: System, fd: number, regionBytes: number, layout: SegmentLayout, start?: Uint8Array) {
    this.#system = system;
    this.#descriptor = new SharedDescriptor(system, fd);
    this.regionBytes = regionBytes;
    this.layout = layout;
    this.#start = start;
  }

  get fd(): number {
    return this.#descriptor.fd;
  }

  fileOffsetOf(index: number): number {
    return this.regionBytes + index * this.layout.segmentBytes;
  }

  /** From now on through this descriptor. The old one is closed when reads under way are done. */
  async replaceDescriptor(fd: number): Promise<void> {
    const old = this.#descriptor;
    this.#descriptor = new SharedDescriptor(this.#system, fd);
    this.forgetStart();
    await old.close();
  }

  /** The file is about to change, or has. */
  forgetStart(): void {
    this.#start = undefined;
  }

  /**
   * Sealed bytes from the place of a segment on, shown to `use` for as long as it runs; fewer than asked for only at the end
   * of the file. The number comes at once when the bytes were read with the header.
   */
  read<T>(index: number, bytes: number, use: (sealed: Uint8Array) => T): T | Promise<T> {
    const fileOffset = this.fileOffsetOf(index);
    const start = this.#start;
    if (start === undefined || fileOffset + bytes > start.length) return this.#read(fileOffset, bytes, use);
    this.forgetStart();
    return use(start.subarray(fileOffset, fileOffset + bytes));
  }

  async #read<T>(fileOffset: number, bytes: number, use: (sealed: Uint8Array) => T): Promise<T> {
    const descriptor = this.#descriptor;
    const buffer = takeBuffer(bytes);
    descriptor.retain();
    try {
      return use(await readUpTo(this.#system, descriptor.fd, exactly(buffer, bytes), fileOffset));
    } finally {
      descriptor.release();
      giveBuffer(buffer);
    }
  }

  /** Keeps the descriptor open for as long as this takes. */
  async withDescriptor<T>(use: (fd: number) => Promise<T>): Promise<T> {
    const descriptor = this.#descriptor;
    descriptor.retain();
    try {
      return await use(descriptor.fd);
    } finally {
      descriptor.release();
    }
  }

  /** Writes segments, in ascending order, to their places: neighbours with one system call. */
  async write(segments: readonly SealedSegment[]): Promise<void> {
    this.forgetStart();
    for (const { index, parts } of segments.slice(-1)) {
      this.writtenEnd = Math.max(this.writtenEnd, this.fileOffsetOf(index) + bytesOf(parts));
    }
    const runs = this.#runsOf(segments);
    let next = 0;
    const failures: unknown[] = [];
    const writeRuns = async (): Promise<void> => {
      while (failures.length === 0) {
        const run = runs[next++];
        if (run === undefined) return;
        try {
          await this.#writeRun(run);
        } catch (error) {
          failures.push(error);
        }
      }
    };
    await Promise.all(Array.from({ length: Math.min(writesAtATime, runs.length) }, writeRuns));
    if (failures.length > 0) throw failures[0];
  }

  async #writeRun({ fileOffset, parts }: Run): Promise<void> {
    const bytes = bytesOf(parts);
    if (bytes > joinedBytes) {
      await writeAll(this.#system, this.fd, parts, fileOffset);
      return;
    }
    // One part is written much faster than a few, even with the copy.
    const buffer = takeBuffer(bytes);
    try {
      let at = 0;
      for (const part of parts) {
        buffer.set(part, at);
        at += part.length;
      }
      await writeAll(this.#system, this.fd, [exactly(buffer, bytes)], fileOffset);
    } finally {
      giveBuffer(buffer);
    }
  }

  #runsOf(segments: readonly SealedSegment[]): Run[] {
    const most = Math.max(1, Math.floor(runBytes / this.layout.segmentBytes));
    const runs: Run[] = [];
    let before = -2;
    let count = 0;
    for (const { index, parts } of segments) {
      const run = runs.at(-1);
      if (run !== undefined && index === before + 1 && count < most) {
        run.parts.push(...parts);
        count += 1;
      } else {
        runs.push({ fileOffset: this.fileOffsetOf(index), parts: [...parts] });
        count = 1;
      }
      before = index;
    }
    return runs;
  }

  /** Zeros at a place that nothing refers to yet, so that the blocks are there when something comes. */
  async reserve(fileOffset: number, bytes: number): Promise<void> {
    this.forgetStart();
    this.writtenEnd = Math.max(this.writtenEnd, fileOffset + bytes);
    await writeAll(this.#system, this.fd, [new Uint8Array(bytes)], fileOffset);
  }

  async sync(): Promise<void> {
    await syncData(this.#system, this.fd);
  }

  /** Cuts the file behind a body of so many sealed bytes. */
  async cutTo(bodyBytes: number): Promise<void> {
    this.forgetStart();
    await this.#system.ftruncate(this.fd, this.regionBytes + bodyBytes);
    this.writtenEnd = this.regionBytes + bodyBytes;
  }

  async close(): Promise<void> {
    this.forgetStart();
    await this.#descriptor.close();
  }
}
