/**
 * JSON (RFC 8259) as a keyring may use it, and nothing beside it (docs/format/keyring-v1.md §2). `JSON.parse` would keep
 * the last of two members of one name, so that two readers could see two documents in the same bytes.
 */

import { invalidKeyring, shown } from './refusals.ts';

export type Json = string | number | boolean | readonly Json[] | JsonObject;
export type JsonObject = ReadonlyMap<string, Json>;

/** Values inside values; a keyring needs three. */
const maxDepth = 8;

/**
 * @param what the document, for errors
 * @throws VolsealError `ERR_VOLSEAL_KEYRING_INVALID` for what is not JSON, two members of one name, a number that is not a
 *   whole one from 0 to 2^53 − 1, null, text that is not well-formed, or nesting deeper than any keyring has
 */
export function parseStrictJson(bytes: Uint8Array, what: string): Json {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalidKeyring(`${what} is not UTF-8 text`);
  }
  return new Parser(text, what).document();
}

class Parser {
  readonly #text: string;
  readonly #what: string;
  #at = 0;
  #depth = 0;

  constructor(text: string, what: string) {
    this.#text = text;
    this.#what = what;
  }

  document(): Json {
    const value = this.#value();
    this.#skipSpace();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(): Json {
    this.#skipSpace();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#inside(() => this.#object());
      case '[':
        return this.#inside(() => this.#array());
      case '"':
        return this.#string();
      case 't':
        return this.#word('true', true);
      case 'f':
        return this.#word('false', false);
      case undefined:
      default:
        return this.#number();
    }
  }

  #inside<T>(read: () => T): T {
    this.#depth += 1;
    if (this.#depth > maxDepth) throw this.#invalid('is nested too deeply');
    this.#at += 1;
    const value = read();
    this.#depth -= 1;
    return value;
  }

  #object(): JsonObject {
    const members = new Map<string, Json>();
    if (this.#takes('}')) return members;
    do {
      this.#skipSpace();
      if (this.#text[this.#at] !== '"') throw this.#unexpected();
      const name = this.#string();
      if (members.has(name)) throw this.#invalid(`has the member ${shown(name)} twice`);
      if (!this.#takes(':')) throw this.#unexpected();
      members.set(name, this.#value());
    } while (this.#takes(','));
    if (!this.#takes('}')) throw this.#unexpected();
    return members;
  }

  #array(): Json[] {
    const items: Json[] = [];
    if (this.#takes(']')) return items;
    do items.push(this.#value());
    while (this.#takes(','));
    if (!this.#takes(']')) throw this.#unexpected();
    return items;
  }

  #string(): string {
    const start = this.#at;
    let plain = true;
    for (this.#at += 1; ; this.#at += 1) {
      const code = this.#text.charCodeAt(this.#at); // NaN at the end
      if (code === 0x22) break;
      if (!(code >= 0x20)) throw this.#unexpected();
      if (code !== 0x5c) continue;
      plain = false;
      this.#at += 1; // whatever is escaped, it does not end the string
    }
    this.#at += 1;
    if (plain) return this.#text.slice(start + 1, this.#at - 1);
    let value: unknown;
    try {
      value = JSON.parse(this.#text.slice(start, this.#at));
    } catch {
      // An escape that JSON does not have.
    }
    if (typeof value === 'string' && value.isWellFormed()) return value;
    throw this.#invalid('has text that is not well-formed');
  }

  #number(): number {
    const start = this.#at;
    while (isDigit(this.#text.charCodeAt(this.#at))) this.#at += 1;
    const digits = this.#text.slice(start, this.#at);
    const value = Number(digits);
    if (digits === '') throw this.#unexpected();
    const next = this.#text[this.#at];
    const isWhole = next !== '.' && next !== 'e' && next !== 'E';
    if (isWhole && String(value) === digits && Number.isSafeInteger(value)) return value;
    throw this.#invalid('has a number that is not a whole one from 0 to 2^53 - 1');
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #takes(character: string): boolean {
    this.#skipSpace();
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #skipSpace(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at += 1;
    }
  }

  #unexpected(): Error {
    return this.#invalid(this.#at < this.#text.length ? 'is not JSON' : 'ends too early');
  }

  #invalid(why: string): Error {
    return invalidKeyring(`${this.#what} ${why} (character ${this.#at})`);
  }
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
