/** One copy of the header, format version 1: encoding, checking and parsing (docs/format/v1.md §3). */

import { hmacOnce } from '../../aead/hmac.ts';
import {
  bytesEqual,
  constantTimeEqual,
  readU16,
  readU32,
  readU64,
  u16,
  writeU32,
  writeU64,
} from '../../bytes.ts';
import { crc32c } from '../../crc32c.ts';
import { internalError, VolsealError } from '../../errors.ts';
import { bodyShape, floeHeaderBytes, messageIvBytes, type SegmentLayout } from '../../floe/layout.ts';
import { parseFloeParameters } from '../../floe/parameters.ts';
import {
  fileIdBytes,
  isEnvelopeSegmentBytes,
  maxContextBytes,
  maxRegionBytes,
  maxSlots,
  minRegionBytes,
} from '../../limits.ts';
import type { Secret } from '../../secret.ts';
import { parseContext } from '../context.ts';
import {
  type BodyKind,
  bodyKinds,
  bodyUse,
  crcBytes,
  macBytes,
  magic,
  minCopyBytes,
  offsets,
  stateBytes,
  trailerBytes,
  version,
} from './constants.ts';
import { parseSlot, type Slot } from './slot.ts';

/** The state of a mutable body, 48 bytes; zero for a write-once one. */
export interface BodyState {
  /** The number of the last sync whose segments are all in their places. */
  readonly syncSeq: number;
  /** Sealed bytes of the body, from the end of the region to the end of the last segment. */
  readonly bodyBytes: number;
  /** Reserved, 32 bytes, zero. */
  readonly acc: Uint8Array;
}

/** What is decided when a file is made and never changes. */
export interface HeaderIdentity {
  readonly regionBytes: number;
  readonly bodyKind: BodyKind;
  /** 16 bytes. */
  readonly fileId: Uint8Array;
  /** 74 bytes. */
  readonly floeHeader: Uint8Array;
  /** Canonical context bytes. */
  readonly context: Uint8Array;
}

export interface HeaderContent extends HeaderIdentity {
  readonly generation: number;
  readonly state: BodyState;
}

/** A copy whose checksum matches and whose fields are in bounds. Not authenticated yet. */
export interface HeaderCopy extends HeaderContent {
  readonly slots: readonly Slot[];
  readonly halfIndex: 0 | 1;
  /** The bytes under the MAC. */
  readonly macInput: Uint8Array;
  /** 32 bytes. */
  readonly mac: Uint8Array;
}

export const emptyState: BodyState = { syncSeq: 0, bodyBytes: 0, acc: new Uint8Array(32) };

const crcStart = (copyBytes: number): number => copyBytes - trailerBytes;

/** Bytes of a copy with these slots and this context. */
export function copyBytesFor(context: Uint8Array, encodedSlots: readonly Uint8Array[]): number {
  const slotBytes = encodedSlots.reduce((sum, slot) => sum + 2 + slot.length, 0);
  return offsets.contextLength + 2 + context.length + 2 + 1 + slotBytes + trailerBytes;
}

/**
 * One whole half, zero-filled to its end: nothing of a longer copy before it may stay.
 * @param slots encoded
 * @param half where to write it, all zero
 */
export function encodeHalf(
  content: HeaderContent,
  slots: readonly Uint8Array[],
  halfIndex: 0 | 1,
  macKey: Secret,
  half: Uint8Array = new Uint8Array(content.regionBytes / 2),
): Uint8Array {
  const copyBytes = copyBytesFor(content.context, slots);
  if (copyBytes > half.length) throw internalError('a header copy does not fit its half');
  half.set(magic, 0);
  half.set(u16(version), offsets.version);
  half[offsets.halfIndex] = halfIndex;
  half[offsets.regionSize] = Math.log2(content.regionBytes);
  writeU32(half, copyBytes, offsets.copyLength);
  half[offsets.bodyKind] = content.bodyKind;
  writeU64(half, content.generation, offsets.generation);
  half.set(content.fileId, offsets.fileId);
  half.set(content.floeHeader, offsets.floeHeader);
  writeState(half, content.state);
  let at: number = offsets.contextLength;
  const append = (bytes: Uint8Array): void => {
    half.set(bytes, at);
    at += bytes.length;
  };
  append(u16(content.context.length));
  append(content.context);
  at += 2; // the length of a location
  append(Uint8Array.of(slots.length));
  for (const slot of slots) {
    append(u16(slot.length));
    append(slot);
  }
  return sealHalf(half, copyBytes, macKey);
}

/** One whole half that says what `copy` says, byte for byte, with another generation and state. */
export function encodeNextHalf(
  copy: HeaderCopy,
  halfIndex: 0 | 1,
  generation: number,
  state: BodyState,
  macKey: Secret,
): Uint8Array {
  const half = new Uint8Array(copy.regionBytes / 2);
  half.set(copy.macInput, 0);
  half[offsets.halfIndex] = halfIndex;
  writeU64(half, generation, offsets.generation);
  writeState(half, state);
  return sealHalf(half, copy.macInput.length + trailerBytes, macKey);
}

function writeState(half: Uint8Array, { syncSeq, bodyBytes, acc }: BodyState): void {
  writeU64(half, syncSeq, offsets.state);
  writeU64(half, bodyBytes, offsets.state + 8);
  half.set(acc, offsets.state + 16);
}

/** Puts checksum and MAC behind the copy in a half. */
function sealHalf(half: Uint8Array, copyBytes: number, macKey: Secret): Uint8Array {
  const macInput = half.subarray(0, crcStart(copyBytes));
  const mac = headerMac(macInput, macKey);
  writeU32(half, crc32c(macInput, mac), macInput.length);
  half.set(mac, macInput.length + crcBytes);
  return half;
}

function headerMac(macInput: Uint8Array, macKey: Secret): Uint8Array {
  return hmacOnce('sha256', macKey, [macInput]);
}

export function verifyMac(copy: HeaderCopy, macKey: Secret): boolean {
  return constantTimeEqual(headerMac(copy.macInput, macKey), copy.mac);
}

/** What the first sixteen bytes of a half say; undefined without the magic. Nothing of it is verified. */
export interface CopyPrefix {
  readonly version: number;
  readonly halfIndex: number;
  /** undefined when the size is none that a region can have. */
  readonly regionBytes: number | undefined;
  readonly copyBytes: number;
}

export const copyPrefixBytes = 16;

export function readPrefix(half: Uint8Array): CopyPrefix | undefined {
  if (half.length < copyPrefixBytes || !bytesEqual(half.subarray(0, magic.length), magic)) return undefined;
  const regionBytes = 2 ** (half[offsets.regionSize] as number);
  return {
    version: readU16(half, offsets.version),
    halfIndex: half[offsets.halfIndex] as number,
    regionBytes: regionBytes >= minRegionBytes && regionBytes <= maxRegionBytes ? regionBytes : undefined,
    copyBytes: readU32(half, offsets.copyLength),
  };
}

/** `version` is the version of the copy; only version 1 is parsed here. */
export type CopyFinding =
  | { readonly state: 'absent' }
  | { readonly state: 'damaged' }
  | { readonly state: 'unknown-version'; readonly version: number }
  | { readonly state: 'good'; readonly copy: HeaderCopy };

/**
 * Looks for the copy with index `halfIndex` at the start of `bytes`.
 * @param other the copy of the other half, when it is good: what is the same in both is not parsed again
 * @throws VolsealError `ERR_VOLSEAL_HEADER_INVALID`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE` for a copy whose checksum matches
 */
export function findCopy(bytes: Uint8Array, halfIndex: 0 | 1, other?: HeaderCopy): CopyFinding {
  const prefix = readPrefix(bytes);
  if (prefix === undefined) return { state: 'absent' };
  if (prefix.version !== version) return { state: 'unknown-version', version: prefix.version };
  const { copyBytes, regionBytes } = prefix;
  if (prefix.halfIndex !== halfIndex || regionBytes === undefined) return { state: 'damaged' };
  if (copyBytes < minCopyBytes || copyBytes > regionBytes / 2 || copyBytes > bytes.length)
    return { state: 'damaged' };
  const macInput = bytes.slice(0, crcStart(copyBytes));
  const mac = bytes.slice(copyBytes - macBytes, copyBytes);
  if (crc32c(macInput, mac) !== readU32(bytes, macInput.length)) return { state: 'damaged' };
  if (other !== undefined && sameBytes(other.macInput, macInput))
    return { state: 'good', copy: { ...other, halfIndex, macInput, mac } };
  return { state: 'good', copy: parseCopy(macInput, mac, halfIndex, regionBytes) };
}

function invalid(what: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_HEADER_INVALID', `the header is malformed: ${what}`, {
    hint: 'it was not written by volseal, or was changed on purpose; restore the file from a backup',
  });
}

function parseCopy(bytes: Uint8Array, mac: Uint8Array, halfIndex: 0 | 1, regionBytes: number): HeaderCopy {
  const bodyKind = bytes[offsets.bodyKind] as number;
  if (bodyKind !== bodyKinds.writeOnce && bodyKind !== bodyKinds.mutable)
    throw unsupported(`an unknown kind of body (${bodyKind})`);
  if (bytes[offsets.reserved] !== 0) throw unsupported(`an unknown field (offset ${offsets.reserved})`);
  const flags = readU16(bytes, offsets.flags);
  if (flags !== 0) throw unsupported(`unknown flags (0x${flags.toString(16)})`);
  const floeHeader = bytes.slice(offsets.floeHeader, offsets.floeHeader + floeHeaderBytes);
  const layout = checkParameters(floeHeader, bodyKind);
  const generation = readU64(bytes, offsets.generation);
  if (generation === undefined || generation === 0) throw invalid('generation out of range');
  const state = parseState(bytes.slice(offsets.state, offsets.state + stateBytes), bodyKind, layout);

  let at: number = offsets.contextLength;
  const take = (length: number, what: string): Uint8Array => {
    if (at + length > bytes.length) throw invalid(`${what} runs past its end`);
    at += length;
    return bytes.slice(at - length, at);
  };
  const contextBytes = readU16(take(2, 'context length'), 0);
  if (contextBytes > maxContextBytes) throw invalid('context is too long');
  const context = take(contextBytes, 'context');
  if (parseContext(context) === undefined) throw invalid('context is not in canonical form');
  if (readU16(take(2, 'location length'), 0) !== 0) throw invalid('a location without its flag');
  const slotCount = take(1, 'slot count')[0] as number;
  if (slotCount < 1 || slotCount > maxSlots) throw invalid(`${slotCount} key slots`);
  const slots: Slot[] = [];
  for (let i = 0; i < slotCount; i++) {
    const slot = parseSlot(take(readU16(take(2, 'slot length'), 0), 'slot'));
    if (slot === undefined) throw invalid(`key slot ${i}`);
    slots.push(slot);
  }
  if (at !== bytes.length) throw invalid('bytes after the last key slot');
  return {
    halfIndex,
    regionBytes,
    bodyKind,
    generation,
    fileId: bytes.slice(offsets.fileId, offsets.fileId + fileIdBytes),
    floeHeader,
    state,
    context,
    slots,
    macInput: bytes,
    mac,
  };
}

/** The envelope allows fewer segment sizes than FLOE does, and a mutable body other suites than a write-once one. */
function checkParameters(floeHeader: Uint8Array, bodyKind: BodyKind): SegmentLayout {
  const segmentBytes = readU32(floeHeader, 2);
  if (!isEnvelopeSegmentBytes(segmentBytes)) throw invalid(`segments of ${segmentBytes} bytes`);
  if (readU32(floeHeader, 6) !== messageIvBytes) throw invalid('length of the message IV');
  return parseFloeParameters(floeHeader, bodyUse(bodyKind)).layout; // refuses unknown suites by name
}

function parseState(bytes: Uint8Array, bodyKind: BodyKind, layout: SegmentLayout): BodyState {
  const syncSeq = readU64(bytes, 0);
  const bodyBytes = readU64(bytes, 8);
  if (syncSeq === undefined || bodyBytes === undefined) throw invalid('body state out of range');
  const acc = bytes.slice(16);
  if (bodyKind === bodyKinds.writeOnce) {
    if (bytes.some((byte) => byte !== 0)) throw invalid('a write-once body with a state');
    return { syncSeq, bodyBytes, acc };
  }
  if (acc.some((byte) => byte !== 0)) throw unsupported(`an unknown field (offset ${offsets.state + 16})`);
  if (bodyShape(layout, bodyBytes) === undefined)
    throw invalid(`a body of ${bodyBytes} bytes, which no segments add up to`);
  return { syncSeq, bodyBytes, acc };
}

function unsupported(what: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_UNSUPPORTED_FEATURE', `it has ${what}`, {
    hint: 'a newer volseal may know it; upgrade and try again',
  });
}

/** Whether two copies can be of one file: all that never changes is equal (docs/format/v1.md §7, step 4). */
export function sameIdentity(a: HeaderIdentity, b: HeaderIdentity): boolean {
  return (
    a.regionBytes === b.regionBytes &&
    a.bodyKind === b.bodyKind &&
    bytesEqual(a.fileId, b.fileId) &&
    bytesEqual(a.floeHeader, b.floeHeader) &&
    bytesEqual(a.context, b.context)
  );
}

/** Whether two copies say the same, apart from their index. */
export function sameContent(a: HeaderCopy, b: HeaderCopy): boolean {
  return sameBytes(a.macInput, b.macInput);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  const { halfIndex } = offsets;
  return (
    bytesEqual(a.subarray(0, halfIndex), b.subarray(0, halfIndex)) &&
    bytesEqual(a.subarray(halfIndex + 1), b.subarray(halfIndex + 1))
  );
}
