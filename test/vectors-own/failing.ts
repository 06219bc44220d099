/** The pieces that definitions of failing vectors are made of. */

import { flip, type Halves, put, rechecksum } from '../adversarial/forge.ts';
import { partOf } from '../adversarial/sealed-map.ts';
import type { Subject } from '../adversarial/subjects.ts';
import { opens } from './valid.ts';
import type { Definition } from './vector.ts';

export const bytes = (...values: readonly number[]): Uint8Array => Uint8Array.from(values);

export function fails(
  expect: string,
  what: string,
  subject: Subject,
  change: Partial<Definition> = {},
): Definition {
  return opens(what, subject, {
    expect: `ERR_VOLSEAL_${expect}`,
    plainSegmentBytes: subject.plainSegmentBytes,
    ...change,
  });
}

/** Both what opening and what inspecting gives. */
export function failsEarly(expect: string, what: string, subject: Subject, sealed: Uint8Array): Definition {
  return fails(expect, what, subject, { sealed, expectInspect: `ERR_VOLSEAL_${expect}` });
}

/** A field of these halves set to bytes, or its first byte flipped, under a checksum that matches. */
export function forged(
  subject: Subject,
  field: string,
  to?: Uint8Array,
  halves: Halves = [0, 1],
): Uint8Array {
  let { sealed } = subject;
  for (const half of halves) {
    const { offset } = partOf(subject.map, half, field);
    sealed = to === undefined ? flip(sealed, offset) : put(sealed, offset, to);
  }
  return rechecksum(sealed, subject.map.regionBytes, halves);
}
