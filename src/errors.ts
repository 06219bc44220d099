/**
 * The one error class of volseal and its closed list of codes.
 *
 * Messages and hints never carry key bytes, plaintext, or the value a tag, MAC or context should have had.
 */

/** Every code a {@link VolsealError} can carry. Codes are part of the public interface: they are added, never changed. */
export const volsealErrorCodes = [
  // the caller
  'ERR_VOLSEAL_INVALID_ARGUMENT',
  'ERR_VOLSEAL_UNKNOWN_OPTION',
  'ERR_VOLSEAL_TOO_LARGE',
  'ERR_VOLSEAL_HEADER_FULL',
  'ERR_VOLSEAL_CLOSED',
  'ERR_VOLSEAL_ABORTED',
  // keys
  'ERR_VOLSEAL_NO_SECRET',
  'ERR_VOLSEAL_NO_PRIMARY',
  'ERR_VOLSEAL_SECRET_INVALID',
  'ERR_VOLSEAL_KEY_MISSING',
  'ERR_VOLSEAL_WRONG_KEY',
  // not authentic
  'ERR_VOLSEAL_HEADER_DAMAGED',
  'ERR_VOLSEAL_HEADER_INVALID',
  'ERR_VOLSEAL_HEADER_CONFLICT',
  'ERR_VOLSEAL_HEADER_TAMPERED',
  'ERR_VOLSEAL_CONTEXT_MISMATCH',
  'ERR_VOLSEAL_TAMPERED',
  'ERR_VOLSEAL_TRUNCATED',
  'ERR_VOLSEAL_TRAILING_DATA',
  'ERR_VOLSEAL_CANNOT_OPEN',
  // not ours
  'ERR_VOLSEAL_NOT_SEALED',
  'ERR_VOLSEAL_UNSUPPORTED_VERSION',
  'ERR_VOLSEAL_UNSUPPORTED_SUITE',
  'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
  // file system
  'ERR_VOLSEAL_NOT_FOUND',
  'ERR_VOLSEAL_EXISTS',
  'ERR_VOLSEAL_PERMISSION',
  'ERR_VOLSEAL_NO_SPACE',
  'ERR_VOLSEAL_IO',
  // volumes
  'ERR_VOLSEAL_KEYRING_MISSING',
  'ERR_VOLSEAL_KEYRING_INVALID',
  'ERR_VOLSEAL_KEYRING_TAMPERED',
  'ERR_VOLSEAL_KEYRING_ROLLED_BACK',
  'ERR_VOLSEAL_VOLUME_EXISTS',
  'ERR_VOLSEAL_VOLUME_MISMATCH',
  'ERR_VOLSEAL_JOURNAL_TAMPERED',
  'ERR_VOLSEAL_OUTSIDE_VOLUME',
  'ERR_VOLSEAL_BUSY',
  'ERR_VOLSEAL_ROTATION_REFUSED',
  // key providers
  'ERR_VOLSEAL_PROVIDER_FAILED',
  'ERR_VOLSEAL_PROVIDER_UNAVAILABLE',
  // ourselves
  'ERR_VOLSEAL_INTERNAL',
] as const;

/** One of {@link volsealErrorCodes}. */
export type VolsealErrorCode = (typeof volsealErrorCodes)[number];

/** What an error says beside its code and message. */
export interface VolsealErrorDetails {
  /** The next step for whoever reads the message. */
  hint?: string | undefined;
  /** The file concerned, as the caller named it. */
  path?: string | undefined;
  /** Offset in the sealed bytes, counted from the start of the file or stream. */
  offset?: number | undefined;
  /** Whether the same call may succeed later without any change. */
  retryable?: boolean | undefined;
  cause?: unknown;
}

/** Every failure of volseal. Tell failures apart by `code`; show people `message` and `hint`. */
export class VolsealError extends Error {
  readonly code: VolsealErrorCode;
  // Declared only: a field would print as undefined where there is nothing to say.
  declare readonly hint?: string;
  declare readonly path?: string;
  declare readonly offset?: number;
  readonly retryable: boolean;

  constructor(code: VolsealErrorCode, message: string, details: VolsealErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    // Node's own abort errors are told apart by this name, so code written for them keeps working.
    this.name = code === 'ERR_VOLSEAL_ABORTED' ? 'AbortError' : 'VolsealError';
    this.code = code;
    if (details.hint !== undefined) this.hint = details.hint;
    if (details.path !== undefined) this.path = details.path;
    if (details.offset !== undefined) this.offset = details.offset;
    this.retryable = details.retryable ?? false;
  }
}

/** The same error with the file it concerns, when it does not name one yet. */
export function withPath(error: unknown, path: string | undefined): unknown {
  if (!(error instanceof VolsealError) || error.path !== undefined || path === undefined) return error;
  const { code, message, hint, offset, retryable, cause } = error;
  const named = new VolsealError(code, `${path}: ${message}`, { hint, path, offset, retryable, cause });
  if (error.stack !== undefined) named.stack = error.stack;
  return named;
}

/** An invariant of volseal itself did not hold. */
export function internalError(what: string, cause?: unknown): VolsealError {
  return new VolsealError('ERR_VOLSEAL_INTERNAL', `internal error: ${what}`, {
    hint: 'this is a defect of volseal; please report it with the message above',
    cause,
  });
}
