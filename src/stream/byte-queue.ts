/** Chunks as they come in, pieces of the length that is asked for going out; large chunks are copied by `own` alone. */

/** Smaller chunks are gathered: each piece costs a call into the cipher. */
const gatherBelowBytes = 2_048;
const gatherBlockBytes = 16_384;

const taken = new Uint8Array(0);

export class ByteQueue {
  #chunks: Uint8Array[] = [];
  #first = 0;
  #length = 0;
  /** The block that small chunks are gathered in, and how much of it is used. Its used part is the last chunk. */
  #block: Uint8Array | undefined;
  #blockUsed = 0;
  /** From this chunk on they are the callers' memory, the block apart. */
  #foreign = 0;

  get length(): number {
    return this.#length;
  }

  /** Keeps a reference to large chunks until they are taken or {@link own} copies them: the caller must not change them before. */
  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#length += chunk.length;
    if (chunk.length >= gatherBelowBytes) {
      this.#block = undefined;
      this.#chunks.push(chunk);
      return;
    }
    if (this.#block === undefined || this.#blockUsed + chunk.length > this.#block.length) {
      this.#block = new Uint8Array(gatherBlockBytes);
      this.#blockUsed = 0;
      this.#chunks.push(this.#block.subarray(0, 0));
    }
    this.#block.set(chunk, this.#blockUsed);
    const last = this.#chunks[this.#chunks.length - 1] as Uint8Array;
    const start = last.byteOffset - this.#block.byteOffset;
    this.#blockUsed += chunk.length;
    this.#chunks[this.#chunks.length - 1] = this.#block.subarray(start, this.#blockUsed);
  }

  /** The next `bytes` bytes, which must be there, in pieces. */
  take(bytes: number): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    let missing = bytes;
    while (missing > 0) {
      const chunk = this.#chunks[this.#first] as Uint8Array;
      if (chunk.length <= missing) {
        pieces.push(chunk);
        missing -= chunk.length;
        this.#chunks[this.#first++] = taken; // or the memory would stay until the array is cut
      } else {
        pieces.push(chunk.subarray(0, missing));
        this.#chunks[this.#first] = chunk.subarray(missing);
        missing = 0;
      }
    }
    this.#length -= bytes;
    if (this.#first === this.#chunks.length) {
      this.#chunks = [];
      this.#first = 0;
      this.#foreign = 0;
      this.#block = undefined;
    } else if (this.#first > 1_024) {
      this.#chunks = this.#chunks.slice(this.#first);
      this.#foreign = Math.max(0, this.#foreign - this.#first);
      this.#first = 0;
    }
    return pieces;
  }

  /**
   * Copies what is left of the callers' chunks, no byte twice: after it they may do with their memory what they like.
   * To be called before a caller is told that its chunk was taken.
   */
  own(): void {
    for (let i = Math.max(this.#foreign, this.#first); i < this.#chunks.length; i++) {
      const chunk = this.#chunks[i] as Uint8Array;
      if (chunk.buffer !== this.#block?.buffer) this.#chunks[i] = new Uint8Array(chunk);
    }
    this.#foreign = this.#chunks.length;
  }

  /** Drops everything. */
  clear(): void {
    this.#chunks = [];
    this.#foreign = 0;
    this.#first = 0;
    this.#length = 0;
    this.#block = undefined;
  }

  /** A copy of the first `bytes` bytes, or of all there are when they are fewer; they stay in the queue. */
  peek(bytes: number): Uint8Array {
    const copy = new Uint8Array(Math.min(bytes, this.#length));
    let at = 0;
    for (let i = this.#first; at < copy.length; i++) {
      const piece = (this.#chunks[i] as Uint8Array).subarray(0, copy.length - at);
      copy.set(piece, at);
      at += piece.length;
    }
    return copy;
  }
}
