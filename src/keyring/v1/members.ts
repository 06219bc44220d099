/** Taking the members of a JSON object by name and type; what nobody takes is refused by name. */

import { utf8 } from '../../bytes.ts';
import { invalidKeyring, shown, unsupportedKeyring } from './refusals.ts';
import type { Json, JsonObject } from './strict-json.ts';

const datePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

export class Members {
  readonly #where: string;
  readonly #members: JsonObject;
  readonly #left: Set<string>;

  /** @param where the object, for errors */
  constructor(where: string, value: Json | undefined) {
    if (!(value instanceof Map)) throw invalidKeyring(`${where} is not an object`);
    this.#where = where;
    this.#members = value as JsonObject;
    this.#left = new Set(this.#members.keys());
  }

  has(name: string): boolean {
    return this.#members.has(name);
  }

  #take(name: string): Json {
    const value = this.#members.get(name);
    if (value === undefined) throw invalidKeyring(`${this.#where} has no member ${name}`);
    this.#left.delete(name);
    return value;
  }

  #wrong(name: string, what: string): Error {
    return invalidKeyring(`${name} of ${this.#where} is not ${what}`);
  }

  object(name: string): Members {
    return new Members(`${name} of ${this.#where}`, this.#take(name));
  }

  /** From `min` to `max` items. */
  list(name: string, min: number, max: number): readonly Json[] {
    const value = this.#take(name);
    if (!Array.isArray(value) || value.length < min || value.length > max) {
      throw this.#wrong(name, `a list of ${min} to ${max} items`);
    }
    return value as readonly Json[];
  }

  integer(name: string, min: number, max: number): number {
    const value = this.#take(name);
    if (typeof value === 'number' && value >= min && value <= max) return value;
    throw this.#wrong(name, 'a number in its bounds');
  }

  flag(name: string): boolean {
    const value = this.#take(name);
    if (typeof value === 'boolean') return value;
    throw this.#wrong(name, 'true or false');
  }

  /** Text of at most `maxBytes` bytes that matches. */
  text(name: string, maxBytes: number, pattern: RegExp): string {
    const value = this.#take(name);
    if (typeof value === 'string' && utf8(value).length <= maxBytes && pattern.test(value)) return value;
    throw this.#wrong(name, 'text of its form');
  }

  /** From `min` to `max` bytes as canonical base64url without padding. */
  bytes(name: string, min: number, max: number): Uint8Array {
    const value = this.#take(name);
    const bytes = typeof value === 'string' ? Buffer.from(value, 'base64url') : undefined;
    if (bytes?.toString('base64url') !== value) throw this.#wrong(name, 'canonical base64url');
    if (bytes.length < min || bytes.length > max) {
      throw this.#wrong(name, min === max ? `${min} bytes` : `${min} to ${max} bytes`);
    }
    return Uint8Array.from(bytes);
  }

  date(name: string): string {
    const text = this.text(name, 24, datePattern);
    const date = new Date(text);
    if (!Number.isNaN(date.getTime()) && date.toISOString() === text) return text;
    throw this.#wrong(name, 'a date');
  }

  /** To be called when everything known was taken: ignoring the rest would drop or bypass what it stands for. */
  end(reserved: Readonly<Record<string, string>> = {}): void {
    for (const name of this.#left) {
      throw unsupportedKeyring(reserved[name] ?? `an unknown member ${shown(name)} in ${this.#where}`);
    }
  }
}
