/** A holder for key bytes that does not show them to logs, inspectors or JSON, and can be wiped. */

import { createSecretKey, type KeyObject } from 'node:crypto';

import { internalError } from './errors.ts';
import { rawKeysAreSlow } from './passing-key.ts';

export class Secret {
  #bytes: Uint8Array | undefined;
  #keyObject: KeyObject | undefined;

  /** Takes the bytes over: the caller must not keep or change them. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get byteLength(): number {
    return this.bytes().length;
  }

  /** The bytes themselves, not a copy. */
  bytes(): Uint8Array {
    if (this.#bytes === undefined) throw internalError('a key was used after it was wiped');
    return this.#bytes;
  }

  /** For ciphers and MACs that use the key often: OpenSSL's copy is made once. */
  keyObject(): KeyObject {
    this.#keyObject ??= createSecretKey(this.bytes());
    return this.#keyObject;
  }

  /** For one cipher or MAC or two: whichever form this runtime starts them from fastest. */
  passingKey(): KeyObject | Uint8Array {
    return rawKeysAreSlow ? this.keyObject() : this.bytes();
  }

  /** Overwrites the bytes. The runtime may still hold copies that no program can reach. */
  wipe(): void {
    this.#bytes?.fill(0);
    this.#bytes = undefined;
    this.#keyObject = undefined;
  }

  toJSON(): string {
    return '[secret]';
  }

  toString(): string {
    return '[secret]';
  }
}

// The symbol by its registered name: importing node:util for it would load much that is not needed.
Object.defineProperty(Secret.prototype, Symbol.for('nodejs.util.inspect.custom'), {
  value: () => '[secret]',
});
