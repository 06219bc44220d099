/** What failed with one of many files, as an error again: a report tells its code and its words. */

import { VolsealError, type VolsealErrorCode, volsealErrorCodes } from '../../errors.ts';
import type { PathFailure } from '../../rotate/report-types.ts';
import { fromSystemError } from '../../system-error.ts';

const known: ReadonlySet<string> = new Set(volsealErrorCodes);

export function failureOf({ code, message, path }: PathFailure): VolsealError {
  const text = message.startsWith(`${path}: `) ? message : `${path}: ${message}`;
  if (known.has(code)) return new VolsealError(code as VolsealErrorCode, text, { path });
  const system = Object.assign(new Error(message), { code, syscall: 'open', path });
  const error = fromSystemError(system, path);
  return error instanceof VolsealError ? error : new VolsealError('ERR_VOLSEAL_IO', text, { path });
}
