/** Byte strings: integers in big-endian order, joining, comparing, checksums. No cryptography beyond comparison. */

import { timingSafeEqual } from 'node:crypto';

/** Text as UTF-8 bytes. */
export function utf8(text: string): Uint8Array {
  return Buffer.from(text, 'utf8');
}

/** ASCII text as bytes. For the fixed labels of the formats. */
export function ascii(text: string): Uint8Array {
  return Buffer.from(text, 'latin1');
}

export function u16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value);
}

export function u32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
}

/** A safe integer as eight bytes. */
export function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  writeU64(bytes, value, 0);
  return bytes;
}

export function writeU32(target: Uint8Array, value: number, at: number): void {
  target[at] = value >>> 24;
  target[at + 1] = value >>> 16;
  target[at + 2] = value >>> 8;
  target[at + 3] = value;
}

/** Bit operations stop at 32 bits, so the two words are split by division. */
export function writeU64(target: Uint8Array, value: number, at: number): void {
  writeU32(target, Math.floor(value / 2 ** 32), at);
  writeU32(target, value % 2 ** 32, at + 4);
}

export function readU16(source: Uint8Array, at: number): number {
  return ((source[at] as number) << 8) | (source[at + 1] as number);
}

export function readU32(source: Uint8Array, at: number): number {
  return (
    (source[at] as number) * 2 ** 24 +
    (((source[at + 1] as number) << 16) | ((source[at + 2] as number) << 8) | (source[at + 3] as number))
  );
}

/** The eight bytes as a number, or undefined when a JavaScript number cannot count that far exactly. */
export function readU64(source: Uint8Array, at: number): number | undefined {
  const value = readU32(source, at) * 2 ** 32 + readU32(source, at + 4);
  return value <= Number.MAX_SAFE_INTEGER ? value : undefined;
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let total = 0;
  for (const part of parts) total += part.length;
  const joined = new Uint8Array(total);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** What is left of parts that count as joined when their first `bytes` bytes are gone. */
export function dropBytes(parts: readonly Uint8Array[], bytes: number): readonly Uint8Array[] {
  let missing = bytes;
  for (const [index, part] of parts.entries()) {
    if (part.length > missing) return [part.subarray(missing), ...parts.slice(index + 1)];
    missing -= part.length;
  }
  return [];
}

/** Whether two byte strings are equal, in time that depends on their lengths alone. */
export function constantTimeEqual(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** Equality of public values. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}
