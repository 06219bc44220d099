/** Checks of what callers pass in. A misspelt option is refused by name: silently ignored, it would change what is protected. */

import { VolsealError } from './errors.ts';

export function invalidArgument(message: string, hint?: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_INVALID_ARGUMENT', message, { hint });
}

/** Refuses anything but an object that has no other keys than `known`. */
export function checkOptions(what: string, options: unknown, known: readonly string[]): void {
  if (options === null || typeof options !== 'object') {
    throw invalidArgument(`${what} needs an options object`, `it takes ${known.join(', ')}`);
  }
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    const close = known.find((candidate) => candidate.toLowerCase() === name.toLowerCase());
    throw new VolsealError('ERR_VOLSEAL_UNKNOWN_OPTION', `${what} has no option ${JSON.stringify(name)}`, {
      hint: close === undefined ? `it takes ${known.join(', ')}` : `did you mean ${close}?`,
    });
  }
}

/** `'false'` or 0 would silently mean something else than its writer thinks. */
export function checkFlag(name: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'boolean')
    throw invalidArgument(`${name} must be true or false`);
}

/** The value as bytes without copying. Strings are refused: their encoding would be a guess. */
export function checkBytes(what: string, value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  throw invalidArgument(
    `${what} must be a Uint8Array or Buffer`,
    'encode text first: Buffer.from(text, "utf8")',
  );
}

/** A copy of a key of exactly `bytes` bytes. */
export function checkKey(what: string, value: unknown, bytes: number): Uint8Array {
  if (!(value instanceof Uint8Array) || value.length !== bytes) {
    throw invalidArgument(`${what} must be a Uint8Array of ${bytes} bytes`);
  }
  return new Uint8Array(value);
}

/** Throws what an aborted operation throws. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

export function abortError(signal: AbortSignal): VolsealError {
  return new VolsealError('ERR_VOLSEAL_ABORTED', 'the operation was aborted', { cause: signal.reason });
}
