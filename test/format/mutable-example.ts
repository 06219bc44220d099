/** The sections of docs/format/v1.md §10 on a mutable file. */

import { createHash } from 'node:crypto';

import { FileHeader } from '../../src/fs/header/file-header.ts';
import { type Part, partOf, viewOf } from '../adversarial/sealed-map.ts';
import { TestKeys } from '../fs/header/volume-keys.ts';
import { bytesOf, code, count, head, hex, row } from './markdown.ts';
import { exampleVolumeKey, type MutableExample, mutableExample } from './mutable-file.ts';

const shown = (text: string): string => code(text.replace('\n', '\\n'));

function sizes(): string[] {
  const keys = new TestKeys([exampleVolumeKey]);
  const rows = [0, 1, 16_340, 16_341, 1_000_000].map((plainBytes) => {
    const { header } = FileHeader.create(keys, { kind: 'mutable' });
    const { plainSegmentBytes } = header.layout;
    let bodyBytes = 0;
    let position = 0;
    for (let at = 0; position === 0 || at < plainBytes; at += plainSegmentBytes, position++) {
      const plain = new Uint8Array(Math.min(plainSegmentBytes, plainBytes - at));
      const final = at + plainSegmentBytes >= plainBytes;
      for (const part of header.segments.seal([plain], position, final)) bodyBytes += part.length;
    }
    return row(count(plainBytes), position, count(bodyBytes), count(header.regionBytes + bodyBytes));
  });
  return [
    '### 10.5 Sizes of mutable files',
    '',
    'With one volume key, no context and segments of 16,384 bytes, under either suite, without the residue of a crash:',
    '',
    ...head('plaintext', 'segments', 'bodyBytes', 'file'),
    ...rows,
  ];
}

/** What a field of the table says to a reader. */
function meaning(part: Part, sealed: Uint8Array): string {
  const { bytes, name, offset } = part;
  const view = viewOf(sealed);
  const value = bytes === 2 ? view.getUint16(offset) : bytes === 4 ? view.getUint32(offset) : 0;
  switch (name) {
    case 'body kind':
      return 'body kind: mutable';
    case 'AEAD id':
      return 'FLOE header: AEAD id, XAES-256-GCM';
    case 'segment length':
      return `FLOE header: ENC_SEG_LEN, ${count(value)}`;
    case 'syncSeq':
    case 'acc':
      return `state: ${name}`;
    case 'bodyBytes':
      return `state: bodyBytes, ${count(Number(view.getBigUint64(offset)))}`;
    case 'slot 0 length':
      return `length of the slot: ${count(value)}`;
    case 'slot 0 type':
      return 'slot: type, volume key';
    default:
      return name.replace('slot 0 ', 'slot: ');
  }
}

/** Fields of §10.2 that a mutable file has other values in. */
const headFields = [
  'half index',
  'copy length',
  'body kind',
  'generation',
  'file id',
  'AEAD id',
  'segment length',
  'FLOE IV',
  'header tag',
  'syncSeq',
  'bodyBytes',
];
const differingFields = ['half index', 'generation', 'syncSeq', 'bodyBytes', 'CRC', 'MAC'];

function breakdown({ map, sealed }: MutableExample): string[] {
  const [first, more] = mutableExample.plain;
  const line = (part: Part, what = meaning(part, sealed)): string =>
    row(count(part.offset), count(part.bytes), bytesOf(sealed, part), what);
  const [older, newer] = map.halves;
  const inTable = (part: Part): boolean => headFields.includes(part.name) || part.name.startsWith('slot 0');
  const pick = (names: readonly string[]): Part[] => names.map((name) => partOf(map, 0, name));
  const { keyId, version, bytes } = exampleVolumeKey;
  const segment = map.segments[0]?.parts ?? [];
  return [
    '### 10.6 A mutable file, written twice',
    '',
    `The file was made with ${shown(first)} and the context ${code('tenant')} = ${code('acme')}; then ${shown(more)} was added, a sync, and a checkpoint:`,
    'the one segment was sealed again in its place, and half 1 was written. Half 1 is the header now, and half 0 still is what it was. Random bytes count',
    'up from `00` as in §10.2: FK, file id, FLOE IV, nonce of the slot, the first half of the nonce of the segments, the second half of the first seal, that of the second',
    `seal. The volume id begins with ${code(hex(keyId.subarray(0, 8)))}; the volume key, version ${version}, is`,
    '',
    `    ${hex(bytes)}`,
    '',
    `The file has ${count(sealed.length)} bytes and the SHA-256`,
    '',
    `    ${createHash('sha256').update(sealed).digest('hex')}`,
    '',
    'What is not in the table is as in §10.2, 2,048 bytes further on.',
    '',
    ...head('offset', 'bytes', 'value', 'field'),
    ...newer.filter(inTable).map((part) => line(part)),
    ...newer.filter(({ name }) => ['CRC', 'MAC', 'padding'].includes(name)).map((part) => line(part)),
    row(
      0,
      count(older.reduce((sum, part) => sum + part.bytes, 0)),
      '',
      'half 0: as half 1, except for these',
    ),
    ...pick(differingFields).map((part) => line(part, `half 0: ${meaning(part, sealed)}`)),
    ...segment.map((part) =>
      line(
        part,
        part.name
          .replace('segment 0 prefix', 'segment 0: its own length')
          .replace('segment 0 ', 'segment 0: ')
          .replace('0: : ', '0: '),
      ),
    ),
  ];
}

function derivation({ keys, map, sealed }: MutableExample): string[] {
  const part = partOf(map, 1, 'slot 0 ciphertext');
  const derived: readonly [string, string, Uint8Array][] = [
    ['volume id', 'the keyring', keys.volumeId],
    ['KEK', 'the volume key itself', exampleVolumeKey.bytes],
    ['AAD of the slot', '§4.1', keys.slotAad],
    ['ct ‖ tag', 'bytes of the slot', sealed.subarray(part.offset, part.offset + 48)],
    ['FK', 'what ct decrypts to', keys.dataKey],
    ['MAC key', 'E(FK, "volseal/v1/header-mac", 32)', keys.headerMacKey],
    ['journal key', 'E(FK, "volseal/v1/journal", 32)', keys.journalKey],
    ['FLOE key', 'E(FK, "volseal/v1/floe", 32)', keys.floeKey],
    ['associated data of the body', '§6', keys.associatedData],
    ['header tag', 'KDF(FLOE key, "HEADER_TAG:", 32)', keys.headerTag],
    ['message key', 'KDF(FLOE key, "MESSAGE_KEY:", 48)', keys.messageKey],
    ['segment key', 'KDF(message key, "DEK:" ‖ u64 0, 32)', keys.segmentKey],
    ['subkey', 'XAES-256-GCM: of the segment key and nonce[0:12]', keys.subkey],
    ['segment AAD', 'u64 0 ‖ `01`', keys.segmentAad],
  ];
  return [
    '### 10.7 Its keys',
    '',
    `The key id of the volume key is shown as ${code(keys.keyIdText)}.`,
    '',
    ...head('name', 'from', 'value'),
    ...derived.map(([name, from, value]) => row(name, from, code(hex(value)))),
  ];
}

/** §10.5 to §10.7. */
export function mutableExamples(example: MutableExample): string[][] {
  return [sizes(), breakdown(example), derivation(example)];
}
