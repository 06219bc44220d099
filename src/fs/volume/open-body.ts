/** Opening all segments of a body into one buffer, the next ones being read meanwhile. */

import type { BodyShape } from '../../floe/layout.ts';
import { releaseParts } from '../../memory.ts';
import { throwIfAborted } from '../../options.ts';
import type { System } from '../../os/system.ts';
import { VolsealError } from '../../errors.ts';
import { readUpTo } from '../../os/descriptor-bytes.ts';
import type { FileHeader } from '../header/file-header.ts';

/** Sealed bytes that are read at a time. */
const runBytes = 1_048_576;

/** The plaintext of one segment; undefined when it is not authentic. */
function openSegment(
  header: FileHeader,
  sealed: Uint8Array,
  position: number,
  final: boolean,
): Uint8Array | undefined {
  if (header.kind === 'mutable') return header.segments.open(sealed, position, final);
  try {
    return header.decryptor.openSegment(sealed, position, final);
  } catch (error) {
    if (error instanceof VolsealError && error.code === 'ERR_VOLSEAL_TAMPERED') return undefined;
    throw error;
  }
}

/**
 * @param start the first bytes of the body, as many as have been read
 * @returns the plaintext; undefined when a segment is not authentic, or missing
 */
export async function openBody(
  system: System,
  descriptor: number,
  header: FileHeader,
  shape: BodyShape,
  start: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<Buffer | undefined> {
  if (shape.segments === 1 && start.length >= shape.lastSegmentBytes) {
    const plain = openSegment(header, start.subarray(0, shape.lastSegmentBytes), 0, true);
    return plain && Buffer.from(plain.buffer, plain.byteOffset, plain.length);
  }
  const content = Buffer.allocUnsafeSlow(shape.plainBytes);
  if (await openRuns(system, descriptor, header, shape, content, signal)) return content;
  content.fill(0);
  return undefined;
}

async function openRuns(
  system: System,
  descriptor: number,
  header: FileHeader,
  { lastSegmentBytes, segments }: BodyShape,
  content: Buffer,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  const { plainSegmentBytes, segmentBytes } = header.layout;
  const perRun = Math.min(segments, Math.max(1, Math.floor(runBytes / segmentBytes)));
  const buffers: Uint8Array[] = [];
  const read = (run: number): Promise<Uint8Array> => {
    const first = run * perRun;
    if (first >= segments) return Promise.resolve(new Uint8Array(0));
    const count = Math.min(perRun, segments - first);
    const bytes = count * segmentBytes - (first + count === segments ? segmentBytes - lastSegmentBytes : 0);
    const buffer = (buffers[run % 2] ??= Buffer.allocUnsafeSlow(perRun * segmentBytes));
    const reading = readUpTo(
      system,
      descriptor,
      buffer.subarray(0, bytes),
      header.regionBytes + first * segmentBytes,
    );
    reading.catch(() => {}); // awaited later, or not at all after another failure
    return reading;
  };
  let next = read(0);
  try {
    for (let run = 0, position = 0; position < segments; run++) {
      const sealed = await next;
      throwIfAborted(signal);
      next = read(run + 1);
      for (let at = 0; at < perRun * segmentBytes && position < segments; at += segmentBytes, position++) {
        const final = position === segments - 1;
        const segment = sealed.subarray(at, final ? at + lastSegmentBytes : at + segmentBytes);
        const plain = openSegment(header, segment, position, final);
        if (plain === undefined) return false;
        content.set(plain, position * plainSegmentBytes);
        releaseParts([plain]);
      }
    }
    return true;
  } finally {
    await next.catch(() => {});
  }
}
