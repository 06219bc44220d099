/** Bytes of any kind into everything that reads a header: only errors of our own come out, and no memory of a size they name. */

import fc from 'fast-check';
import { beforeAll, expect, it } from 'vitest';

import { decrypt, inspect, VolsealError } from '../../src/index.ts';
import { findHeader, headerBytesNeeded } from '../../src/envelope/region.ts';
import { testKeys } from '../../src/testing.ts';
import { largestAllocation } from './allocations.ts';
import { codeOf, expectTruePlaintext } from './expectations.ts';
import { externalKeys } from './external-keys.ts';
import { rechecksum } from './forge.ts';
import { byteAtATime, openers } from './openers.ts';
import { viewOf } from './sealed-map.ts';
import { makeSubject, type Subject } from './subjects.ts';

let subjects: readonly Subject[];

beforeAll(async () => {
  const moreKeys = [externalKeys('one', 200), testKeys('b')];
  subjects = await Promise.all([
    makeSubject({ plainBytes: 0 }),
    makeSubject({ plainBytes: 9_000, context: { tenant: 'acme', user: '17' } }),
    makeSubject({ plainBytes: 5_000, suite: 'xchacha20-poly1305', moreKeys }),
  ]);
});

/** Ours, or nothing: anything else that is thrown is a defect. */
async function codeOr<T>(call: () => T | Promise<T>): Promise<{ code: string; value?: T }> {
  try {
    return { code: 'opens', value: await call() };
  } catch (error) {
    expect(error, codeOf(error)).toBeInstanceOf(VolsealError);
    expect((error as VolsealError).code).not.toBe('ERR_VOLSEAL_INTERNAL');
    return { code: codeOf(error) };
  }
}

async function readEverywhere(bytes: Uint8Array, keys: Subject['keys']): Promise<string> {
  const needed = headerBytesNeeded(bytes);
  expect(needed).toBeLessThanOrEqual(65_536);
  const header = await codeOr(() => findHeader(bytes.subarray(0, 65_536)));
  const described = await codeOr(() => inspect(bytes));
  expect(described.code).toBe(header.code);
  const opened = await codeOr(() => decrypt(bytes, { keys }));
  if (header.code !== 'opens') expect(opened.code).toBe(header.code);
  return opened.code;
}

const magic = [0x89, 0x56, 0x53, 0x4c, 0x0d, 0x0a, 0x1a, 0x0a];

it('any bytes', async () => {
  const prefix = fc.constantFrom([], magic, [...magic, 0, 1], [...magic, 0, 1, 0, 12, 0, 0, 1, 0x60]);
  const largest = await largestAllocation(() =>
    fc.assert(
      fc.asyncProperty(prefix, fc.uint8Array({ maxLength: 6_000 }), async (first, rest) => {
        expect(await readEverywhere(Uint8Array.from([...first, ...rest]), testKeys('a'))).not.toBe('opens');
      }),
      { numRuns: 200 },
    ),
  );
  expect(largest).toBeLessThanOrEqual(65_536);
});

/** A change of a byte, a cut, a gap or a doubling, anywhere; positions in thousandths of the length. */
interface Mutation {
  readonly kind: 'set' | 'cut' | 'remove' | 'double' | 'number';
  readonly at: number;
  readonly bytes: number;
  readonly value: number;
}

const mutations: fc.Arbitrary<Mutation[]> = fc.array(
  fc.record({
    kind: fc.constantFrom('set', 'set', 'set', 'number', 'cut', 'remove', 'double'),
    // Half of them where the fields of half 0 are.
    at: fc.oneof(
      fc.nat(9_999),
      fc.nat(400).map((at) => -at),
    ),
    bytes: fc.integer({ min: 1, max: 600 }),
    value: fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 0x7fffffff, 0xffffffff)),
  }),
  { minLength: 1, maxLength: 6 },
);

function mutated(sealed: Uint8Array, list: readonly Mutation[]): Uint8Array {
  let bytes = Uint8Array.from(sealed);
  for (const { kind, at, bytes: count, value } of list) {
    if (bytes.length < 8) return bytes;
    const offset = at < 0 ? -at % bytes.length : Math.floor((at * bytes.length) / 10_000);
    if (kind === 'set') bytes[offset] = value;
    if (kind === 'number' && offset + 4 <= bytes.length) viewOf(bytes).setUint32(offset, value);
    if (kind === 'cut') bytes = bytes.slice(0, offset);
    if (kind === 'remove')
      bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, offset), bytes.subarray(offset + count)]));
    if (kind === 'double')
      bytes = Uint8Array.from(Buffer.concat([bytes.subarray(0, offset + count), bytes.subarray(offset)]));
  }
  return bytes;
}

/** Checksums that match again, where the copy still has a length. */
function withChecksums(bytes: Uint8Array): Uint8Array {
  let sealed = bytes;
  for (const half of [0, 1] as const) {
    const start = half * 2_048;
    if (sealed.length < start + 16) continue;
    const copyBytes = viewOf(sealed).getUint32(start + 12);
    if (copyBytes >= 52 && copyBytes <= 2_048 && sealed.length >= start + copyBytes)
      sealed = rechecksum(sealed, 4_096, [half]);
  }
  return sealed;
}

it.each([false, true])('sealed files with random changes, checksums made to match: %s', async (matching) => {
  const seen = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.nat(2), mutations, async (which, list) => {
      const subject = subjects[which] as Subject;
      const changed = mutated(subject.sealed, list);
      const sealed = matching ? withChecksums(changed) : changed;
      const largest = await largestAllocation(async () => {
        const verdict = await readEverywhere(sealed, subject.keys);
        seen.add(verdict);
        if (verdict === 'opens') expect(await decrypt(sealed, { keys: subject.keys })).toEqual(subject.plain);
      });
      expect(largest).toBeLessThanOrEqual(65_536);
    }),
    { numRuns: 600 },
  );
  // The changes reach past the first check.
  expect(seen.size).toBeGreaterThan(4);
});

/** These look at the size of the file or its end first, and of several faults may meet another one first. */
const lookAhead = (name: string): boolean => name === 'openEncrypted' || name === 'createDecryptReadStream';

it('every function comes to the same verdict, and lets nothing else out', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(2), mutations, async (which, list) => {
      const subject = subjects[which] as Subject;
      const { keys } = subject;
      const sealed = withChecksums(mutated(subject.sealed, list));
      const { code } = await codeOr(() => decrypt(sealed, { keys }));
      for (const opener of [...openers, byteAtATime]) {
        const outcome = await opener.open(sealed, { keys });
        const verdict = outcome.error === undefined ? 'opens' : codeOf(outcome.error);
        if (lookAhead(opener.name)) expect(verdict === 'opens', opener.name).toBe(code === 'opens');
        else expect(verdict, opener.name).toBe(code);
        expectTruePlaintext(outcome, subject, opener.name);
        if (code !== 'opens') expect(outcome.left, opener.name).toEqual([]);
      }
    }),
    { numRuns: 60 },
  );
});
