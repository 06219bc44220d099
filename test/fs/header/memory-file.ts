/** One open file in memory behind the seam of the system, as far as headers use it. */

import type { System } from '../../../src/os/system.ts';

export class MemoryFile {
  bytes: Uint8Array;
  /** Calls in order: `read 0+4096`, `write 2048+2048`. */
  readonly calls: string[] = [];
  /** At most so many bytes a call. */
  maxBytesPerCall: number = Number.POSITIVE_INFINITY;
  /** Runs before each call. */
  before: (call: string) => void = () => {};
  readonly system: System;

  constructor(bytes: Uint8Array) {
    this.bytes = Uint8Array.from(bytes);
    const own: Pick<System, 'read' | 'writev'> = {
      read: async (_fd, target, targetOffset, length, fileOffset) => {
        this.#call(`read ${fileOffset}+${length}`);
        const part = this.bytes.subarray(fileOffset, fileOffset + Math.min(length, this.maxBytesPerCall));
        target.set(part, targetOffset);
        return part.length;
      },
      writev: async (_fd, parts, fileOffset) => {
        const joined = Buffer.concat(parts);
        this.#call(`write ${fileOffset}+${joined.length}`);
        const written = joined.subarray(0, this.maxBytesPerCall);
        this.bytes.set(written, fileOffset);
        return written.length;
      },
    };
    // Headers sync nothing, truncate nothing and open nothing.
    this.system = new Proxy(own as System, {
      get: (target, name) => {
        if (name in target) return target[name as keyof System];
        throw new Error(`a header called ${String(name)}`);
      },
    });
  }

  #call(call: string): void {
    this.calls.push(call);
    this.before(call);
  }
}
