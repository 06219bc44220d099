/** Content that is known at every offset without being kept: a keystream. */

import { createCipheriv } from 'node:crypto';

const blockBytes = 16;
const pieceBytes = 65_536;

export class Content {
  #key;

  constructor(seed) {
    this.#key = Buffer.alloc(32, `volseal small ${seed}`);
  }

  /** `length` bytes from `offset` on. */
  bytes(offset, length) {
    const counter = Buffer.alloc(blockBytes);
    counter.writeBigUInt64BE(BigInt(Math.floor(offset / blockBytes)), 8);
    const skip = offset % blockBytes;
    const cipher = createCipheriv('aes-256-ctr', this.#key, counter);
    return cipher.update(Buffer.alloc(skip + length)).subarray(skip);
  }

  *pieces(offset, length) {
    for (let at = 0; at < length; at += pieceBytes) {
      yield this.bytes(offset + at, Math.min(pieceBytes, length - at));
    }
  }
}
