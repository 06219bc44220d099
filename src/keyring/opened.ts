/** A keyring document that was opened, and new ones under the same key. Order of checks: docs/format/keyring-v1.md §7. */

import { bytesEqual, hex } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import type { KeyProvider } from '../kms/provider.ts';
import type { KeyringContent } from './content.ts';
import type { KeyringKey } from './keyring-key.ts';
import { openLock } from './slots.ts';
import { decodeDocument, encodeDocument } from './v1/document.ts';
import { encodePayload, Payload } from './v1/payload.ts';
import { tamperedKeyring } from './v1/refusals.ts';

export interface OpenedKeyring {
  /** As stored. */
  readonly document: Uint8Array;
  readonly mac: Uint8Array;
  readonly content: KeyringContent;
  readonly key: KeyringKey;
}

export interface OpeningOptions {
  readonly providers: readonly KeyProvider[];
  /** 32 hexadecimal digits. */
  readonly expectVolumeId?: string | undefined;
  /** The key that it had when it was read before: as long as it fits, no provider is asked. */
  readonly key?: KeyringKey | undefined;
}

/**
 * Verifies a document and gives what it says.
 * @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID`, `ERR_VOLSEAL_KEYRING_TAMPERED`, `ERR_VOLSEAL_VOLUME_MISMATCH`,
 *   `ERR_VOLSEAL_KEY_MISSING`, `ERR_VOLSEAL_WRONG_KEY`, `ERR_VOLSEAL_UNSUPPORTED_VERSION` and its like, and what providers throw
 */
export async function openDocument(document: Uint8Array, options: OpeningOptions): Promise<OpenedKeyring> {
  const { payload: bytes, mac } = decodeDocument(document);
  const payload = new Payload(bytes);
  checkVolume(payload.lock.volumeId, options.expectVolumeId);
  const known = options.key?.verifies(bytes, mac) === true ? options.key : undefined;
  const key = known ?? (await openLock(options.providers, payload.lock));
  try {
    if (known === undefined && !key.verifies(bytes, mac)) throw tamperedKeyring();
    return { document, mac, content: payload.content(), key };
  } catch (error) {
    if (known === undefined) key.wipe();
    throw error;
  }
}

/** A new document; it is read back, so that nothing is ever stored that does not open. */
export function sealDocument(content: KeyringContent, key: KeyringKey): OpenedKeyring {
  const payload = encodePayload(content);
  const mac = key.mac(payload);
  const document = encodeDocument({ payload, mac });
  return { document, mac, content: new Payload(decodeDocument(document).payload).content(), key };
}

function checkVolume(volumeId: Uint8Array, expected: string | undefined): void {
  if (expected === undefined || expected.toLowerCase() === hex(volumeId)) return;
  throw volumeMismatch(`the keyring is of the volume ${hex(volumeId)}, not of ${expected.toLowerCase()}`);
}

/** @throws VolsealError `ERR_VOLSEAL_VOLUME_MISMATCH` */
export function checkSameVolume(before: KeyringContent, now: KeyringContent): void {
  if (bytesEqual(before.volumeId, now.volumeId)) return;
  throw volumeMismatch(
    `the keyring of another volume (${hex(now.volumeId)}) was put in place of that of ${hex(before.volumeId)}`,
  );
}

function volumeMismatch(message: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_VOLUME_MISMATCH', message, {
    hint: 'check which volume is mounted here; a keyring is put back by: volseal keyring restore EXPORT',
  });
}
