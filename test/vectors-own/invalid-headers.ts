/** Vectors of headers, keys and contexts that are refused, each for one reason. */

import { join, put, flip, rechecksum, resizeCopy } from '../adversarial/forge.ts';
import { rewritten, slotFor } from '../adversarial/rewrite.ts';
import { partOf } from '../adversarial/sealed-map.ts';
import { makeSubject, type Subject } from '../adversarial/subjects.ts';
import { bytes, fails, failsEarly, forged } from './failing.ts';
import { testSecret } from './valid.ts';
import type { Definition } from './vector.ts';

function headers(subject: Subject, other: Subject): [string, Definition][] {
  const { sealed } = subject;
  const half = subject.map.regionBytes / 2;
  const both = (offset: number): Uint8Array => flip(flip(sealed, offset), half + offset);
  const longer = (start: number, of: Uint8Array): Uint8Array =>
    resizeCopy(of, start, start + subject.map.copyBytes - 36, 0, bytes(0));
  return [
    ['empty', failsEarly('NOT_SEALED', 'no bytes', subject, bytes())],
    [
      'not-sealed',
      failsEarly('NOT_SEALED', 'plaintext', subject, Buffer.from('a plaintext file\n'.repeat(500))),
    ],
    ['cut-in-magic', failsEarly('NOT_SEALED', 'seven bytes of the magic', subject, sealed.subarray(0, 7))],
    ['cut-after-magic', failsEarly('TRUNCATED', 'the magic alone', subject, sealed.subarray(0, 8))],
    ['cut-in-half-0', failsEarly('TRUNCATED', 'an end in half 0', subject, sealed.subarray(0, 300))],
    ['cut-in-half-1', failsEarly('TRUNCATED', 'an end in half 1', subject, sealed.subarray(0, half + 300))],
    [
      'cut-in-padding',
      failsEarly('TRUNCATED', 'an end behind both copies', subject, sealed.subarray(0, 2 * half - 1)),
    ],
    ['header-damaged', failsEarly('HEADER_DAMAGED', 'both checksums broken', subject, both(150))],
    [
      'halves-swapped',
      failsEarly(
        'HEADER_DAMAGED',
        'half 1 before half 0',
        subject,
        join(sealed.subarray(half, 2 * half), sealed.subarray(0, half), sealed.subarray(2 * half)),
      ),
    ],
    [
      'later-version',
      failsEarly('UNSUPPORTED_VERSION', 'version 2', subject, forged(subject, 'version', bytes(0, 2))),
    ],
    [
      'later-body-kind',
      failsEarly('UNSUPPORTED_FEATURE', 'body kind 3', subject, forged(subject, 'body kind', bytes(3))),
    ],
    ['flags', failsEarly('UNSUPPORTED_FEATURE', 'a flag', subject, forged(subject, 'flags', bytes(0, 1)))],
    ['reserved', failsEarly('UNSUPPORTED_FEATURE', 'a reserved byte', subject, forged(subject, 'reserved'))],
    [
      'later-slot-type',
      failsEarly('UNSUPPORTED_FEATURE', 'slot type 9', subject, forged(subject, 'slot 0 type', bytes(9))),
    ],
    [
      'later-suite',
      failsEarly('UNSUPPORTED_SUITE', 'AEAD id 2', subject, forged(subject, 'AEAD id', bytes(2))),
    ],
    ['later-kdf', failsEarly('UNSUPPORTED_SUITE', 'KDF id 1', subject, forged(subject, 'KDF id', bytes(1)))],
    [
      'segment-length',
      failsEarly(
        'HEADER_INVALID',
        'segments of 2^32 - 1 bytes',
        subject,
        forged(subject, 'segment length', bytes(255, 255, 255, 255)),
      ),
    ],
    [
      'segment-step',
      failsEarly(
        'HEADER_INVALID',
        'segments of 4,100 bytes',
        subject,
        forged(subject, 'segment length', bytes(0, 0, 16, 4)),
      ),
    ],
    [
      'iv-length',
      failsEarly(
        'HEADER_INVALID',
        'an IV of 16 bytes',
        subject,
        forged(subject, 'IV length', bytes(0, 0, 0, 16)),
      ),
    ],
    [
      'generation-zero',
      failsEarly('HEADER_INVALID', 'generation 0', subject, forged(subject, 'generation', new Uint8Array(8))),
    ],
    ['state', failsEarly('HEADER_INVALID', 'a state in a write-once body', subject, forged(subject, 'acc'))],
    [
      'context-length',
      failsEarly(
        'HEADER_INVALID',
        'a context of 65,535 bytes',
        subject,
        forged(subject, 'context length', bytes(255, 255)),
      ),
    ],
    [
      'slot-count',
      failsEarly('HEADER_INVALID', '255 slots', subject, forged(subject, 'slot count', bytes(255))),
    ],
    [
      'after-slots',
      failsEarly('HEADER_INVALID', 'a byte behind the last slot', subject, longer(half, longer(0, sealed))),
    ],
    [
      'half-1-of-other',
      failsEarly(
        'HEADER_CONFLICT',
        'half 1 of another file',
        subject,
        put(sealed, half, other.sealed.subarray(half, 2 * half)),
      ),
    ],
    [
      'same-generation',
      failsEarly(
        'HEADER_CONFLICT',
        'two authentic halves of one generation with other slots',
        subject,
        rewritten(subject, sealed, 1, { generation: 1n, slots: [slotFor(subject, 'b')] }),
      ),
    ],
    [
      'one-half-forged',
      failsEarly(
        'HEADER_CONFLICT',
        'another key id in half 1',
        subject,
        forged(subject, 'slot 0 key id', undefined, [1]),
      ),
    ],
    [
      'generation-forged',
      fails('HEADER_TAMPERED', 'a higher generation in half 1 without the key', subject, {
        sealed: forged(subject, 'generation', bytes(0, 0, 0, 0, 0, 0, 0, 2), [1]),
      }),
    ],
    [
      'hint-forged',
      fails('HEADER_TAMPERED', 'another label in both halves without the key', subject, {
        sealed: forged(subject, 'slot 0 hint', bytes(0x62)),
      }),
    ],
    [
      'mac',
      fails('HEADER_TAMPERED', 'another MAC in both halves', subject, { sealed: forged(subject, 'MAC') }),
    ],
  ];
}

function keysAndContext(subject: Subject, other: Subject): [string, Definition][] {
  const rotated = rewritten(subject, subject.sealed, 0, { generation: 2n, slots: [slotFor(subject, 'b')] });
  const half = subject.map.regionBytes / 2;
  const { offset } = partOf(subject.map, 0, 'slot 0 nonce');
  const slot = other.sealed.subarray(offset, offset + 104);
  const moved = rechecksum(put(put(subject.sealed, offset, slot), half + offset, slot), 2 * half, [0, 1]);
  return [
    ['key-missing', fails('KEY_MISSING', 'no key of its slot', subject, { secrets: testSecret('b') })],
    [
      'key-of-same-label',
      fails('KEY_MISSING', 'another secret under the same label', subject, {
        secrets: { VOLSEAL_SECRET_a: Object.values(testSecret('b'))[0] as string },
      }),
    ],
    [
      'key-of-older-half',
      fails('KEY_MISSING', 'the key of a slot that the newer half has no more', subject, { sealed: rotated }),
    ],
    ['slot-tag', fails('WRONG_KEY', 'a changed slot', subject, { sealed: forged(subject, 'slot 0 tag') })],
    [
      'slot-commitment',
      fails('WRONG_KEY', 'a changed commitment', subject, { sealed: forged(subject, 'slot 0 commitment') }),
    ],
    ['slot-of-other', fails('WRONG_KEY', 'the slot of another file', subject, { sealed: moved })],
    ['file-id', fails('WRONG_KEY', 'another file id', subject, { sealed: forged(subject, 'file id') })],
    ['floe-iv', fails('WRONG_KEY', 'another FLOE IV', subject, { sealed: forged(subject, 'FLOE IV') })],
    [
      'suite-swapped',
      fails('WRONG_KEY', 'the other suite', subject, { sealed: forged(subject, 'AEAD id', bytes(0xf1)) }),
    ],
    [
      'context-forged',
      fails('WRONG_KEY', 'another context in both halves', subject, {
        sealed: forged(subject, 'context', bytes(0, 1, 0, 6, 0x54)),
      }),
    ],
    [
      'context-value',
      fails('CONTEXT_MISMATCH', 'another value demanded', subject, {
        options: { context: { tenant: 'umbrella' } },
      }),
    ],
    [
      'context-key',
      fails('CONTEXT_MISMATCH', 'a key demanded that it does not have', subject, {
        options: { context: { user: 'x' } },
      }),
    ],
    [
      'context-exact',
      fails('CONTEXT_MISMATCH', 'exactly no context demanded', subject, { options: { exactContext: true } }),
    ],
  ];
}

/** Definitions by the names of their files. */
export async function headerVectors(): Promise<[string, Definition][]> {
  const small = { plainBytes: 100, context: { tenant: 'acme' } };
  const [subject, other] = await Promise.all([
    makeSubject({ ...small, name: 'one' }),
    makeSubject({ ...small, name: 'two' }),
  ]);
  return [...headers(subject, other), ...keysAndContext(subject, other)];
}
