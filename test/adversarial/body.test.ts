/** Segments that were changed, cut off, appended, moved, doubled, removed or exchanged. */

import { beforeAll, describe, it } from 'vitest';

import type { Suite } from '../../src/index.ts';
import { expectAttack, type Verdict } from './expectations.ts';
import { flip, join, put } from './forge.ts';
import { byteAtATime, openers } from './openers.ts';
import { viewOf } from './sealed-map.ts';
import { makeSubject, plaintextOf, type Subject } from './subjects.ts';

const tampered: Verdict = 'ERR_VOLSEAL_TAMPERED';
const truncated: Verdict = 'ERR_VOLSEAL_TRUNCATED';
const trailing: Verdict = 'ERR_VOLSEAL_TRAILING_DATA';

interface Shape {
  readonly name: string;
  readonly suite: Suite;
  readonly plainBytes: number;
}

/** Whole segments of 4,096 bytes hold 4,064 or 4,052 bytes of plaintext. */
const shapes: readonly Shape[] = [
  { name: 'two whole segments and a part', suite: 'aes-256-gcm', plainBytes: 2 * 4_064 + 1_700 },
  { name: 'two whole segments and a part', suite: 'xchacha20-poly1305', plainBytes: 2 * 4_052 + 1_700 },
  { name: 'three whole segments', suite: 'aes-256-gcm', plainBytes: 3 * 4_064 },
  { name: 'one byte', suite: 'aes-256-gcm', plainBytes: 1 },
  { name: 'nothing', suite: 'aes-256-gcm', plainBytes: 0 },
];

describe.each(shapes)('$name, $suite', ({ name, suite, plainBytes }) => {
  let subject: Subject;
  let segment: (position: number) => Uint8Array;
  let last: number;

  beforeAll(async () => {
    subject = await makeSubject({ name, suite, plainBytes });
    last = subject.map.segments.length - 1;
    segment = (position) => {
      const { start, end } = subject.map.segments[position] as { start: number; end: number };
      return subject.sealed.subarray(start, end);
    };
  });

  const attack = (
    what: string,
    sealed: Uint8Array,
    verdict: Verdict,
    authenticSegments = 0,
    endFirstVerdict: Verdict = verdict,
  ): Promise<void> =>
    expectAttack(
      { name: what, sealed, verdict, endFirstVerdict, inspected: 'opens', authenticSegments },
      subject,
      {},
      // Byte by byte costs as much as all the others together.
      plainBytes > 1 ? openers : [...openers, byteAtATime],
    );

  /** The region and these segments. */
  const file = (...segments: readonly Uint8Array[]): Uint8Array =>
    join(subject.sealed.subarray(0, subject.map.regionBytes), ...segments);

  it('as it is', () => attack('unchanged', subject.sealed, 'opens'));

  it('each part of each segment changed', async () => {
    for (const [position, { parts }] of subject.map.segments.entries()) {
      for (const part of parts) {
        // Where in a part makes no difference, but in a length: see the claims below.
        const offset = part.name.endsWith('prefix') ? part.offset : part.offset + part.bytes - 1;
        await attack(`${part.name}, byte ${offset}`, flip(subject.sealed, offset, 0x01), tampered, position);
      }
    }
  });

  it('the last segment claims another length', async () => {
    const { start, end } = subject.map.segments[last] as { start: number; end: number };
    const claim = (bytes: number, verdict: Verdict): Promise<void> => {
      const sealed = Uint8Array.from(subject.sealed);
      viewOf(sealed).setUint32(start, bytes);
      return attack(`claims ${bytes}`, sealed, verdict, last);
    };
    const length = end - start;
    await claim(0, tampered);
    await claim(subject.map.segmentBytes + 1, tampered);
    await claim(0x7fffffff, tampered);
    await claim(0xfffffffe, tampered);
    // Cut short looks just like this, unless nothing can be missing.
    await claim(0xffffffff, length === subject.map.segmentBytes ? tampered : truncated);
    if (length < subject.map.segmentBytes) await claim(length + 1, truncated);
    // Shorter than it is: what it claims to be does not authenticate, so nothing was appended.
    await claim(length - 1, tampered);
  });

  it('a segment claims to be the last', async () => {
    for (let position = 0; position < last; position++) {
      const { start } = subject.map.segments[position] as { start: number };
      for (const claimed of [0, 31, 44, 4_096, 4_097]) {
        const sealed = Uint8Array.from(subject.sealed);
        viewOf(sealed).setUint32(start, claimed);
        await attack(`segment ${position} claims ${claimed}`, sealed, tampered, position);
      }
    }
  });

  it('cut at every border, and a byte before and after it', async () => {
    const borders = subject.map.segments.flatMap(({ parts }) => parts.map(({ offset }) => offset));
    const lengths = new Set(
      [...borders, subject.sealed.length].flatMap((border) => [border - 1, border, border + 1]),
    );
    for (const length of lengths) {
      if (length < subject.map.regionBytes || length >= subject.sealed.length) continue;
      const whole = subject.map.segments.filter(({ end }) => end <= length).length;
      await attack(`cut to ${length}`, subject.sealed.subarray(0, length), truncated, whole);
    }
  });

  /** What a reader of the end says of appended bytes: a segment that is not authentic, if there is enough for one. */
  const fromTheEnd = (appendedBytes: number): Verdict => {
    const overheadBytes = suite === 'aes-256-gcm' ? 32 : 44;
    const bytesInLast = segment(last).length;
    return appendedBytes - (subject.map.segmentBytes - bytesInLast) >= overheadBytes ? tampered : trailing;
  };

  it('extended', async () => {
    const toBorder = subject.map.segmentBytes - segment(last).length;
    const lengths = [1, 31, 32, 43, 44, toBorder - 1, toBorder, toBorder + 1, toBorder + 31, toBorder + 32];
    for (const bytes of new Set(lengths.filter((length) => length > 0))) {
      const more = bytes % 2 === 0 ? new Uint8Array(bytes) : plaintextOf('noise', bytes);
      await attack(`${bytes} bytes more`, join(subject.sealed, more), trailing, last, fromTheEnd(bytes));
    }
    await attack('itself', join(subject.sealed, subject.sealed), trailing, last, tampered);
  });

  it('without its last segment', async () => {
    const kept = Array.from({ length: last }, (_, position) => segment(position));
    await attack('the last is missing', file(...kept), truncated, last - 1);
  });

  it('segments within the file moved, doubled and removed', async () => {
    const all = Array.from({ length: last + 1 }, (_, position) => segment(position));
    for (let position = 0; position < last; position++) {
      await attack(`segment ${position} removed`, file(...all.toSpliced(position, 1)), tampered, position);
      const doubled = all.toSpliced(position, 0, segment(position));
      await attack(`segment ${position} doubled`, file(...doubled), tampered, position + 1);
      for (let other = position + 1; other <= last; other++) {
        const swapped = [...all];
        [swapped[position], swapped[other]] = [segment(other), segment(position)];
        await attack(`segments ${position} and ${other} swapped`, file(...swapped), tampered, position);
      }
    }
    await attack(
      'the last doubled',
      file(...all, segment(last)),
      trailing,
      last,
      fromTheEnd(segment(last).length),
    );
  });

  it('the parts of two segments exchanged', async () => {
    for (let position = 0; position < last; position++) {
      const [here, there] = [subject.map.segments[position], subject.map.segments[position + 1]];
      for (const part of ['nonce', 'tag']) {
        const [a, b] = [here, there].map((map) => map?.parts.find(({ name }) => name.endsWith(part)));
        if (a === undefined || b === undefined) throw new Error(`no ${part}`);
        const sealed = put(subject.sealed, a.offset, subject.sealed.subarray(b.offset, b.offset + b.bytes));
        await attack(`${part} of the next segment in ${position}`, sealed, tampered, position);
      }
    }
  });
});
