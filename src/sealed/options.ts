/** The options that all functions of volseal share, and their checks. */

import { aeadBySuite } from '../aead/registry.ts';
import type { Suite } from '../aead/suite.ts';
import { encodeContext } from '../envelope/context.ts';
import { checkEnvelopeSegmentBytes } from '../envelope/create.ts';
import { VolsealError, withPath } from '../errors.ts';
import { providersOf } from '../envelope/slots.ts';
import type { Context, KeyProvider, Keys } from '../kms/provider.ts';
import { checkFlag, checkOptions, invalidArgument } from '../options.ts';
import { fromSystemError } from '../system-error.ts';

export interface OpenOptions {
  /** Where keys come from; of several providers any one that can open does. */
  keys: Keys;
  /** Pairs that the data must have been sealed with. Left out: the context is not checked. */
  context?: Context;
  /** The data must have been sealed with exactly `context` and no further pairs. Default false. */
  exactContext?: boolean;
  /** One error, `ERR_VOLSEAL_CANNOT_OPEN` without details, for everything that can be wrong with sealed data. For servers that decrypt what strangers send. */
  opaqueErrors?: boolean;
  /** Aborts with `ERR_VOLSEAL_ABORTED`. */
  signal?: AbortSignal;
}

export interface SealOptions {
  /** Where keys come from; each provider gets a slot, so that any one of them opens the data later. */
  keys: Keys;
  /** Pairs that are stored in clear and bound to the data. */
  context?: Context;
  /** Default `aes-256-gcm`. */
  suite?: Suite;
  /** Sealed bytes of a segment: a multiple of 512 from 4,096 to 4,194,304. Default 65,536. Random reads open whole segments. */
  segmentBytes?: number;
  /** Aborts with `ERR_VOLSEAL_ABORTED`. */
  signal?: AbortSignal;
}

export interface Progress {
  /** Plaintext bytes done. */
  doneBytes: number;
  totalBytes?: number;
  doneItems?: number;
  totalItems?: number;
}

export interface FileOptions {
  /** Replace an existing destination. Default true. */
  overwrite?: boolean;
  /** Permission bits of the destination. Default: those of the file it replaces, else those of the source. */
  mode?: number;
  /** Called now and then with what is done. */
  onProgress?(progress: Progress): void;
}

const openOptionNames = ['keys', 'context', 'exactContext', 'opaqueErrors', 'signal'] as const;
const sealOptionNames = ['keys', 'context', 'suite', 'segmentBytes', 'signal'] as const;
export const fileOptionNames = ['overwrite', 'mode', 'onProgress'] as const;

/** Refuses unknown options and gives the providers. */
export function checkOpenOptions(
  what: string,
  options: OpenOptions,
  more: readonly string[] = [],
): readonly KeyProvider[] {
  checkOptions(what, options, [...openOptionNames, ...more]);
  checkSignal(options.signal);
  checkFlag('exactContext', options.exactContext);
  checkFlag('opaqueErrors', options.opaqueErrors);
  encodeContext(options.context);
  return providersOf(options.keys);
}

/** Refuses unknown options and gives the providers. */
export function checkSealOptions(
  what: string,
  options: SealOptions,
  more: readonly string[] = [],
): readonly KeyProvider[] {
  checkOptions(what, options, [...sealOptionNames, ...more]);
  checkSignal(options.signal);
  if (options.suite !== undefined) aeadBySuite(options.suite);
  if (options.segmentBytes !== undefined) checkEnvelopeSegmentBytes(options.segmentBytes);
  encodeContext(options.context);
  return providersOf(options.keys);
}

function checkSignal(signal: unknown): void {
  if (signal === undefined || signal instanceof AbortSignal) return;
  throw invalidArgument('signal must be an AbortSignal');
}

export function checkFileOptions(options: FileOptions): void {
  const { mode, onProgress, overwrite } = options;
  if (mode !== undefined && (!Number.isInteger(mode) || mode < 0 || mode > 0o7777)) {
    throw invalidArgument('mode must be permission bits, for example 0o600');
  }
  if (onProgress !== undefined && typeof onProgress !== 'function')
    throw invalidArgument('onProgress must be a function');
  checkFlag('overwrite', overwrite);
}

/** A path as the file system functions take it: text or a file URL. */
export type PathLike = string | URL;

const aboutTheData: ReadonlySet<string> = new Set([
  'ERR_VOLSEAL_KEY_MISSING',
  'ERR_VOLSEAL_WRONG_KEY',
  'ERR_VOLSEAL_HEADER_DAMAGED',
  'ERR_VOLSEAL_HEADER_INVALID',
  'ERR_VOLSEAL_HEADER_CONFLICT',
  'ERR_VOLSEAL_HEADER_TAMPERED',
  'ERR_VOLSEAL_CONTEXT_MISMATCH',
  'ERR_VOLSEAL_TAMPERED',
  'ERR_VOLSEAL_TRUNCATED',
  'ERR_VOLSEAL_TRAILING_DATA',
  'ERR_VOLSEAL_NOT_SEALED',
  'ERR_VOLSEAL_UNSUPPORTED_VERSION',
  'ERR_VOLSEAL_UNSUPPORTED_SUITE',
  'ERR_VOLSEAL_UNSUPPORTED_FEATURE',
  // While opening: what a provider makes of a stranger's slot. `volseal:key.unwrap` still says it.
  'ERR_VOLSEAL_PROVIDER_FAILED',
]);

/** What the caller gets for a failure: in our words, with the file, and without a word too many when errors are opaque. */
export function presentError(error: unknown, path: string | undefined, opaque: boolean | undefined): unknown {
  if (opaque === true && error instanceof VolsealError && aboutTheData.has(error.code)) {
    return new VolsealError('ERR_VOLSEAL_CANNOT_OPEN', 'the data cannot be opened');
  }
  return withPath(fromSystemError(error, path), path);
}
