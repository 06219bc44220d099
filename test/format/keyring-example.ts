/** The text of docs/format/keyring-v1.md §12, between its markers. */

import { createHash } from 'node:crypto';
import type { Slot } from '../../src/envelope/v1/slot.ts';
import { encodeSlot } from '../../src/envelope/v1/slot.ts';
import {
  referenceExpand,
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceSlotAad,
} from '../reference/keys.ts';
import {
  base64url,
  keyIdBytesOf,
  recoveryBytesOf,
  referenceDocument,
  referenceKeyringSlotAad,
  referenceOpen,
} from '../reference/keyring.ts';
import { exampleIkm, exampleSecret } from './example-file.ts';

export const startMarker = '<!-- generated: keyring-example -->';
export const endMarker = '<!-- /generated -->';

export interface KeyringExample {
  readonly document: Uint8Array;
  readonly recoveryKey: string;
  /** The slot of a file, its id and FLOE header. */
  readonly slot: Slot;
  readonly dataKey: Uint8Array;
  readonly fileId: Uint8Array;
  readonly floeHeader: Uint8Array;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const row = (...cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

function folded(text: string, width = 110): string[] {
  return (text.match(new RegExp(`.{1,${width}}`, 'g')) ?? []).map((line) => `    ${line}`);
}

/** All of §12. */
export function keyringExample(example: KeyringExample): string {
  const { document, recoveryKey, slot, fileId, floeHeader, dataKey } = example;
  const { payload: encoded, mac } = referenceDocument(document);
  const { payload, keyringKey, volumeKeys } = referenceOpen(document, 'fly-secrets', exampleIkm);
  const volumeId = base64url(payload.volumeId);
  const recovery = recoveryBytesOf(recoveryKey);
  const [volumeKey] = payload.volumeKeys;
  if (volumeKey === undefined) throw new Error('no volume key');
  const vk = volumeKeys.get(1) as Uint8Array;
  const keyId = referenceKeyId(exampleIkm);
  const recoveryId = referenceKeyId(recovery);
  const fileSlotAad = referenceSlotAad({
    slotType: 1,
    keyId: keyIdBytesOf(volumeKey.keyId),
    keyVersion: 1,
    fileId,
    floeHeader,
  });
  const derived: readonly (readonly [string, string, Uint8Array | string])[] = [
    ['volume id', 'from the payload', volumeId],
    ['key id of the secret', 'HKDF of its IKM', referenceKeyIdText(keyId)],
    [
      'KEK of the secret',
      'HKDF of its IKM, scope 1 and the volume id',
      referenceKek(exampleIkm, 1, volumeId),
    ],
    ['AAD of slot 0', '§5', referenceKeyringSlotAad(volumeId, 'fly-secrets', keyId)],
    ['KK', 'what slot 0 decrypts to', keyringKey],
    ['IKM of the recovery key', '§6', recovery],
    ['key id of the recovery key', 'HKDF of its IKM', referenceKeyIdText(recoveryId)],
    [
      'KEK of the recovery key',
      'HKDF of its IKM, scope 1 and the volume id',
      referenceKek(recovery, 1, volumeId),
    ],
    ['AAD of slot 1', '§5', referenceKeyringSlotAad(volumeId, 'recovery', recoveryId)],
    ['MAC key', 'E(KK, "volseal/v1/keyring-mac", 32)', referenceExpand(keyringKey, 'volseal/v1/keyring-mac')],
    ['MAC', 'HMAC-SHA-256 of the payload', base64url(mac)],
    [
      'wrap key',
      'E(KK, "volseal/v1/keyring-wrap", 32)',
      referenceExpand(keyringKey, 'volseal/v1/keyring-wrap'),
    ],
    ['key id of the volume key', 'its 16 bytes', keyIdBytesOf(volumeKey.keyId)],
    ['VK, version 1', 'what its wrap decrypts to', vk],
  ];
  return [
    'The secret is that of v1.md §10.2, known as `main`, and the date 2026-11-22. Where a writer draws random bytes, this one counted `00`, `01`, `02` … in the order in',
    'which it needed them: volume id, KK, the second half of the key id of the volume key, VK, the nonce of its wrap, the nonce of slot 0, the recovery key, the nonce of slot 1.',
    '',
    `    ${exampleSecret}`,
    `    ${recoveryKey}`,
    '',
    `\`keyring.json\` has ${document.length.toLocaleString('en')} bytes, shown here in lines, and the SHA-256 \`${createHash('sha256').update(document).digest('hex')}\`:`,
    '',
    ...folded(Buffer.from(document).toString()),
    '',
    `Its payload, ${base64url(encoded).length.toLocaleString('en')} bytes, spaced for reading:`,
    '',
    '```json',
    JSON.stringify(payload, null, 2),
    '```',
    '',
    row('value', 'how', 'bytes'),
    row('---', '---', '---'),
    ...derived.map(([name, how, value]) =>
      row(name, how, `\`${typeof value === 'string' ? value : hex(value)}\``),
    ),
    '',
    `A file of this volume with the file id \`${hex(fileId)}\`, a FLOE header of 74 bytes \`${hex(floeHeader.subarray(0, 1))}\` and the data key`,
    `\`${hex(dataKey)}\` has a slot of ${encodeSlot(slot).length} bytes in its header. Its nonce went on counting:`,
    '',
    ...folded(hex(encodeSlot(slot))),
    '',
    'The AAD of its wrap is',
    '',
    ...folded(hex(fileSlotAad)),
  ].join('\n');
}
