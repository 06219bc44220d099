/**
 * The sealed files of test/vectors/sealed-v1.json: whole ones, and ones that were damaged or forged, each with what a
 * reader must make of it. Made by the reference alone, byte for byte the same every time.
 */

import { createHash } from 'node:crypto';
import { concatBytes } from '@noble/ciphers/utils.js';
import { type ReferenceCopy, referenceContext, referenceCopy, referenceRegion } from './header.ts';
import { referenceSecretText } from './keys.ts';
import {
  type ReferenceFile,
  type ReferenceParts,
  referenceFlySlot,
  referenceNewRegion,
  referenceParts,
} from './sealed.ts';

/** Bytes as they are, a number of zeros, or a range of the file of another vector. */
export type Part =
  | { readonly base64: string }
  | { readonly zeros: number }
  | { readonly of: string; readonly from: number; readonly to: number };

export interface SealedVector {
  readonly name: string;
  /** The file, part after part. */
  readonly parts: readonly Part[];
  /** Labels of the secrets that the reader has. */
  readonly secrets: readonly string[];
  readonly context?: Readonly<Record<string, string>>;
  readonly exactContext?: boolean;
  /** Missing when the file opens. */
  readonly code?: string;
  /** What a stream may have given before it failed, or all of the plaintext. */
  readonly released: { readonly bytes: number; readonly sha256: string };
}

export interface SealedVectors {
  readonly about: string;
  readonly secrets: Readonly<Record<string, string>>;
  readonly vectors: readonly SealedVector[];
}

const hash = (text: string): Uint8Array => createHash('sha256').update(text).digest();
const ikmOf = (label: string): Uint8Array => hash(`volseal vector secret ${label}`);
const segmentBytes = 4_096;
const regionBytes = 4_096;
/** Plaintext bytes of a whole segment, by AEAD id. */
const stepOf = (aeadId: number): number => segmentBytes - (aeadId === 0 ? 32 : 44);

const plainOf = (bytes: number): Uint8Array =>
  Uint8Array.from({ length: bytes }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

function fileOf(
  name: string,
  aeadId: number,
  plainBytes: number,
  changes: Partial<ReferenceFile> = {},
): ReferenceFile {
  const draw = (what: string, bytes: number): Uint8Array =>
    hash(`volseal vector ${name} ${what}`).subarray(0, bytes);
  return {
    ikm: ikmOf('v1'),
    label: 'v1',
    dataKey: draw('data key', 32),
    fileId: draw('file id', 16),
    iv: draw('message IV', 32),
    slotNonce: draw('slot nonce', 24),
    segmentNonce: (position) => draw(`segment nonce ${position}`, aeadId === 0 ? 12 : 24),
    aeadId,
    segmentBytes,
    regionBytes,
    context: [
      ['app', 'shop'],
      ['tenant', 'é'],
    ],
    plain: plainOf(plainBytes),
    ...changes,
  };
}

/** Bytes as parts: long runs of zeros are not written out. */
function partsOf(bytes: Uint8Array): Part[] {
  const parts: Part[] = [];
  const text = Buffer.from(bytes).toString('latin1');
  let at = 0;
  for (const { 0: zeros, index } of text.matchAll(/\0{64,}/g)) {
    if (index > at) parts.push({ base64: Buffer.from(bytes.subarray(at, index)).toString('base64') });
    parts.push({ zeros: zeros.length });
    at = index + zeros.length;
  }
  if (at < bytes.length) parts.push({ base64: Buffer.from(bytes.subarray(at)).toString('base64') });
  return parts;
}

type Expectation = Partial<Pick<SealedVector, 'secrets' | 'context' | 'exactContext' | 'code'>> & {
  readonly segments?: number;
};

function vector(
  name: string,
  source: ReferenceFile,
  file: Uint8Array | readonly Part[],
  expected: Expectation = {},
): SealedVector {
  const { segments, secrets = ['v1'], code, context, exactContext } = expected;
  const released =
    segments === undefined ? source.plain : source.plain.subarray(0, segments * stepOf(source.aeadId));
  return {
    name,
    parts: file instanceof Uint8Array ? partsOf(file) : file,
    secrets,
    ...(context === undefined ? {} : { context }),
    ...(exactContext === undefined ? {} : { exactContext }),
    ...(code === undefined ? {} : { code: `ERR_VOLSEAL_${code}` }),
    released: { bytes: released.length, sha256: createHash('sha256').update(released).digest('hex') },
  };
}

interface Subject {
  readonly file: ReferenceFile;
  readonly parts: ReferenceParts;
  readonly region: Uint8Array;
  readonly sealed: Uint8Array;
}

function subjectOf(file: ReferenceFile): Subject {
  const parts = referenceParts(file);
  const region = referenceNewRegion(parts.copy, file.dataKey);
  return { file, parts, region, sealed: concatBytes(region, parts.body) };
}

function whole(suite: string, aeadId: number): SealedVector[] {
  const step = stepOf(aeadId);
  const sizes: readonly (readonly [string, number])[] = [
    ['no plaintext', 0],
    ['one byte', 1],
    ['one byte less than a segment', step - 1],
    ['a whole segment', step],
    ['one byte more than a segment', step + 1],
  ];
  const vectors = sizes.map(([name, bytes]) => {
    const file = fileOf(`${suite} ${bytes}`, aeadId, bytes);
    return vector(`${suite}: ${name}`, file, subjectOf(file).sealed);
  });
  const emptyLast = fileOf(`${suite} empty last`, aeadId, step, { emptyLast: true });
  vectors.push(
    vector(`${suite}: an empty last segment after a whole one`, emptyLast, subjectOf(emptyLast).sealed),
  );
  const noContext = fileOf(`${suite} no context`, aeadId, 3, { context: [], regionBytes: 2_048 });
  vectors.push(
    vector(`${suite}: no context, the smallest region`, noContext, subjectOf(noContext).sealed, {
      exactContext: true,
    }),
  );
  return vectors;
}

/** A body of three segments, and what can be made of it. */
function bodies(suite: string, aeadId: number): SealedVector[] {
  const names = { own: `${suite}, three segments`, other: `${suite}, three segments of another file` };
  const files = {
    own: fileOf(names.own, aeadId, 2 * stepOf(aeadId) + 100),
    other: fileOf(names.other, aeadId, 2 * stepOf(aeadId) + 100),
  };
  const sealed = { own: subjectOf(files.own).sealed, other: subjectOf(files.other).sealed };
  const end = sealed.own.length;
  const range = (of: keyof typeof names, from: number, to: number): Part => ({ of: names[of], from, to });
  const segment = (of: keyof typeof names, position: number): Part => {
    const from = regionBytes + position * segmentBytes;
    return range(of, from, Math.min(from + segmentBytes, end));
  };
  const region = range('own', 0, regionBytes);
  const [s0, s1, s2] = [0, 1, 2].map((position) => segment('own', position)) as [Part, Part, Part];
  const flipped = (position: number, at: number): Part[] => {
    const place = regionBytes + position * segmentBytes + at;
    const byte = Buffer.of((sealed.own[place] as number) ^ 1);
    return [range('own', 0, place), { base64: byte.toString('base64') }, range('own', place + 1, end)];
  };
  const lastBytes = end - regionBytes - 2 * segmentBytes;
  const tampered = (segments: number): Expectation => ({ code: 'TAMPERED', segments });
  const list: readonly (readonly [string, readonly Part[], Expectation])[] = [
    ['a bit of the first ciphertext flipped', flipped(0, 100), tampered(0)],
    ['a bit of the second nonce flipped', flipped(1, 5), tampered(1)],
    ['a bit of the second tag flipped', flipped(1, segmentBytes - 1), tampered(1)],
    ['a bit of the last tag flipped', flipped(2, lastBytes - 1), tampered(2)],
    ['the first two swapped', [region, s1, s0, s2], tampered(0)],
    ['the first twice', [region, s0, s0, s1, s2], tampered(1)],
    ['the second missing', [region, s0, s2], tampered(1)],
    ['the second of another file', [region, s0, segment('other', 1), s2], tampered(1)],
    ['the last of another file', [region, s0, s1, segment('other', 2)], tampered(2)],
    ['cut one byte before the end', [range('own', 0, end - 1)], { code: 'TRUNCATED', segments: 2 }],
    ['cut after the second', [region, s0, s1], { code: 'TRUNCATED', segments: 1 }],
    [
      'cut inside the second',
      [range('own', 0, regionBytes + segmentBytes + 500)],
      { code: 'TRUNCATED', segments: 1 },
    ],
    ['cut to nothing', [region], { code: 'TRUNCATED', segments: 0 }],
    [
      'one byte behind them',
      [range('own', 0, end), { base64: 'AQ==' }],
      { code: 'TRAILING_DATA', segments: 2 },
    ],
    ['a whole one behind them', [range('own', 0, end), s0], { code: 'TRAILING_DATA', segments: 2 }],
  ];
  return [
    vector(names.own, files.own, sealed.own),
    vector(names.other, files.other, sealed.other),
    ...list.map(([name, parts, expected]) => vector(`${names.own}: ${name}`, files.own, parts, expected)),
  ];
}

/** Headers of one short file. */
function headers(): SealedVector[] {
  const subject = subjectOf(fileOf('header', 0, 100));
  const { file, parts, sealed } = subject;
  const { fileId, dataKey } = file;
  const other = subjectOf(fileOf('other header', 0, 100));
  const half = (halfIndex: number, changes: Partial<ReferenceCopy> = {}, key = dataKey): Uint8Array =>
    referenceCopy({ ...parts.copy, halfIndex, ...changes }, key);
  const withHalves = (first: Uint8Array, second: Uint8Array): Uint8Array =>
    concatBytes(referenceRegion(first, second, regionBytes), parts.body);
  const both = (changes: Partial<ReferenceCopy>, key = dataKey): Uint8Array =>
    withHalves(half(0, changes, key), half(1, changes, key));
  const filled = (...ranges: readonly (readonly [number, number])[]): Uint8Array => {
    const damaged = Uint8Array.from(sealed);
    for (const [from, to] of ranges) damaged.fill(0x55, from, to);
    return damaged;
  };
  const floe = (at: number, byte: number): Uint8Array => {
    const floeHeader = Uint8Array.from(parts.floeHeader);
    floeHeader[at] = byte;
    return floeHeader;
  };
  const slot = (secret: string, key: Uint8Array, id: Uint8Array): Uint8Array =>
    referenceFlySlot(
      ikmOf(secret),
      secret,
      key,
      hash(`slot ${secret}`).subarray(0, 24),
      id,
      parts.floeHeader,
    );
  const wrongCommitment = Uint8Array.from(parts.slot);
  wrongCommitment[22 + 103] = (wrongCommitment[22 + 103] as number) ^ 1;
  const stranger = hash('a key that is not the file’s');
  const refused = (code: string, more: Expectation = {}): Expectation => ({ code, segments: 0, ...more });
  const second = slot('v2', dataKey, fileId);

  const list: readonly (readonly [string, Uint8Array, Expectation])[] = [
    ['as it was written', sealed, {}],
    ['the first half destroyed', filled([0, 2_048]), {}],
    ['the second half destroyed', filled([2_048, 4_096]), {}],
    ['both halves destroyed', filled([0, 4_096]), refused('NOT_SEALED')],
    ['both halves damaged behind their magic', filled([20, 60], [2_068, 2_108]), refused('HEADER_DAMAGED')],
    ['cut inside the region', sealed.subarray(0, 3_000), refused('TRUNCATED')],
    ['a later version', both({ version: 2 }), refused('UNSUPPORTED_VERSION')],
    ['an unknown kind of body', both({ bodyKind: 3 }), refused('UNSUPPORTED_FEATURE')],
    ['a flag', both({ flags: 1 }), refused('UNSUPPORTED_FEATURE')],
    [
      'a slot of an unknown type',
      both({ slots: [concatBytes(Uint8Array.of(77), parts.slot.subarray(1))] }),
      refused('UNSUPPORTED_FEATURE'),
    ],
    ['an unknown suite', both({ floeHeader: floe(0, 9) }), refused('UNSUPPORTED_SUITE')],
    ['the other suite', both({ floeHeader: floe(0, 0xf1) }), refused('WRONG_KEY')],
    ['other segments', both({ floeHeader: floe(4, 0x20) }), refused('WRONG_KEY')],
    ['segments that no writer makes', both({ floeHeader: floe(5, 1) }), refused('HEADER_INVALID')],
    ['generation 0', both({ generation: 0n }), refused('HEADER_INVALID')],
    ['no slot', both({ slots: [], extra: new Uint8Array(200) }), refused('HEADER_INVALID')],
    [
      'the second half of another file',
      withHalves(
        half(0),
        referenceCopy({ ...other.parts.copy, halfIndex: 1, generation: 9n }, other.file.dataKey),
      ),
      refused('HEADER_CONFLICT'),
    ],
    [
      'two slot lists of one generation',
      withHalves(half(0), half(1, { slots: [parts.slot, second] })),
      refused('HEADER_CONFLICT'),
    ],
    [
      'a newer half with one more slot',
      withHalves(half(0), half(1, { generation: 2n, slots: [parts.slot, second] })),
      { secrets: ['v2'] },
    ],
    [
      'a newer half without the slot of the key',
      withHalves(half(0), half(1, { generation: 2n, slots: [second] })),
      refused('KEY_MISSING'),
    ],
    ['another secret', sealed, refused('KEY_MISSING', { secrets: ['v2'] })],
    [
      'the slot of another file',
      both({ slots: [slot('v1', dataKey, other.file.fileId)] }),
      refused('WRONG_KEY'),
    ],
    ['a slot with another commitment', both({ slots: [wrongCommitment] }), refused('WRONG_KEY')],
    ['a slot that holds another key', both({ slots: [slot('v1', stranger, fileId)] }), refused('WRONG_KEY')],
    ['another file id', both({ fileId: other.file.fileId }), refused('WRONG_KEY')],
    ['another context', both({ context: referenceContext([['tenant', 'x']]) }), refused('WRONG_KEY')],
    ['a forged MAC', both({}, stranger), refused('HEADER_TAMPERED')],
    [
      'a forged MAC of the second half alone',
      withHalves(half(0), half(1, {}, stranger)),
      refused('HEADER_TAMPERED'),
    ],
    ['the context that is demanded', sealed, { context: { tenant: 'é' } }],
    ['another context than demanded', sealed, refused('CONTEXT_MISMATCH', { context: { tenant: 'e' } })],
    [
      'more context than exactly demanded',
      sealed,
      refused('CONTEXT_MISMATCH', { context: { tenant: 'é' }, exactContext: true }),
    ],
  ];
  return list.map(([name, sealedFile, expected]) => vector(`header: ${name}`, file, sealedFile, expected));
}

export function makeSealedVectors(): SealedVectors {
  const suites: readonly (readonly [string, number])[] = [
    ['aes-256-gcm', 0],
    ['xchacha20-poly1305', 0xf1],
  ];
  return {
    about:
      'Sealed files of format version 1 (docs/format/v1.md). A file is its parts joined: bytes, a number of zeros, or a range of the ' +
      'file of another vector. `secrets` are the labels that the reader has. `code` is the error it must report, none when the ' +
      'file opens. `released` is the plaintext, or what of it a stream may have given before the error: byte i is ' +
      '(7 i + floor(i / 256)) mod 256.',
    secrets: { v1: referenceSecretText(ikmOf('v1')), v2: referenceSecretText(ikmOf('v2')) },
    vectors: [
      ...suites.flatMap(([suite, aeadId]) => whole(suite, aeadId)),
      ...suites.flatMap(([suite, aeadId]) => bodies(suite, aeadId)),
      ...headers(),
    ],
  };
}
