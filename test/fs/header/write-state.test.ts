/** Rewriting the state of a mutable file: generations, halves that tore at any byte, rewraps in between, and what must stop it. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { concatBytes, hex } from '../../../src/bytes.ts';
import { headerMacKey } from '../../../src/envelope/body.ts';
import { findHeader } from '../../../src/envelope/region.ts';
import { type BodyState, encodeHalf, type HeaderCopy } from '../../../src/envelope/v1/copy.ts';
import { encodeSlot, parseSlot } from '../../../src/envelope/v1/slot.ts';
import { VolsealError } from '../../../src/errors.ts';
import { FileHeader } from '../../../src/fs/header/file-header.ts';
import { Secret } from '../../../src/secret.ts';
import { MemoryFile } from './memory-file.ts';
import { TestKeys, volumeKey } from './volume-keys.ts';

const keys = new TestKeys([volumeKey(1), volumeKey(2)]);
const halfBytes = 2_048;
const acc = new Uint8Array(32);
const stateOf = (syncSeq: number): BodyState => ({ syncSeq, bodyBytes: 44 + syncSeq, acc });

interface Made {
  readonly header: FileHeader;
  readonly file: MemoryFile;
}

function make(): Made {
  const { header, region } = FileHeader.create(keys, { kind: 'mutable', context: { tenant: 'acme' } });
  return { header, file: new MemoryFile(concatBytes(region, ...header.segments.seal([], 0, true))) };
}

const open = ({ file }: Pick<Made, 'file'>): FileHeader => FileHeader.open(keys, file.bytes);
const halfOf = (bytes: Uint8Array, index: number): Uint8Array =>
  bytes.slice(index * halfBytes, (index + 1) * halfBytes);
const generationsOf = (bytes: Uint8Array): (number | undefined)[] => {
  const { goodCopies } = findHeader(bytes);
  return [0, 1].map((index) => goodCopies.find(({ halfIndex }) => halfIndex === index)?.generation);
};

async function codeOf(promise: Promise<unknown>): Promise<string | undefined> {
  try {
    await promise;
  } catch (error) {
    if (error instanceof VolsealError) return error.code.replace('ERR_VOLSEAL_', '');
    return (error as Error).message;
  }
  return undefined;
}

test('each write goes to the older half, one generation further; the other half is not touched', async () => {
  const { file, header } = make();
  let previous = Uint8Array.from(file.bytes);
  const body = hex(file.bytes.subarray(4_096));
  for (let syncSeq = 1; syncSeq <= 6; syncSeq++) {
    file.calls.length = 0;
    await header.writeState(file.system, 3, stateOf(syncSeq));
    const index = syncSeq % 2;
    expect(file.calls).toEqual(['read 0+4096', `write ${index * halfBytes}+${halfBytes}`]);
    expect(hex(halfOf(file.bytes, 1 - index))).toBe(hex(halfOf(previous, 1 - index)));
    expect(generationsOf(file.bytes)[index]).toBe(syncSeq + 1);
    expect([header.generation, header.state]).toEqual([syncSeq + 1, stateOf(syncSeq)]);
    const opened = open({ file });
    expect([opened.generation, opened.state]).toEqual([syncSeq + 1, stateOf(syncSeq)]);
    expect([hex(opened.fileId), { ...opened.context }]).toEqual([hex(header.fileId), { tenant: 'acme' }]);
    previous = Uint8Array.from(file.bytes);
  }
  expect(hex(file.bytes.subarray(4_096))).toBe(body);
});

test('an opened header writes as the one that made the file does', async () => {
  const { file, header } = make();
  await header.writeState(file.system, 3, stateOf(1));
  const opened = open({ file });
  await opened.writeState(file.system, 3, stateOf(2));
  expect(generationsOf(file.bytes)).toEqual([3, 2]);
  // The first one sees what happened meanwhile and goes on behind it.
  await header.writeState(file.system, 3, stateOf(2));
  expect(generationsOf(file.bytes)).toEqual([3, 4]);
  expect(open({ file }).state).toEqual(stateOf(2));
});

describe('a write that tears', () => {
  /** The half as it is after `done` bytes of the new one, in pieces of `sector` that are old or new. */
  const torn = (
    before: Uint8Array,
    after: Uint8Array,
    index: number,
    isNew: (at: number) => boolean,
  ): Uint8Array => {
    const bytes = Uint8Array.from(before);
    for (let at = index * halfBytes; at < (index + 1) * halfBytes; at++)
      if (isNew(at - index * halfBytes)) bytes[at] = after[at] as number;
    return bytes;
  };

  test('at any byte leaves the file open at the old state or the new one, and the next write repairs it', async () => {
    const { file, header } = make();
    await header.writeState(file.system, 3, stateOf(1));
    const before = Uint8Array.from(file.bytes);
    await header.writeState(file.system, 3, stateOf(2));
    const after = Uint8Array.from(file.bytes);
    const { length: copyBytes } = (findHeader(after).header as HeaderCopy).macInput;
    const outcomes = new Set<string>();
    for (let cut = 0; cut <= halfBytes; cut += cut < copyBytes + 40 ? 1 : 64) {
      const left = new MemoryFile(torn(before, after, 0, (at) => at < cut));
      const opened = open({ file: left });
      const { syncSeq } = opened.state;
      expect([1, 2]).toContain(syncSeq);
      outcomes.add(`${syncSeq} ${opened.bothCopies}`);
      await opened.writeState(left.system, 3, stateOf(3));
      const repaired = open({ file: left });
      expect([repaired.state, repaired.bothCopies]).toEqual([stateOf(3), true]);
    }
    expect(outcomes).toEqual(new Set(['1 true', '1 false', '2 true']));
  });

  test('in sectors that arrive in any order does the same, on either half', async () => {
    const { file, header } = make();
    const states: Uint8Array[] = [Uint8Array.from(file.bytes)];
    for (let syncSeq = 1; syncSeq <= 3; syncSeq++) {
      await header.writeState(file.system, 3, stateOf(syncSeq));
      states.push(Uint8Array.from(file.bytes));
    }
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(2, 3), fc.integer({ min: 0, max: 15 }), async (syncSeq, sectors) => {
        const [before, after] = states.slice(syncSeq - 1, syncSeq + 1) as [Uint8Array, Uint8Array];
        const left = new MemoryFile(
          torn(before, after, syncSeq % 2, (at) => ((sectors >> Math.floor(at / 512)) & 1) === 1),
        );
        const opened = open({ file: left });
        expect([syncSeq - 1, syncSeq]).toContain(opened.state.syncSeq);
        await opened.writeState(left.system, 3, stateOf(syncSeq + 1));
        expect(generationsOf(left.bytes)).not.toContain(undefined);
        expect(open({ file: left }).state).toEqual(stateOf(syncSeq + 1));
      }),
    );
  });

  test.each([0, 1])(
    'or rots later: half %i is written again first, whatever generation it had',
    async (lost) => {
      const { file, header } = make();
      await header.writeState(file.system, 3, stateOf(1));
      file.bytes.fill(0xff, lost * halfBytes + 100, lost * halfBytes + 200);
      const opened = open({ file });
      expect(opened.bothCopies).toBe(false);
      expect(opened.state.syncSeq).toBe(lost === 1 ? 0 : 1);
      await header.writeState(file.system, 3, stateOf(2));
      expect(generationsOf(file.bytes)[lost]).toBe(3);
      expect(open({ file }).state).toEqual(stateOf(2));
    },
  );

  test('by an error of the system: the header still says what it said', async () => {
    const { file, header } = make();
    await header.writeState(file.system, 3, stateOf(1));
    file.before = (call) => {
      if (call.startsWith('write')) throw Object.assign(new Error('EIO'), { code: 'EIO' });
    };
    expect(await codeOf(header.writeState(file.system, 3, stateOf(2)))).toBe('EIO');
    expect([header.generation, header.state]).toEqual([2, stateOf(1)]);
    file.before = () => {};
    await header.writeState(file.system, 3, stateOf(2));
    expect(open({ file }).state).toEqual(stateOf(2));
  });
});

test('slots that were changed meanwhile stay, byte for byte, and so does the key behind them', async () => {
  const { file, header } = make();
  await header.writeState(file.system, 3, stateOf(1));
  const before = open({ file });
  // A rewrap: another slot for the same data key, into both halves.
  const { header: copy } = findHeader(file.bytes);
  const dataKey = keys.unwrapDataKey(copy.slots, copy.fileId, copy.floeHeader);
  const slots = [
    keys.wrapUnder(volumeKey(1), dataKey.bytes(), copy.fileId, copy.floeHeader),
    keys.wrapUnder(volumeKey(2), dataKey.bytes(), copy.fileId, copy.floeHeader),
  ].map(encodeSlot);
  for (const index of [0, 1] as const) {
    const content = { ...copy, generation: 3 };
    file.bytes.set(encodeHalf(content, slots, index, headerMacKey(dataKey)), index * halfBytes);
  }
  for (const writer of [header, before]) {
    await writer.writeState(file.system, 3, stateOf(2));
    const { header: now } = findHeader(file.bytes);
    expect(now.slots.map(encodeSlot).map(hex)).toEqual(slots.map(hex));
    expect(now.slots).toEqual(slots.map(parseSlot));
  }
  expect(generationsOf(file.bytes)).toEqual([5, 4]);
  for (const version of [1, 2])
    expect(FileHeader.open(new TestKeys([volumeKey(version)]), file.bytes).state).toEqual(stateOf(2));
});

describe('is refused, and nothing is written,', () => {
  const untouched = async (file: MemoryFile, write: () => Promise<void>): Promise<string | undefined> => {
    const before = hex(file.bytes);
    file.calls.length = 0;
    const code = await codeOf(write());
    expect(hex(file.bytes)).toBe(before);
    expect(file.calls.filter((call) => call.startsWith('write'))).toEqual([]);
    return code;
  };

  test('when the file behind the descriptor is another one', async () => {
    const [own, other] = [make(), make()];
    await other.header.writeState(other.file.system, 3, stateOf(1));
    const write = (): Promise<void> => own.header.writeState(other.file.system, 3, stateOf(1));
    expect(await untouched(other.file, write)).toBe('HEADER_CONFLICT');
  });

  test.each([0, 1])("when half %i is a later one of another file's", async (index) => {
    const [own, other] = [make(), make()];
    await other.header.writeState(other.file.system, 3, stateOf(1));
    await other.header.writeState(other.file.system, 3, stateOf(2));
    own.file.bytes.set(halfOf(other.file.bytes, index), index * halfBytes);
    const write = (): Promise<void> => own.header.writeState(own.file.system, 3, stateOf(1));
    expect(await untouched(own.file, write)).toBe('HEADER_CONFLICT');
    expect(() => open(own)).toThrow('contradict');
  });

  test('when another writer is ahead', async () => {
    const { file, header } = make();
    await open({ file }).writeState(file.system, 3, stateOf(5));
    expect(await untouched(file, () => header.writeState(file.system, 3, stateOf(4)))).toBe(
      'HEADER_CONFLICT',
    );
    await header.writeState(file.system, 3, stateOf(5));
  });

  test.each([0, 1])('when half %i is not authentic, though its checksum matches', async (index) => {
    const { file, header } = make();
    await header.writeState(file.system, 3, stateOf(1));
    const copy = findHeader(file.bytes).goodCopies[index] as HeaderCopy;
    const slots = copy.slots.map(encodeSlot);
    const forger = new Secret(new Uint8Array(32).fill(6));
    file.bytes.set(encodeHalf(copy, slots, index as 0 | 1, forger), index * halfBytes);
    const write = (): Promise<void> => header.writeState(file.system, 3, stateOf(2));
    expect(await untouched(file, write)).toBe('HEADER_TAMPERED');
  });

  test('when both halves are damaged, or the file ends inside them', async () => {
    const { file, header } = make();
    const whole = file.bytes;
    const write = (): Promise<void> => header.writeState(file.system, 3, stateOf(1));
    file.bytes = Uint8Array.from(whole).fill(0xff, 100, 110).fill(0xff, 2_148, 2_158);
    expect(await untouched(file, write)).toBe('HEADER_DAMAGED');
    file.bytes = whole.slice(0, 3_000);
    expect(await untouched(file, write)).toBe('TRUNCATED');
    file.bytes = new Uint8Array(8_192);
    expect(await untouched(file, write)).toBe('NOT_SEALED');
  });

  test('when the state is none, or the file is write-once', async () => {
    const { file, header } = make();
    const wrong = { syncSeq: 1, bodyBytes: 0, acc };
    expect(await untouched(file, () => header.writeState(file.system, 3, wrong))).toBe('INTERNAL');
    const once = FileHeader.create(keys, { kind: 'write-once' });
    const onceFile = new MemoryFile(once.region);
    const write = (): Promise<void> => once.header.writeState(onceFile.system, 3, stateOf(1));
    expect(await untouched(onceFile, write)).toBe('INTERNAL');
  });
});

test('an older half put back beside a newer one changes nothing; in place of it, it is the header', async () => {
  const { file, header } = make();
  const history: Uint8Array[] = [];
  for (let syncSeq = 1; syncSeq <= 3; syncSeq++) {
    await header.writeState(file.system, 3, stateOf(syncSeq));
    history.push(halfOf(file.bytes, syncSeq % 2));
  }
  // Half 1 has generation 4, half 0 generation 3. Generation 2 was in half 1.
  const rolledBack = new MemoryFile(file.bytes);
  rolledBack.bytes.set(history[0] as Uint8Array, halfBytes);
  expect(open({ file: rolledBack }).state).toEqual(stateOf(2));
  // A process that has seen more writes behind what it has seen.
  await header.writeState(rolledBack.system, 3, stateOf(4));
  expect(generationsOf(rolledBack.bytes)).toEqual([3, 5]);
});

test.each([1, 7, 512, 2_047])(
  'reads and writes of at most %i bytes a call do the same',
  async (maxBytesPerCall) => {
    const { file, header } = make();
    file.maxBytesPerCall = maxBytesPerCall;
    await header.writeState(file.system, 3, stateOf(1));
    const opened = open({ file });
    expect([opened.state, opened.bothCopies, opened.generation]).toEqual([stateOf(1), true, 2]);
  },
);

test('a system that writes nothing and says nothing is an error, not a loop', async () => {
  const { file, header } = make();
  file.system.writev = async () => 0;
  expect(await codeOf(header.writeState(file.system, 3, stateOf(1)))).toMatch(/EIO/);
});
