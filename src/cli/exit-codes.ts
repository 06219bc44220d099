/** Exit codes: an interface for scripts, documented in docs/cli.md. Numbers are added, never changed. */

import type { VolsealErrorCode } from '../errors.ts';

export const exitCodes = {
  done: 0,
  unexpected: 1,
  usage: 2,
  noKey: 3,
  notAuthentic: 4,
  fileSystem: 5,
  /** The command looked for something and found it; it is no failure. */
  findings: 6,
  refused: 7,
  unavailable: 8,
  busy: 9,
  notOurs: 10,
  interrupted: 130,
} as const;

const { busy, fileSystem, noKey, notAuthentic, notOurs, refused, unavailable, unexpected, usage } = exitCodes;

/** Every error has its exit code. `ERR_VOLSEAL_ABORTED` is 130 unless another signal than SIGINT was the reason. */
export const exitCodeOf: Readonly<Record<VolsealErrorCode, number>> = {
  ERR_VOLSEAL_INVALID_ARGUMENT: usage,
  ERR_VOLSEAL_UNKNOWN_OPTION: usage,
  ERR_VOLSEAL_TOO_LARGE: usage,
  ERR_VOLSEAL_HEADER_FULL: usage,
  ERR_VOLSEAL_CLOSED: unexpected,
  ERR_VOLSEAL_ABORTED: exitCodes.interrupted,
  ERR_VOLSEAL_NO_SECRET: noKey,
  ERR_VOLSEAL_NO_PRIMARY: noKey,
  ERR_VOLSEAL_SECRET_INVALID: noKey,
  ERR_VOLSEAL_KEY_MISSING: noKey,
  ERR_VOLSEAL_WRONG_KEY: noKey,
  ERR_VOLSEAL_HEADER_DAMAGED: notAuthentic,
  ERR_VOLSEAL_HEADER_INVALID: notAuthentic,
  ERR_VOLSEAL_HEADER_CONFLICT: notAuthentic,
  ERR_VOLSEAL_HEADER_TAMPERED: notAuthentic,
  ERR_VOLSEAL_CONTEXT_MISMATCH: notAuthentic,
  ERR_VOLSEAL_TAMPERED: notAuthentic,
  ERR_VOLSEAL_TRUNCATED: notAuthentic,
  ERR_VOLSEAL_TRAILING_DATA: notAuthentic,
  ERR_VOLSEAL_CANNOT_OPEN: notAuthentic,
  ERR_VOLSEAL_NOT_SEALED: notOurs,
  ERR_VOLSEAL_UNSUPPORTED_VERSION: notOurs,
  ERR_VOLSEAL_UNSUPPORTED_SUITE: notOurs,
  ERR_VOLSEAL_UNSUPPORTED_FEATURE: notOurs,
  ERR_VOLSEAL_NOT_FOUND: fileSystem,
  ERR_VOLSEAL_EXISTS: fileSystem,
  ERR_VOLSEAL_PERMISSION: fileSystem,
  ERR_VOLSEAL_NO_SPACE: fileSystem,
  ERR_VOLSEAL_IO: fileSystem,
  ERR_VOLSEAL_KEYRING_MISSING: fileSystem,
  ERR_VOLSEAL_KEYRING_INVALID: notAuthentic,
  ERR_VOLSEAL_KEYRING_TAMPERED: notAuthentic,
  ERR_VOLSEAL_KEYRING_ROLLED_BACK: notAuthentic,
  ERR_VOLSEAL_VOLUME_EXISTS: refused,
  ERR_VOLSEAL_VOLUME_MISMATCH: refused,
  ERR_VOLSEAL_JOURNAL_TAMPERED: notAuthentic,
  ERR_VOLSEAL_OUTSIDE_VOLUME: usage,
  ERR_VOLSEAL_BUSY: busy,
  ERR_VOLSEAL_ROTATION_REFUSED: refused,
  ERR_VOLSEAL_PROVIDER_FAILED: noKey,
  ERR_VOLSEAL_PROVIDER_UNAVAILABLE: unavailable,
  ERR_VOLSEAL_INTERNAL: unexpected,
};

/** Of several failures in one run the first of these decides; an alarm must not hide behind a missing file. */
const bySeverity: readonly number[] = [
  unexpected,
  notAuthentic,
  noKey,
  unavailable,
  notOurs,
  busy,
  refused,
  fileSystem,
  usage,
];

/** The exit code of a run in which both happened. Being interrupted wins over everything. */
export function worseExitCode(a: number, b: number): number {
  if (a === b || b === exitCodes.done) return a;
  if (a === exitCodes.done) return b;
  return bySeverity.indexOf(a) < bySeverity.indexOf(b) ? a : b;
}
