/** The sealed file of the worked examples: made by the library from random bytes that count up from zero. */

import { createHash, createHmac } from 'node:crypto';

import { encrypt } from '../../src/index.ts';
import { flySecrets } from '../../src/kms/index.ts';
import {
  ascii,
  bigEndian,
  referenceExpand,
  referenceKek,
  referenceKeyId,
  referenceKeyIdText,
  referenceSecretText,
  referenceSlotAad,
  referenceUnwrap,
} from '../reference/keys.ts';
import { mapSealed, partOf, type SealedMap } from '../adversarial/sealed-map.ts';

export const example = {
  label: 'main',
  context: { tenant: 'acme' },
  plain: 'hello, volume\n',
} as const;

/** Input key material that everyone can compute. */
export const exampleIkm: Uint8Array = Uint8Array.from(
  createHash('sha256').update('volseal format version 1, worked example').digest(),
);
export const exampleSecret: string = referenceSecretText(exampleIkm);

export interface ExampleFile {
  readonly sealed: Uint8Array;
  readonly map: SealedMap;
}

/** Only under a randomness that starts from zero is it the same file each time. */
export async function sealExample(): Promise<ExampleFile> {
  const keys = flySecrets({ env: { [`VOLSEAL_SECRET_${example.label}`]: exampleSecret } });
  const sealed = await encrypt(ascii(example.plain), { keys, context: example.context });
  return { sealed, map: mapSealed(sealed) };
}

/** Everything that is derived on the way from the secret to the plaintext, none of it by the library. */
export interface ExampleKeys {
  readonly keyId: Uint8Array;
  readonly keyIdText: string;
  readonly kek: Uint8Array;
  readonly slotEncryptionKey: Uint8Array;
  readonly slotCommitmentKey: Uint8Array;
  readonly slotAad: Uint8Array;
  readonly dataKey: Uint8Array;
  readonly headerMacKey: Uint8Array;
  readonly floeKey: Uint8Array;
  readonly associatedData: Uint8Array;
  readonly headerTag: Uint8Array;
  readonly messageKey: Uint8Array;
  readonly segmentKey: Uint8Array;
  readonly segmentAad: Uint8Array;
}

export function deriveExampleKeys({ sealed, map }: ExampleFile): ExampleKeys {
  const field = (name: string, bytes?: number): Uint8Array => {
    const part = partOf(map, 0, name);
    return sealed.subarray(part.offset, part.offset + (bytes ?? part.bytes));
  };
  const keyId = referenceKeyId(exampleIkm);
  const kek = referenceKek(exampleIkm, 0, new Uint8Array(16));
  const fileId = field('file id');
  const floeHeader = field('AEAD id', 74);
  const slotAad = referenceSlotAad({ slotType: 2, keyId, keyVersion: 0, fileId, floeHeader });
  const dataKey = referenceUnwrap(kek, field('slot 0 nonce', 104), slotAad);
  const floeKey = referenceExpand(dataKey, 'volseal/v1/floe');
  const associatedData = Uint8Array.from(
    Buffer.concat([ascii('volseal/v1/body'), Uint8Array.of(0, 1), fileId, field('context')]),
  );
  const derive = exampleKdf(floeHeader, associatedData);
  const messageKey = derive(floeKey, ascii('MESSAGE_KEY:'), 48);
  return {
    keyId,
    keyIdText: referenceKeyIdText(keyId),
    kek,
    slotEncryptionKey: referenceExpand(kek, 'volseal/v1/slot-enc'),
    slotCommitmentKey: referenceExpand(kek, 'volseal/v1/slot-com'),
    slotAad,
    dataKey,
    headerMacKey: referenceExpand(dataKey, 'volseal/v1/header-mac'),
    floeKey,
    associatedData,
    headerTag: derive(floeKey, ascii('HEADER_TAG:'), 32),
    messageKey,
    segmentKey: derive(messageKey, Uint8Array.from([...ascii('DEK:'), ...bigEndian(0n, 8)]), 32),
    segmentAad: Uint8Array.from([...bigEndian(0n, 8), 1]),
  };
}

/** KDF of §6. */
export function exampleKdf(
  floeHeader: Uint8Array,
  associatedData: Uint8Array,
): (key: Uint8Array, purpose: Uint8Array, bytes: number) => Uint8Array {
  return (key, purpose, bytes) => {
    const hmac = createHmac('sha384', key).update(floeHeader.subarray(0, 42)).update(purpose);
    return Uint8Array.from(hmac.update(associatedData).update(Uint8Array.of(1)).digest().subarray(0, bytes));
  };
}
