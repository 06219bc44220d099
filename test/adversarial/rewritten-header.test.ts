/** Files whose halves have been rewritten since they were made: which one holds, and what may not be mixed. */

import { beforeAll, describe, expect, it } from 'vitest';

import { decrypt, inspect } from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { expectAttack, type Verdict } from './expectations.ts';
import { flip, put } from './forge.ts';
import { partOf } from './sealed-map.ts';
import { rewritten, slotFor, slotsOf } from './rewrite.ts';
import { makeSubject, type Subject } from './subjects.ts';

let subject: Subject;
let other: Subject;
/** Half 0 is of generation 2, with a slot for `b` alone; half 1 of generation 1, with the slot for `a`. */
let rotated: Uint8Array;

beforeAll(async () => {
  subject = await makeSubject({ name: 'one', plainBytes: 5_000, context: { tenant: 'acme' } });
  other = await makeSubject({ name: 'two', plainBytes: 5_000, context: { tenant: 'acme' } });
  rotated = rewritten(subject, subject.sealed, 0, { generation: 2n, slots: [slotFor(subject, 'b')] });
});

const expectVerdict = (
  name: string,
  sealed: Uint8Array,
  verdict: Verdict,
  inspected: Verdict = verdict,
  label = 'a',
): Promise<void> => expectAttack({ name, sealed, verdict, inspected }, { ...subject, keys: testKeys(label) });

it('what the rewriting makes is what the library made', () => {
  expect(rewritten(subject, subject.sealed, 0, { generation: 1n })).toEqual(subject.sealed);
  expect(rewritten(subject, subject.sealed, 1, { generation: 1n })).toEqual(subject.sealed);
});

describe('the half of the higher generation holds', () => {
  it('half 0', () => expectVerdict('rotated', rotated, 'opens', 'opens', 'b'));

  it('half 1', async () => {
    const sealed = rewritten(subject, subject.sealed, 1, { generation: 2n, slots: [slotFor(subject, 'b')] });
    await expectVerdict('rotated', sealed, 'opens', 'opens', 'b');
  });

  it('also far above the other', async () => {
    const sealed = rewritten(subject, rotated, 1, { generation: 2n ** 53n - 1n });
    await expectVerdict('the highest generation', sealed, 'opens');
  });

  it('with several slots, each of which opens it', async () => {
    const slots = ['b', 'c', 'd', 'e', 'f', 'g', 'h'].map((label) => slotFor(subject, label));
    const sealed = rewritten(subject, subject.sealed, 0, {
      generation: 2n,
      slots: [...slotsOf(subject), ...slots],
    });
    for (const label of ['a', 'd', 'h'])
      await expectVerdict(`slot of ${label}`, sealed, 'opens', 'opens', label);
  });

  it('and inspect shows both', async () => {
    const { generation, copies, slots } = await inspect(rotated);
    expect(generation).toBe(2);
    expect(copies.map(({ generation }) => generation)).toEqual([2, 1]);
    expect(slots.map(({ label }) => label)).toEqual(['b']);
  });
});

describe('the older half is no way round the newer one', () => {
  it('its key does not open the file any more', () =>
    expectVerdict('removed slot', rotated, 'ERR_VOLSEAL_KEY_MISSING', 'opens'));

  it('a slot of the newer one that does not open stays closed', async () => {
    const at = partOf(subject.map, 0, 'slot 0 tag').offset;
    const broken = rewritten(subject, subject.sealed, 0, {
      generation: 2n,
      slots: slotsOf(subject).map((slot) => flip(slot, 70)),
    });
    expect(broken[at]).not.toBe(undefined);
    await expectVerdict('broken slot', broken, 'ERR_VOLSEAL_WRONG_KEY', 'opens');
  });

  it('unless the newer one is damaged', async () => {
    await expectVerdict('damaged', flip(rotated, 200), 'opens', 'opens', 'a');
    await expectVerdict('damaged', flip(rotated, 200), 'ERR_VOLSEAL_KEY_MISSING', 'opens', 'b');
  });
});

describe('what may not be mixed', () => {
  it('two halves of one generation that differ, both authentic', async () => {
    const sealed = rewritten(subject, subject.sealed, 0, { generation: 1n, slots: [slotFor(subject, 'b')] });
    await expectVerdict('equal generations', sealed, 'ERR_VOLSEAL_HEADER_CONFLICT');
  });

  it.each([1n, 2n, 9n])('a half of another file, of generation %d', async (generation) => {
    const foreign = rewritten(other, other.sealed, 1, { generation });
    const half = subject.map.regionBytes / 2;
    const sealed = put(subject.sealed, half, foreign.subarray(half, 2 * half));
    await expectVerdict('half 1 of another file', sealed, 'ERR_VOLSEAL_HEADER_CONFLICT');
    const first = rewritten(other, other.sealed, 0, { generation });
    await expectVerdict(
      'half 0 of another file',
      put(subject.sealed, 0, first.subarray(0, half)),
      'ERR_VOLSEAL_HEADER_CONFLICT',
    );
  });

  it('a half of another file beside a damaged one', async () => {
    const half = subject.map.regionBytes / 2;
    const sealed = flip(put(subject.sealed, half, other.sealed.subarray(half, 2 * half)), 30);
    // Everything in it is authentic, but for another body.
    await expectVerdict('half 1 of another file', sealed, 'ERR_VOLSEAL_TAMPERED', 'opens');
  });

  it('an older half of this file put back is an older header of this file', async () => {
    const twice = rewritten(subject, rotated, 1, { generation: 3n, slots: [slotFor(subject, 'c')] });
    const half = subject.map.regionBytes / 2;
    const back = put(twice, half, subject.sealed.subarray(half, 2 * half));
    // docs/format/v1.md §9: nothing inside one file can tell.
    await expectVerdict('half 1 of generation 1 again', back, 'opens', 'opens', 'b');
  });
});

it('a context that the older half does not have', async () => {
  const sealed = await decrypt(rotated, {
    keys: testKeys('b'),
    context: { tenant: 'acme' },
    exactContext: true,
  });
  expect(sealed).toHaveLength(5_000);
  const { offset } = partOf(subject.map, 0, 'context');
  await expectVerdict('context of half 0 changed', flip(rotated, offset + 5), 'opens', 'opens', 'a');
});
