/**
 * Errors about arguments as `node:fs` makes them: TypeError and RangeError with Node's codes. Code that was written for
 * `node:fs` meets the errors it knows. Unlike Node's they never quote what was passed as data: it may be plaintext.
 */

type CodedError = Error & { code: string };

function coded(error: Error, code: string): CodedError {
  return Object.assign(error, { code });
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  if (typeof value !== 'object') return `type ${typeof value}`;
  const { constructor } = value as { constructor?: { name?: unknown } };
  return typeof constructor?.name === 'string' ? `an instance of ${constructor.name}` : 'an object';
}

/** `ERR_INVALID_ARG_TYPE`. `expected` in Node's words: `of type number`, `an instance of Buffer`. */
export function argumentType(name: string, expected: string, value: unknown): CodedError {
  const message = `The "${name}" argument must be ${expected}. Received ${typeOf(value)}`;
  return coded(new TypeError(message), 'ERR_INVALID_ARG_TYPE');
}

/** `ERR_OUT_OF_RANGE`. Only for numbers: they are quoted. */
export function outOfRange(name: string, range: string, value: number | bigint): CodedError {
  const received = typeof value === 'bigint' ? `${value}n` : String(value);
  const message = `The value of "${name}" is out of range. It must be ${range}. Received ${received}`;
  return coded(new RangeError(message), 'ERR_OUT_OF_RANGE');
}

/** `ERR_INVALID_ARG_VALUE`. `received` is quoted: only for what cannot be plaintext. */
export function argumentValue(name: string, received: string, reason = 'is invalid'): CodedError {
  const message = `The argument '${name}' ${reason}. Received ${received}`;
  return coded(new TypeError(message), 'ERR_INVALID_ARG_VALUE');
}

/** `ERR_INVALID_STATE`. */
export function invalidState(what: string): CodedError {
  return coded(new Error(`Invalid state: ${what}`), 'ERR_INVALID_STATE');
}

/** `ERR_FS_FILE_TOO_LARGE`: it does not fit into one buffer. */
export function fileTooLarge(plainBytes: number): CodedError {
  const message = `File size (${plainBytes}) is greater than 2 GiB`;
  return coded(new RangeError(message), 'ERR_FS_FILE_TOO_LARGE');
}

/** The value as a whole number of a range. @throws `ERR_INVALID_ARG_TYPE`, `ERR_OUT_OF_RANGE` */
export function checkInteger(
  name: string,
  value: unknown,
  least: number = Number.MIN_SAFE_INTEGER,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== 'number') throw argumentType(name, 'of type number', value);
  if (!Number.isInteger(value)) throw outOfRange(name, 'an integer', value);
  if (value < least || value > most) throw outOfRange(name, `>= ${least} && <= ${most}`, value);
  return value;
}

/** @throws `ERR_INVALID_ARG_TYPE` */
export function checkBoolean(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw argumentType(name, 'of type boolean', value);
  return value;
}

/** @throws `ERR_INVALID_ARG_TYPE` */
export function checkSignal(value: unknown): AbortSignal {
  if (value instanceof AbortSignal) return value;
  throw argumentType('signal', 'an instance of AbortSignal', value);
}

/** EBADF as a closed `FileHandle` gives it. */
export function fileClosed(syscall: string): CodedError & { syscall: string } {
  return Object.assign(new Error('file closed'), { code: 'EBADF', syscall });
}
