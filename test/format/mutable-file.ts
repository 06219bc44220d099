/** The mutable file of the worked examples: made, then made longer, by the library, from random bytes that count up from zero. */

import { createHash } from 'node:crypto';

import { FileHeader } from '../../src/fs/header/file-header.ts';
import { mapSealed, partOf, type SealedMap } from '../adversarial/sealed-map.ts';
import { MemoryFile } from '../fs/header/memory-file.ts';
import { TestKeys, type VolumeKey } from '../fs/header/volume-keys.ts';
import {
  ascii,
  bigEndian,
  referenceExpand,
  referenceKeyIdText,
  referenceSlotAad,
  referenceUnwrap,
} from '../reference/keys.ts';
import { exampleKdf } from './example-file.ts';
import { referenceXaesSubkey } from '../reference/xaes.ts';

export const mutableExample = {
  context: { tenant: 'acme' },
  /** What it is made with, and what is added later. */
  plain: ['hello, volume\n', 'and more\n'],
} as const;

const digest = (what: string): Uint8Array =>
  Uint8Array.from(createHash('sha256').update(`volseal format version 1, worked example, ${what}`).digest());

const volumeId: Uint8Array = digest('volume id').subarray(0, 16);

export const exampleVolumeKey: VolumeKey = {
  keyId: Uint8Array.from([...volumeId.subarray(0, 8), ...digest('volume key id').subarray(0, 8)]),
  version: 3,
  bytes: digest('volume key'),
};

/** Everything that is derived on the way from the volume key to the plaintext, none of it by the library. */
interface MutableKeys {
  readonly volumeId: Uint8Array;
  readonly keyIdText: string;
  readonly slotAad: Uint8Array;
  readonly dataKey: Uint8Array;
  readonly headerMacKey: Uint8Array;
  readonly journalKey: Uint8Array;
  readonly floeKey: Uint8Array;
  readonly associatedData: Uint8Array;
  readonly headerTag: Uint8Array;
  readonly messageKey: Uint8Array;
  readonly segmentKey: Uint8Array;
  readonly subkey: Uint8Array;
  readonly segmentAad: Uint8Array;
}

export interface MutableExample {
  readonly sealed: Uint8Array;
  readonly map: SealedMap;
  readonly keys: MutableKeys;
}

/** Only under a randomness that starts from zero is it the same file each time. */
export async function makeMutableExample(): Promise<MutableExample> {
  const [first, more] = mutableExample.plain.map(ascii) as [Uint8Array, Uint8Array];
  const overhead = 44;
  const state = { syncSeq: 0, bodyBytes: first.length + overhead, acc: new Uint8Array(32) };
  const { header, region } = FileHeader.create(new TestKeys([exampleVolumeKey]), {
    kind: 'mutable',
    context: mutableExample.context,
    state,
  });
  const file = new MemoryFile(Buffer.concat([region, ...header.segments.seal([first], 0, true)]));
  // Two pieces of plaintext give two of ciphertext.
  const again = Buffer.concat(header.segments.seal([first, more], 0, true));
  file.bytes = Buffer.concat([file.bytes.subarray(0, region.length), again]);
  await header.writeState(file.system, 3, { ...state, syncSeq: 1, bodyBytes: again.length });
  const sealed = Uint8Array.from(file.bytes);
  const map = mapSealed(sealed);
  return { sealed, map, keys: deriveKeys(sealed, map) };
}

/** By the library, from the bytes alone. */
export function openMutableExample({ sealed }: MutableExample): Uint8Array {
  const header = FileHeader.open(new TestKeys([exampleVolumeKey]), sealed);
  return header.segments.open(sealed.subarray(header.regionBytes), 0, true) ?? new Uint8Array(0);
}

function deriveKeys(sealed: Uint8Array, map: SealedMap): MutableKeys {
  const field = (name: string, bytes?: number): Uint8Array => {
    const part = partOf(map, 1, name);
    return sealed.subarray(part.offset, part.offset + (bytes ?? part.bytes));
  };
  const { bytes: kek, keyId, version } = exampleVolumeKey;
  const fileId = field('file id');
  const floeHeader = field('AEAD id', 74);
  const slotAad = referenceSlotAad({ slotType: 1, keyId, keyVersion: version, fileId, floeHeader });
  const dataKey = referenceUnwrap(kek, field('slot 0 nonce', 104), slotAad);
  const floeKey = referenceExpand(dataKey, 'volseal/v1/floe');
  const associatedData = Uint8Array.from(
    Buffer.concat([ascii('volseal/v1/body'), Uint8Array.of(0, 2), fileId, field('context')]),
  );
  const derive = exampleKdf(floeHeader, associatedData);
  const messageKey = derive(floeKey, ascii('MESSAGE_KEY:'), 48);
  const segmentKey = derive(messageKey, Uint8Array.from([...ascii('DEK:'), ...bigEndian(0n, 8)]), 32);
  return {
    volumeId,
    keyIdText: referenceKeyIdText(keyId),
    slotAad,
    dataKey,
    headerMacKey: referenceExpand(dataKey, 'volseal/v1/header-mac'),
    journalKey: referenceExpand(dataKey, 'volseal/v1/journal'),
    floeKey,
    associatedData,
    headerTag: derive(floeKey, ascii('HEADER_TAG:'), 32),
    messageKey,
    segmentKey,
    subkey: referenceXaesSubkey(segmentKey, sealed.subarray(4_100, 4_124)),
    segmentAad: Uint8Array.from([...bigEndian(0n, 8), 1]),
  };
}
