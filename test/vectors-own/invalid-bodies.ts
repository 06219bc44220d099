/** Vectors of bodies that are not whole or not authentic. */

import { flip, join, put } from '../adversarial/forge.ts';
import { makeSubject, type Subject } from '../adversarial/subjects.ts';
import { bytes, fails } from './failing.ts';
import type { Definition } from './vector.ts';

function bodies(subject: Subject, other: Subject): [string, Definition][] {
  const { sealed } = subject;
  const region = sealed.subarray(0, subject.map.regionBytes);
  const [first, second, last] = subject.map.segments.map(({ start, end }) => sealed.subarray(start, end)) as [
    Uint8Array,
    Uint8Array,
    Uint8Array,
  ];
  const [at0, at1, at2] = subject.map.segments.map(({ start }) => start) as [number, number, number];
  const body = (
    expect: string,
    what: string,
    changed: Uint8Array,
    authenticSegments = 0,
    expectFromTheEnd?: string,
  ): Definition =>
    fails(expect, what, subject, {
      sealed: changed,
      authenticSegments,
      ...(expectFromTheEnd !== undefined && { expectFromTheEnd: `ERR_VOLSEAL_${expectFromTheEnd}` }),
    });
  return [
    ['segment-0-ciphertext', body('TAMPERED', 'a changed ciphertext in segment 0', flip(sealed, at0 + 100))],
    ['segment-1-nonce', body('TAMPERED', 'a changed nonce in segment 1', flip(sealed, at1 + 4), 1)],
    [
      'segment-1-prefix',
      body('TAMPERED', 'segment 1 says it is the last', put(sealed, at1, bytes(0, 0, 16, 0)), 1),
    ],
    [
      'last-segment-tag',
      body('TAMPERED', 'a changed tag in the last segment', flip(sealed, sealed.length - 1), 2),
    ],
    [
      'last-segment-prefix',
      body('TAMPERED', 'the last segment says it is shorter', put(sealed, at2, bytes(0, 0, 0, 100)), 2),
    ],
    ['segments-swapped', body('TAMPERED', 'segments 0 and 1 exchanged', join(region, second, first, last))],
    ['segment-doubled', body('TAMPERED', 'segment 1 twice', join(region, first, second, second, last), 2)],
    ['segment-removed', body('TAMPERED', 'without segment 1', join(region, first, last), 1)],
    [
      'segment-of-other',
      body(
        'TAMPERED',
        'segment 1 of another file under the same key',
        put(sealed, at1, other.sealed.subarray(at1, at2)),
        1,
      ),
    ],
    [
      'body-of-other',
      body(
        'TAMPERED',
        'the body of another file under the same key',
        join(region, other.sealed.subarray(at0)),
      ),
    ],
    ['no-body', body('TRUNCATED', 'the header alone', region)],
    [
      'cut-in-prefix',
      body('TRUNCATED', 'an end in the first four bytes of a segment', sealed.subarray(0, at1 + 2), 1),
    ],
    ['cut-in-segment', body('TRUNCATED', 'an end within a segment', sealed.subarray(0, at1 + 1_000), 1)],
    ['cut-at-border', body('TRUNCATED', 'an end between two segments', sealed.subarray(0, at2), 1)],
    ['cut-in-last', body('TRUNCATED', 'one byte missing', sealed.subarray(0, -1), 2)],
    ['one-byte-more', body('TRAILING_DATA', 'one byte more', join(sealed, bytes(0)), 2)],
    [
      'much-more',
      body(
        'TRAILING_DATA',
        'a second copy of the body behind it',
        join(sealed, sealed.subarray(at0)),
        2,
        'TAMPERED',
      ),
    ],
    [
      'stub-more',
      body(
        'TRAILING_DATA',
        'too little behind the last segment to be one',
        join(sealed, new Uint8Array(4_096 - last.length + 10)),
        2,
      ),
    ],
  ];
}

/** Definitions by the names of their files. */
export async function bodyVectors(): Promise<[string, Definition][]> {
  const large = { plainBytes: 2 * 4_064 + 300 };
  const [subject, other] = await Promise.all([
    makeSubject({ ...large, name: 'one' }),
    makeSubject({ ...large, name: 'two' }),
  ]);
  return bodies(subject, other);
}
