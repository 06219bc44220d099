/** With `opaqueErrors` everything that can be wrong with sealed data is one and the same error. */

import { beforeAll, describe, expect, it } from 'vitest';

import { encrypt, type KeyProvider, type OpenOptions, VolsealError } from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { codeOf } from './expectations.ts';
import { flip, join, put, rechecksum } from './forge.ts';
import { byteAtATime, type Opener, openers } from './openers.ts';
import { partOf, viewOf } from './sealed-map.ts';
import { makeSubject, type Subject } from './subjects.ts';

interface Failure {
  readonly code: string;
  readonly sealed: Uint8Array;
  readonly options?: Partial<OpenOptions>;
}

/** A service that wraps, and fails with whatever it is given to unwrap later. */
function failing(): KeyProvider {
  let key = new Uint8Array(0);
  let opens = true;
  return {
    type: 'some-service',
    async wrap(dataKey) {
      key = Uint8Array.from(dataKey);
      return { type: 'some-service', keyId: 'k1', bytes: Uint8Array.of(1) };
    },
    async unwrap() {
      if (!opens) throw new Error('malformed ciphertext');
      opens = false; // once, for the check of a new slot
      return key;
    },
    describe: async () => ({ type: 'some-service', primary: 'k1', keys: [{ keyId: 'k1', primary: true }] }),
  };
}

let subject: Subject;
let failures: readonly Failure[];

beforeAll(async () => {
  subject = await makeSubject({ plainBytes: 9_000, context: { tenant: 'acme' } });
  const other = await makeSubject({ plainBytes: 9_000, context: { tenant: 'acme' } });
  const { regionBytes } = subject.map;
  const { sealed } = subject;
  const service = failing();
  const ofService = await encrypt(subject.plain, { keys: service });
  const both = (edit: (bytes: Uint8Array, half: 0 | 1) => Uint8Array): Uint8Array =>
    rechecksum(edit(edit(sealed, 0), 1), regionBytes, [0, 1]);
  const at = (half: 0 | 1, name: string): number => partOf(subject.map, half, name).offset;
  const damaged = flip(flip(sealed, at(0, 'CRC')), at(1, 'CRC'));
  const unknownVersion = flip(flip(sealed, at(0, 'version')), at(1, 'version'));
  const conflict = put(sealed, regionBytes / 2, other.sealed.subarray(regionBytes / 2, regionBytes));
  const body = subject.map.segments[1] as { start: number };
  failures = [
    { code: 'ERR_VOLSEAL_NOT_SEALED', sealed: new Uint8Array(10_000) },
    { code: 'ERR_VOLSEAL_PROVIDER_FAILED', sealed: ofService, options: { keys: service } },
    { code: 'ERR_VOLSEAL_NOT_SEALED', sealed: new Uint8Array(0) },
    { code: 'ERR_VOLSEAL_UNSUPPORTED_VERSION', sealed: unknownVersion },
    {
      code: 'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
      sealed: both((bytes, half) => flip(bytes, at(half, 'flags'))),
    },
    {
      // of a mutable body, whose suites are others
      code: 'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      sealed: both((bytes, half) => put(bytes, at(half, 'body kind'), Uint8Array.of(2))),
    },
    {
      code: 'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      sealed: both((bytes, half) => put(bytes, at(half, 'AEAD id'), Uint8Array.of(9))),
    },
    { code: 'ERR_VOLSEAL_HEADER_DAMAGED', sealed: damaged },
    {
      code: 'ERR_VOLSEAL_HEADER_INVALID',
      sealed: both((bytes, half) => flip(bytes, at(half, 'slot count'))),
    },
    { code: 'ERR_VOLSEAL_HEADER_CONFLICT', sealed: conflict },
    { code: 'ERR_VOLSEAL_HEADER_TAMPERED', sealed: both((bytes, half) => flip(bytes, at(half, 'MAC'))) },
    { code: 'ERR_VOLSEAL_KEY_MISSING', sealed, options: { keys: testKeys('b') } },
    { code: 'ERR_VOLSEAL_WRONG_KEY', sealed: both((bytes, half) => flip(bytes, at(half, 'slot 0 tag'))) },
    {
      code: 'ERR_VOLSEAL_WRONG_KEY',
      sealed: both((bytes, half) => flip(bytes, at(half, 'context') + 9, 0x01)),
    },
    { code: 'ERR_VOLSEAL_CONTEXT_MISMATCH', sealed, options: { context: { tenant: 'umbrella' } } },
    { code: 'ERR_VOLSEAL_CONTEXT_MISMATCH', sealed, options: { exactContext: true } },
    { code: 'ERR_VOLSEAL_TAMPERED', sealed: flip(sealed, body.start + 100) },
    { code: 'ERR_VOLSEAL_TAMPERED', sealed: flip(sealed, sealed.length - 1) },
    { code: 'ERR_VOLSEAL_TRUNCATED', sealed: sealed.subarray(0, sealed.length - 1) },
    { code: 'ERR_VOLSEAL_TRUNCATED', sealed: sealed.subarray(0, regionBytes + 10) },
    { code: 'ERR_VOLSEAL_TRUNCATED', sealed: sealed.subarray(0, regionBytes - 1) },
    { code: 'ERR_VOLSEAL_TRAILING_DATA', sealed: join(sealed, Uint8Array.of(0)) },
  ];
});

async function errorOf(
  opener: Opener,
  { sealed, options }: Failure,
  opaqueErrors: boolean,
): Promise<VolsealError> {
  const { error, left } = await opener.open(sealed, { keys: subject.keys, opaqueErrors, ...options });
  expect(left).toEqual([]);
  if (error instanceof VolsealError) return error;
  throw new Error(`${opener.name}: ${codeOf(error)}`);
}

/** All that a program can see of an error, but for where it was made. */
function visible(error: VolsealError): Record<string, unknown> {
  const own = Object.getOwnPropertyNames(error).filter((name) => name !== 'stack');
  return Object.fromEntries(own.map((name) => [name, error[name as keyof VolsealError]]));
}

describe.each([...openers, byteAtATime])('$name', (opener) => {
  it('tells apart what went wrong, unless errors are opaque', async () => {
    for (const failure of failures) {
      expect((await errorOf(opener, failure, false)).code).toBe(failure.code);
      const opaque = await errorOf(opener, failure, true);
      expect(visible(opaque), failure.code).toEqual({
        name: 'VolsealError',
        code: 'ERR_VOLSEAL_CANNOT_OPEN',
        message: 'the data cannot be opened',
        retryable: false,
      });
      // The stack begins with name and message, and names functions of this package, not the file.
      expect(opaque.stack).not.toMatch(/sealed\.vsl|acme/);
    }
  });

  it('what is not about the data stays as it is', async () => {
    const aborted = { keys: subject.keys, opaqueErrors: true, signal: AbortSignal.abort() };
    expect(codeOf((await opener.open(subject.sealed, aborted)).error)).toBe('ERR_VOLSEAL_ABORTED');
  });
});

it('the unknown version is what the others take it for', () => {
  expect(viewOf(subject.sealed).getUint16(8)).toBe(1);
});
