/** Errors of the operating system in the words of volseal. The Node error stays as `cause`. */

import { VolsealError, type VolsealErrorCode } from './errors.ts';

const known: Readonly<Record<string, readonly [VolsealErrorCode, string, string]>> = {
  ENOENT: ['ERR_VOLSEAL_NOT_FOUND', 'no such file or directory', 'check the path'],
  ENOTDIR: ['ERR_VOLSEAL_NOT_FOUND', 'a part of the path is not a directory', 'check the path'],
  EEXIST: ['ERR_VOLSEAL_EXISTS', 'it exists already', 'choose another name, or allow it to be replaced'],
  EACCES: [
    'ERR_VOLSEAL_PERMISSION',
    'permission denied',
    'the root of a new Fly volume belongs to root: chown it in the entrypoint before dropping privileges',
  ],
  EPERM: ['ERR_VOLSEAL_PERMISSION', 'operation not permitted', 'check the owner and the mode of the file'],
  EROFS: [
    'ERR_VOLSEAL_PERMISSION',
    'the file system is read-only',
    'write to a volume that is mounted for writing',
  ],
  ENOSPC: [
    'ERR_VOLSEAL_NO_SPACE',
    'no space left on the volume',
    'free some space, or extend it: fly volumes extend',
  ],
  EDQUOT: ['ERR_VOLSEAL_NO_SPACE', 'the disk quota is used up', 'free some space'],
  EFBIG: ['ERR_VOLSEAL_NO_SPACE', 'the file would be larger than the limit', 'raise the file size limit'],
  ENAMETOOLONG: ['ERR_VOLSEAL_IO', 'the name is too long', 'choose a shorter name'],
  ELOOP: ['ERR_VOLSEAL_IO', 'its symbolic links go round in a circle', 'check the links with ls -l'],
  EISDIR: ['ERR_VOLSEAL_IO', 'it is a directory', 'name a file'],
  EBUSY: ['ERR_VOLSEAL_BUSY', 'another process has it open for writing', 'wait until it is done'],
  EMFILE: ['ERR_VOLSEAL_IO', 'too many open files', 'close some, or raise the limit (ulimit -n)'],
  EPIPE: [
    'ERR_VOLSEAL_IO',
    'the reader of the output went away',
    'run it again with a reader that takes everything',
  ],
};

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return (
    error instanceof Error && typeof (error as NodeJS.ErrnoException).code === 'string' && 'syscall' in error
  );
}

/** A VolsealError for a system error that concerns `path`; anything else comes back as it is. */
export function fromSystemError(error: unknown, path: string | undefined): unknown {
  if (error instanceof VolsealError || !isSystemError(error)) return error;
  const [code, words, hint] = known[error.code as string] ?? [
    'ERR_VOLSEAL_IO',
    `input/output error (${error.code})`,
    undefined,
  ];
  const where = path ?? error.path;
  return new VolsealError(code, where === undefined ? words : `${where}: ${words}`, {
    hint,
    path: where,
    retryable: error.code === 'EMFILE' || error.code === 'EAGAIN' || error.code === 'EBUSY',
    cause: error,
  });
}
