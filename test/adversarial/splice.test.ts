/** Pieces of two files under the same key, of the same size and shape, put together. */

import { beforeAll, describe, expect, it } from 'vitest';

import type { Suite } from '../../src/index.ts';
import { expectAttack, type Verdict } from './expectations.ts';
import { type Halves, join, put, rechecksum } from './forge.ts';
import { type Part, partOf } from './sealed-map.ts';
import { makeSubject, type Subject } from './subjects.ts';

const suites: readonly Suite[] = ['aes-256-gcm', 'xchacha20-poly1305'];

describe.each(suites)('%s', (suite) => {
  let a: Subject;
  let b: Subject;

  beforeAll(async () => {
    const shape = { suite, plainBytes: 10_000, context: { tenant: 'acme' } };
    [a, b] = await Promise.all([
      makeSubject({ ...shape, name: 'one' }),
      makeSubject({ ...shape, name: 'two' }),
    ]);
  });

  it('they are of one length', () => {
    expect(a.sealed).toHaveLength(b.sealed.length);
  });

  const attack = (
    name: string,
    sealed: Uint8Array,
    verdict: Verdict,
    authenticSegments = 0,
    inspected: Verdict = 'opens',
  ): Promise<void> => expectAttack({ name, sealed, verdict, inspected, authenticSegments }, a);

  const regionOf = (subject: Subject): Uint8Array => subject.sealed.subarray(0, subject.map.regionBytes);
  const bodyOf = (subject: Subject): Uint8Array => subject.sealed.subarray(subject.map.regionBytes);

  it('the body of one under the header of the other', async () => {
    await attack('header of a, body of b', join(regionOf(a), bodyOf(b)), 'ERR_VOLSEAL_TAMPERED');
  });

  it('each segment of one in the place of the same segment of the other', async () => {
    for (const [position, { start, end }] of a.map.segments.entries()) {
      const sealed = put(a.sealed, start, b.sealed.subarray(start, end));
      await attack(`segment ${position} of b`, sealed, 'ERR_VOLSEAL_TAMPERED', position);
    }
  });

  it('each part of each segment', async () => {
    for (const [position, { parts }] of a.map.segments.entries()) {
      for (const { name, offset, bytes } of parts) {
        // Equal in both: how long a segment is says nothing about whose it is.
        if (name.endsWith('prefix')) continue;
        const sealed = put(a.sealed, offset, b.sealed.subarray(offset, offset + bytes));
        await attack(`${name} of b`, sealed, 'ERR_VOLSEAL_TAMPERED', position);
      }
    }
  });

  it('the tail of one after the head of the other', async () => {
    for (const [position, { start }] of a.map.segments.entries()) {
      const sealed = join(a.sealed.subarray(0, start), b.sealed.subarray(start));
      await attack(`b from segment ${position} on`, sealed, 'ERR_VOLSEAL_TAMPERED', position);
    }
  });

  /** These parts of the header from `b`, in the named halves, with matching checksums. */
  const fromOther = (names: readonly string[], halves: Halves): Uint8Array => {
    let { sealed } = a;
    for (const half of halves) {
      for (const name of names) {
        const part: Part = partOf(a.map, half, name);
        sealed = put(sealed, part.offset, b.sealed.subarray(part.offset, part.offset + part.bytes));
      }
    }
    return rechecksum(sealed, a.map.regionBytes, halves);
  };
  const slot = ['nonce', 'ciphertext', 'tag', 'commitment'].map((name) => `slot 0 ${name}`);
  const floeHeader = ['FLOE IV', 'header tag'];

  it.each([
    ['the slot', slot, 'ERR_VOLSEAL_WRONG_KEY'],
    ['the file id', ['file id'], 'ERR_VOLSEAL_WRONG_KEY'],
    ['the FLOE header', floeHeader, 'ERR_VOLSEAL_WRONG_KEY'],
    ['the slot and the FLOE header', [...slot, ...floeHeader], 'ERR_VOLSEAL_WRONG_KEY'],
    ['the slot and the file id', [...slot, 'file id'], 'ERR_VOLSEAL_WRONG_KEY'],
    ['the MAC', ['MAC'], 'ERR_VOLSEAL_HEADER_TAMPERED'],
    ['all but the MAC', [...slot, ...floeHeader, 'file id'], 'ERR_VOLSEAL_HEADER_TAMPERED'],
    ['all', [...slot, ...floeHeader, 'file id', 'MAC'], 'ERR_VOLSEAL_TAMPERED'],
  ] as const)('%s of the other file, in both halves', async (name, parts, verdict) => {
    await attack(name, fromOther(parts, [0, 1]), verdict);
  });

  it.each([[0], [1]] as const)(
    'the slot or the identity of the other file, in half %d alone',
    async (half) => {
      for (const parts of [slot, floeHeader, ['file id'], [...slot, ...floeHeader, 'file id', 'MAC']]) {
        const sealed = fromOther(parts, [half]);
        await attack(
          parts.join(', '),
          sealed,
          'ERR_VOLSEAL_HEADER_CONFLICT',
          0,
          'ERR_VOLSEAL_HEADER_CONFLICT',
        );
      }
    },
  );
});

it('the body of a file with another context', async () => {
  const [a, b] = await Promise.all([
    makeSubject({ plainBytes: 10, context: { tenant: 'acme' } }),
    makeSubject({ plainBytes: 10, context: { tenant: 'umbr' } }),
  ]);
  const { offset, bytes } = partOf(a.map, 0, 'context');
  const theirs = b.sealed.subarray(offset, offset + bytes);
  const half = a.map.regionBytes / 2;
  const sealed = rechecksum(
    put(put(a.sealed, offset, theirs), half + offset, theirs),
    a.map.regionBytes,
    [0, 1],
  );
  // The context is under the FLOE header tag.
  await expectAttack(
    { name: 'context of b', sealed, verdict: 'ERR_VOLSEAL_WRONG_KEY', inspected: 'opens' },
    a,
  );
});
