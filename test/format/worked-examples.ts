/** The text of docs/format/v1.md §10, between its markers. */

import { createHash } from 'node:crypto';

import { encrypt } from '../../src/index.ts';
import { testKeys } from '../../src/testing.ts';
import { type Part, partOf, viewOf } from '../adversarial/sealed-map.ts';
import { deriveExampleKeys, type ExampleFile, example, exampleIkm, exampleSecret } from './example-file.ts';
import { bytesOf, code, count, hex, row } from './markdown.ts';
import { mutableExamples } from './mutable-example.ts';
import type { MutableExample } from './mutable-file.ts';

export const startMarker = '<!-- generated: worked-examples -->';
export const endMarker = '<!-- /generated -->';

async function sizes(): Promise<string[]> {
  const keys = testKeys('sizes');
  const rows: string[] = [];
  for (const plainBytes of [0, 1, 65_504, 65_505, 1_000_000]) {
    const plain = new Uint8Array(plainBytes);
    const [aes, xchacha] = await Promise.all([
      encrypt(plain, { keys }),
      encrypt(plain, { keys, suite: 'xchacha20-poly1305' }),
    ]);
    rows.push(row(count(plainBytes), count(aes.length), count(xchacha.length)));
  }
  return [
    '### 10.1 Sizes',
    '',
    'A write-once file has regionBytes + plaintext + segments × overhead bytes, where a body without plaintext has one segment.',
    'With one Fly secret, no context and segments of 65,536 bytes:',
    '',
    row('plaintext', code('aes-256-gcm'), code('xchacha20-poly1305')),
    row('---', '---', '---'),
    ...rows,
  ];
}

/** What a field of the table says to a reader. */
function meaning({ name, offset, bytes }: Part, sealed: Uint8Array): string {
  const view = viewOf(sealed);
  const value =
    bytes === 4 ? view.getUint32(offset) : bytes === 2 ? view.getUint16(offset) : view.getUint8(offset);
  switch (name) {
    case 'region size':
      return `region size: 2^${value} = ${count(2 ** value)}`;
    case 'copy length':
    case 'context length':
      return `${name}: ${count(value)}`;
    case 'segment length':
      return `FLOE header: ENC_SEG_LEN, ${count(value)}`;
    case 'IV length':
      return `FLOE header: IV length, ${count(value)}`;
    case 'slot 0 length':
      return `length of the slot: ${count(value)}`;
    case 'body kind':
      return 'body kind: write-once';
    case 'AEAD id':
      return 'FLOE header: AEAD id, AES-256-GCM';
    case 'KDF id':
      return 'FLOE header: KDF id, HKDF-Expand-SHA-384';
    case 'FLOE IV':
      return 'FLOE header: IV';
    case 'header tag':
      return `FLOE header: ${name}`;
    case 'syncSeq':
    case 'bodyBytes':
    case 'acc':
      return `state: ${name}`;
    case 'context':
      return `context: one pair, ${Object.entries(example.context)
        .map(([key, text]) => `${key} = ${text}`)
        .join(', ')}`;
    case 'slot 0 type':
      return 'slot: type, Fly secret';
    case 'slot 0 hint':
      return `slot: hint, ${code(example.label)}`;
    default:
      return name.startsWith('slot 0') ? `slot: ${name.slice(7)}` : name;
  }
}

function breakdown(file: ExampleFile): string[] {
  const { map, sealed } = file;
  const line = (part: Part, what: string): string =>
    row(count(part.offset), count(part.bytes), bytesOf(sealed, part), what);
  const [first, second] = map.halves;
  const differing = second.filter(({ name }) => ['half index', 'CRC', 'MAC'].includes(name));
  const half = count(map.regionBytes / 2);
  return [
    '### 10.2 One file, byte by byte',
    '',
    `The plaintext is ${code(example.plain.replace('\n', '\\n'))}, ${example.plain.length} bytes. The secret, known as ${code(example.label)}, is`,
    '',
    `    ${exampleSecret}`,
    '',
    `and the context is one pair, ${Object.entries(example.context)
      .map(([key, text]) => `${code(key)} = ${code(text)}`)
      .join(', ')}. Where a writer draws random bytes, this one`,
    'counted `00`, `01`, `02` … in the order in which it needed them: FK, file id, FLOE IV, nonce of the slot, nonce of the segment.',
    `The file has ${count(sealed.length)} bytes and the SHA-256`,
    '',
    `    ${createHash('sha256').update(sealed).digest('hex')}`,
    '',
    row('offset', 'bytes', 'value', 'field'),
    row('---', '---', '---', '---'),
    ...first.map((part) => line(part, meaning(part, sealed))),
    row(half, count(map.copyBytes), '', 'half 1: as half 0, except for these three'),
    ...differing.map((part) => line(part, `half 1: ${part.name}`)),
    line(second.at(-1) as Part, 'padding'),
    ...map.segments.flatMap(({ parts }) =>
      parts.map((part) =>
        line(
          part,
          part.name
            .replace(/^segment 0 prefix/, 'segment 0: its own length, for it is the last')
            .replace(/^segment 0 (?!:)/, 'segment 0: '),
        ),
      ),
    ),
  ];
}

function derivation(file: ExampleFile): string[] {
  const keys = deriveExampleKeys(file);
  const part = partOf(file.map, 0, 'slot 0 ciphertext');
  const wrapped = file.sealed.subarray(part.offset, part.offset + 48);
  const derived: readonly [string, string, Uint8Array][] = [
    ['IKM', '§4.3, rule 1', exampleIkm],
    ['key id', 'HKDF of IKM', keys.keyId],
    ['KEK', 'HKDF of IKM, scope 0', keys.kek],
    ['ek', 'E(KEK, "volseal/v1/slot-enc", 32)', keys.slotEncryptionKey],
    ['ck', 'E(KEK, "volseal/v1/slot-com", 32)', keys.slotCommitmentKey],
    ['AAD of the slot', '§4.1', keys.slotAad],
    ['ct ‖ tag', 'bytes of the slot, authentic under ek, nonce and AAD', wrapped],
    ['FK', 'what ct decrypts to', keys.dataKey],
    ['MAC key', 'E(FK, "volseal/v1/header-mac", 32)', keys.headerMacKey],
    ['FLOE key', 'E(FK, "volseal/v1/floe", 32)', keys.floeKey],
    ['FLOE associated data', '§6', keys.associatedData],
    ['header tag', 'KDF(FLOE key, "HEADER_TAG:", 32)', keys.headerTag],
    ['message key', 'KDF(FLOE key, "MESSAGE_KEY:", 48)', keys.messageKey],
    ['segment key', 'KDF(message key, "DEK:" ‖ u64 0, 32)', keys.segmentKey],
    ['segment AAD', 'u64 0 ‖ `01`', keys.segmentAad],
  ];
  return [
    '### 10.3 Its keys',
    '',
    `The key id is shown as ${code(keys.keyIdText)}.`,
    '',
    row('name', 'from', 'value'),
    row('---', '---', '---'),
    ...derived.map(([name, from, value]) => row(name, from, code(hex(value)))),
  ];
}

/** The commands that cut a file open, for a shell, and the program that does it in JavaScript. */
export function cutOpen(file: ExampleFile): { readonly shell: string; readonly program: string } {
  const keys = deriveExampleKeys(file);
  const { regionBytes } = file.map;
  return {
    shell: [
      `{ head -c 118 example.vsl | tail -c 74; tail -c +${regionBytes + 1} example.vsl; } > example.floe`,
      'python3 volseal.py floe-decrypt \\',
      `  ${hex(keys.floeKey)} \\`,
      `  ${hex(keys.associatedData)} \\`,
      '  example.floe -',
    ].join('\n'),
    program: [
      "import { readFileSync } from 'node:fs';",
      "import { floeDecrypt } from 'volseal/floe';",
      '',
      "const sealed = readFileSync('example.vsl');",
      `const message = Buffer.concat([sealed.subarray(44, 118), sealed.subarray(${regionBytes})]);`,
      `const key = Buffer.from('${hex(keys.floeKey)}', 'hex');`,
      'const associatedData = Buffer.from(',
      `  '${hex(keys.associatedData)}',`,
      "  'hex',",
      ');',
      'process.stdout.write(floeDecrypt(key, message, { associatedData }));',
    ].join('\n'),
  };
}

function cuttingOpen(file: ExampleFile): string[] {
  const { shell, program } = cutOpen(file);
  return [
    '### 10.4 Cut open to a bare FLOE message',
    '',
    'Bytes 44 to 117 of a good half are the FLOE header; what follows the region is the rest of the message. With the FLOE key and the',
    'associated data any FLOE implementation decrypts it. With `volseal/floe`:',
    '',
    '```js',
    program,
    '```',
    '',
    'With the Python program of the source repository (`test/interop/volseal.py`):',
    '',
    '```sh',
    shell,
    '```',
    '',
    `Both print ${code(example.plain.replace('\n', '\\n'))}. \`volseal.py floe-key\` prints key and associated data of any file that a secret opens.`,
  ];
}

/** All of §10. */
export async function workedExamples(file: ExampleFile, mutable: MutableExample): Promise<string> {
  const sections = [
    await sizes(),
    breakdown(file),
    derivation(file),
    cuttingOpen(file),
    ...mutableExamples(mutable),
  ];
  return sections.map((lines) => lines.join('\n')).join('\n\n');
}
