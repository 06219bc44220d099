/** Sealing and opening a FLOE body as it streams by: one segment held back until it is known whether it is the last. */

import type { FloeDecryptor } from '../floe/decryptor.ts';
import type { FloeEncryptor } from '../floe/encryptor.ts';
import { openChecked, truncatedBody } from '../floe/diagnosis.ts';
import type { ByteQueue } from './byte-queue.ts';

export class BodySealer {
  readonly #encryptor: FloeEncryptor;
  readonly #queue: ByteQueue;
  #position = 0;
  #plainBytes = 0;

  /** @param queue what has come in already, and what will */
  constructor(encryptor: FloeEncryptor, queue: ByteQueue) {
    this.#encryptor = encryptor;
    this.#queue = queue;
  }

  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** The next sealed segment, or undefined while more input is needed. */
  next(): Uint8Array[] | undefined {
    // Exactly one segment in the queue may be the last one, which is sealed as such.
    return this.#queue.length > this.#encryptor.plainSegmentBytes
      ? this.#seal(this.#encryptor.plainSegmentBytes, false)
      : undefined;
  }

  /** The last segment; nothing is left in the queue afterwards. Only after `next` has given undefined. */
  last(): Uint8Array[] {
    return this.#seal(this.#queue.length, true);
  }

  #seal(plainBytes: number, final: boolean): Uint8Array[] {
    this.#plainBytes += plainBytes;
    return this.#encryptor.sealSegmentParts(this.#queue.take(plainBytes), this.#position++, final);
  }
}

export class BodyOpener {
  readonly #decryptor: FloeDecryptor;
  readonly #queue: ByteQueue;
  #offset: number;
  #position = 0;
  #plainBytes = 0;

  /** @param offset where the body begins in the sealed data, for errors */
  constructor(decryptor: FloeDecryptor, queue: ByteQueue, offset: number) {
    this.#decryptor = decryptor;
    this.#queue = queue;
    this.#offset = offset;
  }

  get plainBytes(): number {
    return this.#plainBytes;
  }

  /** The plaintext of the next segment, or undefined while more input is needed. */
  next(): Uint8Array[] | undefined {
    return this.#queue.length > this.#decryptor.segmentBytes
      ? this.#open(this.#decryptor.segmentBytes, false)
      : undefined;
  }

  /** The plaintext of the last segment. Only after `next` has given undefined. */
  last(): Uint8Array[] {
    if (this.#queue.length === 0) throw truncatedBody(this.#offset);
    return this.#open(this.#queue.length, true);
  }

  #open(sealedBytes: number, final: boolean): Uint8Array[] {
    const plain = openChecked(
      this.#decryptor,
      this.#queue.take(sealedBytes),
      this.#position++,
      final,
      this.#offset,
    );
    this.#offset += sealedBytes;
    for (const piece of plain) this.#plainBytes += piece.length;
    return plain;
  }
}
