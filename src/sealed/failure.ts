/** What a failure is called where only codes are told. */

import { VolsealError, type VolsealErrorCode } from '../errors.ts';

export function errorCodeOf(error: unknown): VolsealErrorCode {
  return error instanceof VolsealError ? error.code : 'ERR_VOLSEAL_ABORTED';
}
