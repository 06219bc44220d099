/** Bytes of the header that change without their checksum: what a bad sector or a clumsy hand does. */

import { beforeAll, describe, it } from 'vitest';

import { type Attack, expectAttack, type Verdict } from './expectations.ts';
import { flip } from './forge.ts';
import { byteAtATime, openers } from './openers.ts';
import { makeSubject, type Subject } from './subjects.ts';

let subject: Subject;

beforeAll(async () => {
  subject = await makeSubject({ plainBytes: 100, context: { tenant: 'acme' } });
});

/** What both halves with the same byte changed are; the rest is `ERR_VOLSEAL_HEADER_DAMAGED`. */
const bothHalves: Readonly<Record<string, Verdict>> = {
  magic: 'ERR_VOLSEAL_NOT_SEALED',
  version: 'ERR_VOLSEAL_UNSUPPORTED_VERSION',
  padding: 'opens',
};

const fieldNames = [
  'magic',
  'version',
  'half index',
  'region size',
  'copy length',
  'body kind',
  'reserved',
  'flags',
  'generation',
  'file id',
  'AEAD id',
  'KDF id',
  'segment length',
  'IV length',
  'FLOE IV',
  'header tag',
  'syncSeq',
  'bodyBytes',
  'acc',
  'context length',
  'context',
  'location length',
  'slot count',
  'slot 0 length',
  'slot 0 type',
  'slot 0 hint length',
  'slot 0 key id',
  'slot 0 key version',
  'slot 0 nonce',
  'slot 0 ciphertext',
  'slot 0 tag',
  'slot 0 commitment',
  'slot 0 hint',
  'CRC',
  'MAC',
  'padding',
];

it('the list of fields is that of the document', ({ expect }) => {
  for (const half of [0, 1] as const) {
    expect(subject.map.halves[half].map(({ name }) => name)).toEqual(
      fieldNames.filter((name) => name !== 'location'),
    );
  }
});

function offsetsOf(name: string): [number, number] {
  const [first, second] = subject.map.halves.map((parts) => parts.find((part) => part.name === name)?.offset);
  return [first as number, second as number];
}

/** Where nothing fails, a destination on a disk adds nothing but its syncs. */
const toMemory = [...openers.filter(({ name }) => !name.endsWith('to path')), byteAtATime];

describe.each(fieldNames)('%s', (name) => {
  for (const half of [0, 1] as const) {
    it(`changed in half ${half}: the other half opens it`, async () => {
      const sealed = flip(subject.sealed, offsetsOf(name)[half]);
      await expectAttack({ name, sealed, verdict: 'opens', inspected: 'opens' }, subject, {}, toMemory);
    });
  }

  it('changed in both halves', async () => {
    const [first, second] = offsetsOf(name);
    const sealed = flip(flip(subject.sealed, first), second);
    const verdict = bothHalves[name] ?? 'ERR_VOLSEAL_HEADER_DAMAGED';
    await expectAttack({ name, sealed, verdict, inspected: verdict }, subject, {}, [...openers, byteAtATime]);
  });
});

it('cut at every border of the header, and a byte before and after it', async () => {
  const borders = subject.map.halves.flat().flatMap(({ offset }) => [offset - 1, offset, offset + 1]);
  for (const length of new Set([...borders, subject.map.regionBytes - 1])) {
    if (length < 0) continue;
    // Below eight bytes the magic is not there yet.
    const verdict = length < 8 ? 'ERR_VOLSEAL_NOT_SEALED' : 'ERR_VOLSEAL_TRUNCATED';
    const sealed = subject.sealed.subarray(0, length);
    await expectAttack({ name: `cut to ${length}`, sealed, verdict, inspected: verdict }, subject);
  }
});

describe('every single byte of both copies', () => {
  const inMemory = openers.filter(({ name }) => name === 'decrypt');
  const oneBit = (offset: number): number => 1 << (offset % 8);

  it.each([0, 1] as const)('one bit in half %d: the other half opens it', async (half) => {
    const start = (half * subject.map.regionBytes) / 2;
    for (let offset = start; offset < start + subject.map.copyBytes; offset++) {
      const sealed = flip(subject.sealed, offset, oneBit(offset));
      const attack: Attack = { name: `byte ${offset}`, sealed, verdict: 'opens', inspected: 'opens' };
      await expectAttack(attack, subject, {}, inMemory);
    }
  });

  it('the same bit in both halves: never opens', async () => {
    const second = subject.map.regionBytes / 2;
    for (let offset = 0; offset < subject.map.copyBytes; offset++) {
      const sealed = flip(flip(subject.sealed, offset, oneBit(offset)), second + offset, oneBit(offset));
      const part = subject.map.halves[0].find((field) => offset < field.offset + field.bytes);
      const verdict = bothHalves[part?.name as string] ?? 'ERR_VOLSEAL_HEADER_DAMAGED';
      await expectAttack(
        { name: `bytes ${offset}`, sealed, verdict, inspected: verdict },
        subject,
        {},
        inMemory,
      );
    }
  });
});
