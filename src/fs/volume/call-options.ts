/** What the functions of a volume take as options: forms as in `node:fs/promises`, with unknown names refused. */

import {
  argumentType,
  argumentValue,
  checkBoolean,
  checkInteger,
  checkSignal,
} from '../handle/argument-errors.ts';
import { checkOptions } from '../../options.ts';

/** Options that may be left out, null, or just an encoding, as an object. */
export function optionsObject(
  what: string,
  options: unknown,
  known: readonly string[],
): Record<string, unknown> {
  if (options === undefined || options === null) return {};
  const given = typeof options === 'string' ? { encoding: options } : options;
  if (typeof given !== 'object' || Array.isArray(given)) {
    throw argumentType('options', 'one of type string or object', options);
  }
  checkOptions(what, given, known);
  return given as Record<string, unknown>;
}

/** The encoding among the options; undefined for bytes. */
export function checkEncoding(encoding: unknown): BufferEncoding | undefined {
  if (encoding === undefined || encoding === null || encoding === 'buffer') return undefined;
  if (typeof encoding === 'string' && Buffer.isEncoding(encoding)) return encoding;
  const shown = typeof encoding === 'string' ? `'${encoding.slice(0, 28)}'` : `a ${typeof encoding}`;
  throw argumentValue('encoding', shown, 'is invalid encoding');
}

/** A name or path in the encoding that was asked for: UTF-8 text unless told otherwise. */
export function encodedName(name: string, encoding: unknown): string | Buffer {
  if (encoding === 'buffer') return Buffer.from(name);
  const checked = checkEncoding(encoding);
  if (checked === undefined || checked === 'utf8' || checked === 'utf-8') return name;
  return Buffer.from(name).toString(checked);
}

export function optionalSignal(signal: unknown): AbortSignal | undefined {
  return signal === undefined ? undefined : checkSignal(signal);
}

export function optionalBoolean(name: string, value: unknown): boolean {
  return value === undefined || value === null ? false : checkBoolean(name, value);
}

export function optionalInteger(name: string, value: unknown, least: number, missing: number): number {
  return value === undefined || value === null ? missing : checkInteger(name, value, least);
}
