/** New headers and opened ones, of both kinds: what they say, what the twin makes of them, and what is refused. */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Suite } from '../../../src/aead/suite.ts';
import { bytesEqual, concatBytes, hex } from '../../../src/bytes.ts';
import { describeHeader } from '../../../src/envelope/inspect.ts';
import { findHeader } from '../../../src/envelope/region.ts';
import type { BodyState } from '../../../src/envelope/v1/copy.ts';
import type { Slot } from '../../../src/envelope/v1/slot.ts';
import { VolsealError } from '../../../src/errors.ts';
import { FileHeader, type FileKind, type NewFileOptions } from '../../../src/fs/header/file-header.ts';
import { parseKeyId } from '../../../src/key-id.ts';
import type { Secret } from '../../../src/secret.ts';
import { referenceDecrypt } from '../../reference/floe.ts';
import { type ReferenceCopy, referenceCopy, referenceRegion } from '../../reference/header.ts';
import { ascii, referenceExpand, referenceSlotAad, referenceUnwrap } from '../../reference/keys.ts';
import {
  type ReferenceMutableFile,
  referenceMutableParts,
  referenceMutableSeal,
  referenceVolumeSlot,
} from '../../reference/mutable.ts';
import { MemoryFile } from './memory-file.ts';
import { TestKeys, volumeKey } from './volume-keys.ts';

const suites: readonly Suite[] = ['aes-256-gcm', 'xchacha20-poly1305'];
const kinds: readonly FileKind[] = ['mutable', 'write-once'];
const keys = new TestKeys();

function codeOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (!(error instanceof VolsealError)) throw error;
    return error.code.replace('ERR_VOLSEAL_', '');
  }
  return undefined;
}

/** Two segments of plaintext, sealed as a caller would. */
function fileOf(options: NewFileOptions): { sealed: Uint8Array; plain: Uint8Array; header: FileHeader } {
  const { encryptor, header, region } = FileHeader.create(keys, options);
  const step = header.layout.plainSegmentBytes;
  const plain = Uint8Array.from({ length: step + 100 }, (_, i) => i * 5);
  const parts = [plain.subarray(0, step), plain.subarray(step)].map((piece, position) =>
    encryptor === undefined
      ? concatBytes(...header.segments.seal([piece], position, position === 1))
      : encryptor.sealSegment(piece, position, position === 1),
  );
  if (encryptor !== undefined) return { header, plain, sealed: concatBytes(region, ...parts) };
  const bodyBytes = parts.reduce((sum, { length }) => sum + length, 0);
  const whole = header.regionWith({ ...header.state, bodyBytes });
  return { header, plain, sealed: concatBytes(whole, ...parts) };
}

function plainOf(header: FileHeader, sealed: Uint8Array): Uint8Array {
  const { segmentBytes } = header.layout;
  const body = sealed.subarray(header.regionBytes);
  const parts = [body.subarray(0, segmentBytes), body.subarray(segmentBytes)].map((segment, position) =>
    header.kind === 'mutable'
      ? (header.segments.open(segment, position, position === 1) as Uint8Array)
      : header.decryptor.openSegment(segment, position, position === 1),
  );
  return concatBytes(...parts);
}

describe.each(kinds)('a %s file', (kind) => {
  test.each(suites)('of %s opens as it was made', (suite) => {
    const context = { tenant: 'acme', purpose: 'logs' };
    const { header, plain, sealed } = fileOf({ kind, suite, segmentBytes: 4_096, context });
    const opened = FileHeader.open(keys, sealed);
    for (const each of [header, opened]) {
      expect(each.kind).toBe(kind);
      expect({ ...each.context }).toEqual(context);
      expect(each.suite).toBe(suite);
      expect(each.generation).toBe(1);
      expect(each.regionBytes).toBe(kind === 'mutable' ? 4_096 : 2_048);
      expect(each.layout.segmentBytes).toBe(4_096);
      expect(each.bothCopies).toBe(true);
      expect(hex(each.fileId)).toBe(hex(header.fileId));
      expect(each.state).toEqual(header.state);
      expect(bytesEqual(plainOf(each, sealed), plain)).toBe(true);
    }
    expect(opened.state).toEqual({
      syncSeq: 0,
      bodyBytes: kind === 'mutable' ? sealed.length - 4_096 : 0,
      acc: new Uint8Array(32),
    });
    const inspected = describeHeader(findHeader(sealed), sealed.length);
    expect(inspected).toMatchObject({
      body: kind,
      suite: kind === 'mutable' && suite === 'aes-256-gcm' ? 'xaes-256-gcm' : suite,
      plainBytes: plain.length,
      slots: [{ type: 'volume-key', keyVersion: 1 }],
    });
  });

  test('takes suite and segments from the policy, and an empty context', () => {
    const { header, region } = FileHeader.create(keys, { kind });
    expect(header.suite).toBe('aes-256-gcm');
    expect(header.layout.segmentBytes).toBe(kind === 'mutable' ? 16_384 : 65_536);
    expect({ ...header.context }).toEqual({});
    expect(region).toHaveLength(header.regionBytes);
    const halves = [region.subarray(0, region.length / 2), region.subarray(region.length / 2)];
    expect(findHeader(region).goodCopies).toHaveLength(2);
    expect(halves.map((half) => half[10])).toEqual([0, 1]);
  });

  test('grows its region with its context, and no further than a header can', () => {
    const context = { note: 'x'.repeat(1_000), more: 'y'.repeat(1_000) };
    expect(FileHeader.create(keys, { kind, context }).header.regionBytes).toBe(8_192);
    expect(codeOf(() => FileHeader.create(keys, { kind, context: { k: 'x'.repeat(1_025) } }))).toBe(
      'INVALID_ARGUMENT',
    );
  });

  test('is not made with segments or a suite that no reader takes', () => {
    for (const segmentBytes of [0, 512, 4_097, 8_388_608])
      expect(codeOf(() => FileHeader.create(keys, { kind, segmentBytes }))).toBe('INVALID_ARGUMENT');
    expect(codeOf(() => FileHeader.create(keys, { kind, suite: 'xaes-256-gcm' as Suite }))).toBe(
      'UNSUPPORTED_SUITE',
    );
  });

  test('has a data key, a file id and a message IV of its own', () => {
    const made = Array.from({ length: 3 }, () => FileHeader.create(keys, { kind }));
    expect(new Set(made.map(({ header }) => hex(header.fileId))).size).toBe(3);
    expect(new Set(made.map(({ region }) => hex(region.subarray(54, 86)))).size).toBe(3);
    expect(new Set(made.map(({ region }) => hex(region.subarray(86, 118)))).size).toBe(3);
  });

  test('gives out nothing after a wipe', () => {
    const { sealed } = fileOf({ kind, segmentBytes: 4_096 });
    const header = FileHeader.open(keys, sealed);
    header.wipe();
    expect(() => plainOf(header, sealed)).toThrow('wiped');
  });

  test('the twin unwraps its slot by the document and decrypts its body', () => {
    const context = { tenant: 'acme' };
    const { plain, sealed } = fileOf({ kind, segmentBytes: 4_096, context });
    const { header } = findHeader(sealed);
    const slot = header.slots[0] as Slot;
    const aad = referenceSlotAad({
      slotType: 1,
      keyId: parseKeyId(slot.wrapped.keyId) as Uint8Array,
      keyVersion: slot.keyVersion,
      fileId: header.fileId,
      floeHeader: header.floeHeader,
    });
    const dataKey = referenceUnwrap(volumeKey(1).bytes, slot.wrapped.bytes, aad);
    const bodyKind = kind === 'mutable' ? 2 : 1;
    const associatedData = concatBytes(
      ascii('volseal/v1/body'),
      Uint8Array.of(0, bodyKind),
      header.fileId,
      header.context,
    );
    const message = concatBytes(header.floeHeader, sealed.subarray(header.regionBytes));
    const opened = referenceDecrypt(referenceExpand(dataKey, 'volseal/v1/floe'), message, associatedData);
    expect(bytesEqual(opened, plain)).toBe(true);
    if (kind === 'mutable') {
      const { journalKey } = FileHeader.open(keys, sealed);
      expect(hex(journalKey.bytes())).toBe(hex(referenceExpand(dataKey, 'volseal/v1/journal')));
    }
  });
});

test('each kind has what the other has not', () => {
  const mutable = FileHeader.create(keys, { kind: 'mutable' }).header;
  const { encryptor, header: once } = FileHeader.create(keys, { kind: 'write-once' });
  expect(encryptor).toBeDefined();
  expect(() => mutable.decryptor).toThrow('internal error');
  expect(() => once.segments).toThrow('internal error');
  expect(() => once.journalKey).toThrow('internal error');
  expect(() => once.regionWith(mutable.state)).toThrow('internal error');
  expect(mutable.journalKey).toBe(mutable.journalKey);
});

test('an empty mutable file says that its body is one segment without plaintext', () => {
  const { header, region } = FileHeader.create(keys, { kind: 'mutable' });
  expect(header.state.bodyBytes).toBe(44);
  const sealed = concatBytes(region, ...header.segments.seal([], 0, true));
  const opened = FileHeader.open(keys, sealed);
  expect(opened.regionBytes + opened.state.bodyBytes).toBe(sealed.length);
  expect(opened.segments.open(sealed.subarray(4_096), 0, true)).toHaveLength(0);
});

test('a state that no reader would take is stopped before it reaches the disk', () => {
  const acc = new Uint8Array(32);
  const { header } = FileHeader.create(keys, { kind: 'mutable' });
  for (const state of [
    { syncSeq: 0, bodyBytes: 0, acc },
    { syncSeq: 0, bodyBytes: 43, acc },
    { syncSeq: 0, bodyBytes: 16_384 + 43, acc },
    { syncSeq: -1, bodyBytes: 44, acc },
    { syncSeq: 0.5, bodyBytes: 44, acc },
    { syncSeq: 2 ** 53, bodyBytes: 44, acc },
    { syncSeq: 0, bodyBytes: 44, acc: new Uint8Array(32).fill(1) },
    { syncSeq: 0, bodyBytes: 44, acc: new Uint8Array(31) },
  ]) {
    expect(codeOf(() => header.regionWith(state))).toBe('INTERNAL');
    expect(codeOf(() => FileHeader.create(keys, { kind: 'mutable', state }))).toBe('INTERNAL');
  }
  const state = { syncSeq: 3, bodyBytes: 16_384 + 44, acc };
  const { region } = FileHeader.create(keys, { kind: 'mutable', state });
  expect(FileHeader.open(keys, region).state).toEqual(state);
});

test('both halves of a new file get the state it ends with; an opened file has no such shortcut', () => {
  const { header, region } = FileHeader.create(keys, { kind: 'mutable', context: { a: 'b' } });
  const state = { ...header.state, bodyBytes: 100 };
  const last = header.regionWith(state);
  expect(header.state).toEqual(state);
  const found = findHeader(last);
  expect(found.goodCopies.map((copy) => [copy.generation, copy.state.bodyBytes])).toEqual([
    [1, 100],
    [1, 100],
  ]);
  expect(hex(last.subarray(0, 118))).toBe(hex(region.subarray(0, 118)));
  expect(hex(FileHeader.open(keys, last).fileId)).toBe(hex(header.fileId));
  expect(() => FileHeader.open(keys, last).regionWith(state)).toThrow('internal error');
});

test('nor does a file that was written to since', async () => {
  const { header, region } = FileHeader.create(keys, { kind: 'mutable' });
  const file = new MemoryFile(region);
  await header.writeState(file.system, 3, { ...header.state, syncSeq: 1 });
  expect(() => header.regionWith(header.state)).toThrow('internal error');
});

test('inspection says what the header claims: not with residue behind the body, nothing when the body is cut', () => {
  const { plain, sealed } = fileOf({ kind: 'mutable', segmentBytes: 4_096 });
  const sizeAt = (sealedBytes: number): number | undefined =>
    describeHeader(findHeader(sealed), sealedBytes).plainBytes;
  for (const residue of [0, 1, 44, 4_096, 100_000])
    expect(sizeAt(sealed.length + residue)).toBe(plain.length);
  for (const missing of [1, 44, 200, sealed.length]) expect(sizeAt(sealed.length - missing)).toBeUndefined();
});

test('whatever is changed in a region, what opens is one of the two states that were written', async () => {
  const { header, region } = FileHeader.create(keys, { kind: 'mutable', context: { tenant: 'acme' } });
  const file = new MemoryFile(region);
  const states = [header.state, { ...header.state, syncSeq: 1, bodyBytes: 1_000 }];
  await header.writeState(file.system, 3, states[1] as BodyState);
  const change = fc.tuple(
    fc.oneof(fc.nat({ max: 360 }), fc.integer({ min: 2_048, max: 2_408 })),
    fc.nat({ max: 255 }),
  );
  const codes = new Set<string>();
  fc.assert(
    fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
      const bytes = Uint8Array.from(file.bytes);
      for (const [at, value] of changes) bytes[at] = value;
      try {
        const opened = FileHeader.open(keys, bytes);
        expect(states).toContainEqual(opened.state);
        expect(hex(opened.fileId)).toBe(hex(header.fileId));
        codes.add(`syncSeq ${opened.state.syncSeq}`);
      } catch (error) {
        if (!(error instanceof VolsealError)) throw error;
        codes.add(error.code);
      }
    }),
    { numRuns: 400 },
  );
  expect([...codes]).toEqual(
    expect.arrayContaining(['syncSeq 0', 'syncSeq 1', 'ERR_VOLSEAL_HEADER_DAMAGED']),
  );
});

const twin: ReferenceMutableFile = {
  volumeKey: volumeKey(1),
  dataKey: new Uint8Array(32).fill(0xdd),
  fileId: new Uint8Array(16).fill(0xf1),
  iv: new Uint8Array(32).fill(0x11),
  slotNonce: new Uint8Array(24).fill(0x22),
  segmentNonce: (position) => new Uint8Array(24).fill(Number(position) + 1),
  aeadId: 0xf2,
  segmentBytes: 4_096,
  syncSeq: 9n,
  context: [['tenant', 'acme']],
  plain: Uint8Array.from({ length: 4_052 + 100 }, (_, i) => i * 3),
};

test.each([0xf2, 0xf1])('a file that the twin made under AEAD id %i opens', (aeadId) => {
  const sealed = referenceMutableSeal({ ...twin, aeadId });
  const header = FileHeader.open(keys, sealed);
  expect(header.state).toEqual({ syncSeq: 9, bodyBytes: sealed.length - 4_096, acc: new Uint8Array(32) });
  expect(bytesEqual(plainOf(header, sealed), twin.plain)).toBe(true);
  expect(hex(header.journalKey.bytes())).toBe(hex(referenceExpand(twin.dataKey, 'volseal/v1/journal')));
});

describe('the order of checks', () => {
  const { copy } = referenceMutableParts(twin);
  const stranger = new Uint8Array(32).fill(0xee);
  const open = (
    first: Partial<ReferenceCopy>,
    second: Partial<ReferenceCopy> = first,
    [firstKey, secondKey] = [twin.dataKey, twin.dataKey],
    given = keys,
  ): string | undefined => {
    const half = (halfIndex: number, changes: Partial<ReferenceCopy>, key: Uint8Array): Uint8Array =>
      referenceCopy({ ...copy, halfIndex, ...changes }, key);
    const region = referenceRegion(half(0, first, firstKey), half(1, second, secondKey), 4_096);
    return codeOf(() => FileHeader.open(given, region));
  };
  const slotOf = (key = twin.volumeKey, dataKey = twin.dataKey, fileId = twin.fileId): Uint8Array =>
    referenceVolumeSlot(key, dataKey, twin.slotNonce, fileId, copy.floeHeader);
  const forged: [Uint8Array, Uint8Array] = [stranger, stranger];

  test('a good one opens', () => {
    expect(open({})).toBeUndefined();
    expect(open({}, { generation: 2n })).toBeUndefined();
  });

  test('the slot: of another volume, or of a version that the keyring has not, before anything else', () => {
    const elsewhere = [slotOf(volumeKey(1, 2))];
    expect(open({ slots: elsewhere }, undefined, forged)).toBe('KEY_MISSING');
    const later = [slotOf(volumeKey(2))];
    expect(open({ slots: later }, undefined, forged)).toBe('KEYRING_ROLLED_BACK');
  });

  test('the newer half counts, also when only the older one has a slot for this keyring', () => {
    const later = { slots: [slotOf(volumeKey(2))], generation: 2n };
    expect(open({}, later)).toBe('KEYRING_ROLLED_BACK');
    expect(open(later, {})).toBe('KEYRING_ROLLED_BACK');
    const both = new TestKeys([volumeKey(1), volumeKey(2)]);
    expect(open({}, later, [twin.dataKey, twin.dataKey], both)).toBeUndefined();
  });

  test('a slot of another file, a slot with another key, another context, another kind: WRONG_KEY before the MAC', () => {
    const moved = [slotOf(twin.volumeKey, twin.dataKey, new Uint8Array(16).fill(7))];
    expect(open({ slots: moved }, undefined, forged)).toBe('WRONG_KEY');
    expect(open({ slots: [slotOf(twin.volumeKey, stranger)] }, undefined, forged)).toBe('WRONG_KEY');
    expect(open({ context: Uint8Array.of(0, 0) }, undefined, forged)).toBe('WRONG_KEY');
    const tag = Uint8Array.from(copy.floeHeader).fill(0, 50, 51);
    expect(open({ floeHeader: tag }, undefined, forged)).toBe('WRONG_KEY');
  });

  test('one kind of body passed off as the other', () => {
    const file = { ...twin, aeadId: 0xf1 };
    const made = referenceMutableParts(file).copy;
    const region = (changes: Partial<ReferenceCopy>): Uint8Array =>
      referenceRegion(
        referenceCopy({ ...made, ...changes }, twin.dataKey),
        referenceCopy({ ...made, ...changes, halfIndex: 1 }, twin.dataKey),
        4_096,
      );
    expect(codeOf(() => FileHeader.open(keys, region({})))).toBeUndefined();
    const posing = region({ bodyKind: 1, state: new Uint8Array(48) });
    expect(codeOf(() => FileHeader.open(keys, posing))).toBe('WRONG_KEY');
  });

  test('the MAC of either half, also of the one that does not count', () => {
    expect(open({}, {}, forged)).toBe('HEADER_TAMPERED');
    expect(open({}, {}, [twin.dataKey, stranger])).toBe('HEADER_TAMPERED');
    expect(open({}, {}, [stranger, twin.dataKey])).toBe('HEADER_TAMPERED');
    expect(open({ generation: 2n }, {}, [twin.dataKey, stranger])).toBe('HEADER_TAMPERED');
    expect(open({}, { generation: 2n }, [stranger, twin.dataKey])).toBe('HEADER_TAMPERED');
  });

  test('a half of another file, whatever its generation', () => {
    const other = { fileId: new Uint8Array(16).fill(2) };
    expect(open({}, { ...other, generation: 9n })).toBe('HEADER_CONFLICT');
    expect(open({ ...other, generation: 9n }, {})).toBe('HEADER_CONFLICT');
  });

  test('suites by their names', () => {
    const floe = (id: number): Uint8Array => concatBytes(Uint8Array.of(id), copy.floeHeader.subarray(1));
    const message = (changes: Partial<ReferenceCopy>): string => {
      const region = referenceRegion(
        referenceCopy({ ...copy, ...changes }, twin.dataKey),
        new Uint8Array(2_048),
        4_096,
      );
      try {
        FileHeader.open(keys, region);
      } catch (error) {
        return `${(error as VolsealError).code} ${(error as VolsealError).message}`;
      }
      return 'opened';
    };
    const once = { bodyKind: 1, state: new Uint8Array(48) };
    expect(message({ floeHeader: floe(0) })).toBe(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE aes-256-gcm (AEAD id 0) is no suite of a mutable body',
    );
    expect(message({ ...once })).toBe(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE xaes-256-gcm (AEAD id 242) is no suite of a write-once body',
    );
    expect(message({ floeHeader: floe(0xf3) })).toContain('unknown suite (AEAD id 243)');
  });

  test('keys drawn for a header that is refused are wiped', () => {
    const given: Secret[] = [];
    const watched = new TestKeys();
    const unwrap = watched.unwrapDataKey.bind(watched);
    watched.unwrapDataKey = (...args) => {
      const secret = unwrap(...args);
      given.push(secret);
      return secret;
    };
    expect(open({}, {}, forged, watched)).toBe('HEADER_TAMPERED');
    expect(open({ context: Uint8Array.of(0, 0) }, undefined, forged, watched)).toBe('WRONG_KEY');
    expect(given).toHaveLength(2);
    for (const secret of given) expect(() => secret.bytes()).toThrow('wiped');
  });
});
