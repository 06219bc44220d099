/** Errors in the form of `node:fs`, for failures that Node has a code for: same `code`, `errno`, `syscall`, `path` and `dest`. */

import { constants } from 'node:os';

/** libuv's words for each code. */
const words: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EAGAIN: 'resource temporarily unavailable',
  EBADF: 'bad file descriptor',
  EBUSY: 'resource busy or locked',
  EDQUOT: 'disk quota exceeded',
  EEXIST: 'file already exists',
  EFBIG: 'file too large',
  EINVAL: 'invalid argument',
  EIO: 'i/o error',
  EISDIR: 'illegal operation on a directory',
  ELOOP: 'too many symbolic links encountered',
  EMFILE: 'too many open files',
  EMLINK: 'too many links',
  ENAMETOOLONG: 'name too long',
  ENFILE: 'file table overflow',
  ENODEV: 'no such device',
  ENOENT: 'no such file or directory',
  ENOMEM: 'not enough memory',
  ENOSPC: 'no space left on device',
  ENOSYS: 'function not implemented',
  ENOTDIR: 'not a directory',
  ENOTEMPTY: 'directory not empty',
  ENOTSUP: 'operation not supported on socket',
  ENXIO: 'no such device or address',
  EPERM: 'operation not permitted',
  EPIPE: 'broken pipe',
  EROFS: 'read-only file system',
  ESPIPE: 'invalid seek',
  ETXTBSY: 'text file is busy',
  EXDEV: 'cross-device link not permitted',
};

export interface ErrnoDetails {
  /** Said in parentheses after Node's words. */
  readonly detail?: string;
  readonly cause?: unknown;
  readonly holderPid?: number;
}

/** An error of `node:fs`, of the system's or in its form. */
export type FsError = NodeJS.ErrnoException & { dest?: string; holderPid?: number; detail?: string };

/** `ENOENT: no such file or directory, open 'a'`, as `node:fs` makes it. */
export function errnoError(
  code: string,
  syscall: string,
  path?: string,
  dest?: string,
  details: ErrnoDetails = {},
): FsError {
  return makeError(code, words[code] ?? 'unknown error', syscall, path, dest, details);
}

function makeError(
  code: string,
  said: string,
  syscall: string,
  path: string | undefined,
  dest: string | undefined,
  details: ErrnoDetails,
): FsError {
  const where = path === undefined ? '' : ` '${path}'${dest === undefined ? '' : ` -> '${dest}'`}`;
  const detail = details.detail === undefined ? '' : ` (${details.detail})`;
  const error: FsError = new Error(
    `${code}: ${said}, ${syscall}${where}${detail}`,
    details.cause === undefined ? undefined : { cause: details.cause },
  );
  const errno = (constants.errno as Record<string, number | undefined>)[code];
  if (errno !== undefined) error.errno = -errno;
  error.code = code;
  error.syscall = syscall;
  if (path !== undefined) error.path = path;
  if (dest !== undefined) error.dest = dest;
  if (details.holderPid !== undefined) error.holderPid = details.holderPid;
  if (details.detail !== undefined) {
    Object.defineProperty(error, 'detail', { value: details.detail, configurable: true });
  }
  return error;
}

/** Whether it is an error of the system with this code. */
export function hasErrno(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && codes.includes((error as NodeJS.ErrnoException).code ?? '');
}

/** Whether it is an error of the system: one with a code, a number and the name of a system call. */
export function isFsError(error: unknown): error is FsError {
  if (!(error instanceof Error)) return false;
  const { code, errno, syscall } = error as NodeJS.ErrnoException;
  return typeof code === 'string' && typeof errno === 'number' && typeof syscall === 'string';
}

/**
 * The same failure as the caller of `syscall` on `path` knows it. The original is not kept as a cause: it names the path
 * on the host. Anything that is not an error of the system comes back as it is.
 */
export function restateError(error: unknown, syscall: string, path?: string, dest?: string): unknown {
  if (!isFsError(error)) return error;
  const { code = '', detail, holderPid, message } = error;
  const said = words[code] ?? message.slice(code.length + 2).split(', ')[0] ?? 'unknown error';
  return makeError(code, said, syscall, path, dest, {
    ...(detail === undefined ? {} : { detail }),
    ...(holderPid === undefined ? {} : { holderPid }),
  });
}

/** What `fs.rm` and `fs.cp` throw of their own: `info` has the same again, and `errno` is positive. */
export function fsSystemError(
  code: string,
  summary: string,
  info: { syscall: string; errno: 'EEXIST' | 'EINVAL' | 'EISDIR' | 'ENOTDIR'; path: string; message: string },
): FsError {
  const { syscall, errno: errnoCode, path, message } = info;
  const errno = constants.errno[errnoCode];
  const error: FsError = new Error(`${summary}: ${syscall} returned ${errnoCode} (${message}) ${path}`);
  error.name = 'SystemError';
  return Object.assign(error, {
    code,
    info: { code: errnoCode, message, path, syscall, errno },
    errno,
    syscall,
    path,
  });
}
