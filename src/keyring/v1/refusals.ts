/** Why a keyring is refused. Nothing that stands in it is quoted, except names of members, cut short. */

import { VolsealError } from '../../errors.ts';

const restoreHint = 'put a good copy back: volseal keyring restore EXPORT';

/** Not a keyring, or one that no volseal writes. */
export function invalidKeyring(what: string, cause?: unknown): VolsealError {
  return new VolsealError('ERR_VOLSEAL_KEYRING_INVALID', `the keyring is malformed: ${what}`, {
    hint: restoreHint,
    cause,
  });
}

/** Something that only a later version can have written. */
export function unsupportedKeyring(what: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_UNSUPPORTED_FEATURE', `the keyring has ${what}`, {
    hint: 'a newer volseal wrote it; upgrade and try again',
  });
}

export function tamperedKeyring(): VolsealError {
  return new VolsealError(
    'ERR_VOLSEAL_KEYRING_TAMPERED',
    'the keyring is not authentic: it was changed by someone who does not hold its key',
    { hint: restoreHint },
  );
}

/** A name out of a document that nobody has verified: cut, and without what a terminal would obey. */
export function shown(name: string): string {
  return JSON.stringify(name.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 60));
}
