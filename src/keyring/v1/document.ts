/** The outer document, `{"volsealKeyring":1,"payload":…,"mac":…}` (docs/format/keyring-v1.md §3). */

import { VolsealError } from '../../errors.ts';
import { maxKeyringBytes } from '../../limits.ts';
import { Members } from './members.ts';
import { invalidKeyring } from './refusals.ts';
import { parseStrictJson } from './strict-json.ts';

const version = 1;
const macBytes = 32;

export interface KeyringDocument {
  /** The bytes under the MAC, as they were stored. */
  readonly payload: Uint8Array;
  readonly mac: Uint8Array;
}

/** @throws VolsealError `ERR_VOLSEAL_TOO_LARGE` when no reader would take it */
export function encodeDocument({ payload, mac }: KeyringDocument): Uint8Array {
  const base64url = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');
  const text = `{"volsealKeyring":${version},"payload":"${base64url(payload)}","mac":"${base64url(mac)}"}`;
  if (text.length <= maxKeyringBytes) return Uint8Array.from(Buffer.from(text, 'latin1'));
  throw new VolsealError(
    'ERR_VOLSEAL_TOO_LARGE',
    `the keyring would have ${text.length} bytes, more than ${maxKeyringBytes}`,
    { hint: 'use fewer or shorter key slots' },
  );
}

/**
 * Nothing of it is verified yet.
 * @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID`, `ERR_VOLSEAL_UNSUPPORTED_VERSION`, `ERR_VOLSEAL_UNSUPPORTED_FEATURE`
 */
export function decodeDocument(bytes: Uint8Array): KeyringDocument {
  if (bytes.length > maxKeyringBytes) throw invalidKeyring(`it has more than ${maxKeyringBytes} bytes`);
  const members = new Members('keyring.json', parseStrictJson(bytes, 'keyring.json'));
  const found = members.integer('volsealKeyring', 0, Number.MAX_SAFE_INTEGER);
  if (found !== version) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_VERSION',
      `the keyring has format version ${found}, this volseal knows ${version}`,
      { hint: 'a newer volseal wrote it; upgrade and try again' },
    );
  }
  const payload = members.bytes('payload', 0, maxKeyringBytes);
  const mac = members.bytes('mac', macBytes, macBytes);
  members.end();
  return { payload, mac };
}
