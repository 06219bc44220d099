/** The keys that hang on a data key, and the associated data of a body (docs/format/v1.md §3 and §6). */

import { expand32, labels } from '../aead/kdf.ts';
import { concatBytes } from '../bytes.ts';
import type { Secret } from '../secret.ts';
import type { BodyKind } from './v1/constants.ts';

export function floeKey(dataKey: Secret): Secret {
  return expand32(dataKey, labels.floeKey);
}

export function headerMacKey(dataKey: Secret): Secret {
  return expand32(dataKey, labels.headerMac);
}

/** Under which the journal of a mutable file is authentic. */
export function journalMacKey(dataKey: Secret): Secret {
  return expand32(dataKey, labels.journal);
}

/** "volseal/v1/body" ‖ 00 ‖ body kind ‖ file id ‖ context. Never slots, generation or place: those change. */
export function bodyAssociatedData(bodyKind: BodyKind, fileId: Uint8Array, context: Uint8Array): Uint8Array {
  return concatBytes(labels.body, Uint8Array.of(0, bodyKind), fileId, context);
}
