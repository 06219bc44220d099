/** Failures of a volume in the terms of whoever typed the command. */

import { hasErrno } from '../../errno.ts';
import { VolsealError, withPath } from '../../errors.ts';
import { fromSystemError } from '../../system-error.ts';

const contextHint = 'say what the data was sealed with: --context KEY=VALUE (volseal inspect shows it)';

/** The same failure, said of what the user named. */
export function inTermsOf(given: string, thrown: unknown): unknown {
  if (hasErrno(thrown, 'EBUSY'))
    return busyError(given, thrown as NodeJS.ErrnoException & { holderPid?: number });
  if (hasErrno(thrown, 'ENOTEMPTY')) {
    return new VolsealError('ERR_VOLSEAL_EXISTS', `${given}: a folder is there that is not empty`, {
      hint: 'name another destination, or remove what is in it first',
      path: given,
      cause: thrown,
    });
  }
  const error = fromSystemError(thrown, given);
  if (!(error instanceof VolsealError)) return error;
  if (error.code === 'ERR_VOLSEAL_CONTEXT_MISMATCH') return respelled(given, error, contextHint);
  return error.path === undefined || error.path === given ? withPath(error, given) : respelled(given, error);
}

export async function inTerms<T>(given: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw inTermsOf(given, error);
  }
}

function busyError(given: string, cause: NodeJS.ErrnoException & { holderPid?: number }): VolsealError {
  const { holderPid } = cause;
  const who = holderPid === undefined ? 'another process' : `process ${holderPid}`;
  const look = holderPid === undefined ? '' : ` (ps -p ${holderPid} -o args shows what it is)`;
  return new VolsealError('ERR_VOLSEAL_BUSY', `${given}: ${who} has it open for writing`, {
    hint: `try again when it has closed the file, or let that program do it${look}`,
    path: given,
    retryable: true,
    cause,
  });
}

/** The library names a file by its path in the volume, the user named it from somewhere else. */
function respelled(given: string, error: VolsealError, hint = error.hint): VolsealError {
  const { cause, code, message, offset, path = '', retryable } = error;
  const details = { hint, path: given, offset, retryable, cause };
  if (message.startsWith(`${path}: `))
    return new VolsealError(code, `${given}: ${message.slice(path.length + 2)}`, details);
  return new VolsealError(code, message.includes(path) ? message : `${given}: ${message}`, details);
}
