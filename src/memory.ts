/** Memory outside V8's heap: taken without clearing it, and given back without waiting for the garbage collector. */

/** `bytes` bytes with any content: every one of them must be written before the array is handed out. */
export function uninitialised(bytes: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(bytes).buffer);
}

const smallestReleased = 4_096;
const canTransfer = typeof ArrayBuffer.prototype.transfer === 'function';

/**
 * Gives the memory of large parts back at once instead of when the garbage collector comes by, which it does too
 * seldom for memory outside its heap. Only for parts that nobody else can see. Node 20 has no means for it.
 */
export function releaseParts(parts: readonly Uint8Array[]): void {
  if (!canTransfer) return;
  for (const part of parts) {
    if (part.byteLength < smallestReleased || part.byteLength !== part.buffer.byteLength) continue;
    if (part.buffer instanceof ArrayBuffer) part.buffer.transfer(0);
  }
}
