/** An open sealed file of which segments can be read at will: what random reads and range streams share. */

import { constants, read as readCallback, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

import { type OpenedEnvelope, openEnvelope } from '../envelope/open.ts';
import { findHeader, headerBytesNeeded } from '../envelope/region.ts';
import { VolsealError } from '../errors.ts';
import type { BodyShape, SegmentLayout } from '../floe/layout.ts';
import { bodyShape } from '../floe/layout.ts';
import { openChecked, truncatedBody } from '../floe/diagnosis.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import { maxRegionBytes, minProviderRegionBytes } from '../limits.ts';
import { readFully } from '../stream/file-bytes.ts';
import type { OpenOptions } from './options.ts';

/** Buffers for sealed bytes that are kept for the next read of the same size. */
const keptBuffers = 4;

export class SealedReader {
  readonly stats: Stats;
  readonly context: Context;
  readonly fileId: Uint8Array;
  readonly layout: SegmentLayout;
  readonly shape: BodyShape;
  readonly suite: string;
  readonly #handle: FileHandle;
  readonly #envelope: OpenedEnvelope;
  readonly #buffers: Buffer[] = [];
  #underWay = 0;
  #idle: (() => void) | undefined;
  #closing: Promise<void> | undefined;

  private constructor(handle: FileHandle, stats: Stats, envelope: OpenedEnvelope, shape: BodyShape) {
    this.#handle = handle;
    this.#envelope = envelope;
    this.stats = stats;
    this.shape = shape;
    this.context = envelope.context;
    this.fileId = envelope.fileId;
    this.layout = envelope.decryptor.layout;
    this.suite = envelope.decryptor.suite;
  }

  /** Opens the header. The size is not verified yet: {@link verifyLength} does that. */
  static async open(
    path: string,
    providers: readonly KeyProvider[],
    options: OpenOptions,
  ): Promise<SealedReader> {
    // A FIFO that nobody writes to must be refused, not waited for.
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) {
        throw new VolsealError('ERR_VOLSEAL_IO', 'it is not a regular file', {
          hint: 'pipe it through createDecryptStream instead',
        });
      }
      let start = await readFully(handle, new Uint8Array(minProviderRegionBytes), 0);
      if (headerBytesNeeded(start) > start.length)
        start = await readFully(handle, new Uint8Array(maxRegionBytes), 0);
      const envelope = await openEnvelope(findHeader(start), providers, { ...options, path });
      const shape = bodyShape(envelope.decryptor.layout, stats.size - envelope.regionBytes);
      if (shape === undefined) {
        try {
          throw await impossibleSize(handle, envelope, stats.size);
        } finally {
          envelope.decryptor.wipe();
        }
      }
      return new SealedReader(handle, stats, envelope, shape);
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Opens the last segment, which proves the size of the file, and gives its plaintext. */
  async verifyLength(): Promise<Uint8Array[]> {
    const [last] = await this.openSegments(this.shape.segments - 1, 1);
    return last as Uint8Array[];
  }

  /** @throws VolsealError `ERR_VOLSEAL_CLOSED` */
  checkOpen(): void {
    if (this.#closing !== undefined)
      throw new VolsealError('ERR_VOLSEAL_CLOSED', 'the file was closed', { hint: 'open it again' });
  }

  /** The plaintext of `count` segments from `position` on, each in pieces. */
  async openSegments(position: number, count: number): Promise<Uint8Array[][]> {
    this.checkOpen();
    const { segmentBytes } = this.layout;
    const bodyOffset = position * segmentBytes;
    const offset = this.#envelope.regionBytes + bodyOffset;
    const length = Math.min(count * segmentBytes, this.stats.size - offset);
    const buffer = this.#takeBuffer(length);
    this.#underWay++;
    try {
      const read = await readAt(this.#handle.fd, buffer, length, offset);
      if (read < length) throw truncatedBody(offset + read);
      const opened: Uint8Array[][] = [];
      for (let i = 0; i < count; i++) {
        const sealed = buffer.subarray(i * segmentBytes, Math.min(length, (i + 1) * segmentBytes));
        const final = position + i === this.shape.segments - 1;
        opened.push(
          openChecked(this.#envelope.decryptor, [sealed], position + i, final, offset + i * segmentBytes),
        );
      }
      return opened;
    } finally {
      if (this.#buffers.length < keptBuffers) this.#buffers.push(buffer);
      if (--this.#underWay === 0) this.#idle?.();
    }
  }

  #takeBuffer(bytes: number): Buffer {
    const kept = this.#buffers.pop();
    return kept !== undefined && kept.length >= bytes
      ? kept
      : Buffer.allocUnsafeSlow(Math.max(bytes, this.layout.segmentBytes));
  }

  /** Waits for reads under way, wipes the keys and closes the file. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0) {
      await new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
    }
    this.#envelope.decryptor.wipe();
    await this.#handle.close();
  }
}

/** Too little follows the last whole segment: it was cut there, or the last one ended before and something was appended. */
async function impossibleSize(
  handle: FileHandle,
  envelope: OpenedEnvelope,
  sealedBytes: number,
): Promise<unknown> {
  const { segmentBytes } = envelope.decryptor.layout;
  const bodyBytes = sealedBytes - envelope.regionBytes;
  const bodyOffset = bodyBytes - (bodyBytes % segmentBytes) - segmentBytes;
  if (bodyOffset < 0) return truncatedBody(sealedBytes);
  const offset = envelope.regionBytes + bodyOffset;
  const sealed = await readFully(handle, new Uint8Array(segmentBytes), offset);
  try {
    openChecked(envelope.decryptor, [sealed], bodyOffset / segmentBytes, false, offset);
    return truncatedBody(sealedBytes);
  } catch (error) {
    return error; // it was the last segment, or it is not authentic
  }
}

/** The callback form: a promise of FileHandle.read costs as much again as a small read. */
function readAt(descriptor: number, buffer: Buffer, length: number, offset: number): Promise<number> {
  return new Promise((resolve, reject) => {
    let filled = 0;
    const step = (error: Error | null, bytesRead: number): void => {
      if (error !== null) return reject(error);
      filled += bytesRead;
      if (bytesRead === 0 || filled === length) return resolve(filled);
      readCallback(descriptor, buffer, filled, length - filled, offset + filled, step);
    };
    readCallback(descriptor, buffer, 0, length, offset, step);
  });
}
