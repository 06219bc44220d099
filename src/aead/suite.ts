/** The ciphers that seal segments, and their on-disk ids (docs/format/v1.md §6). */

import type { Secret } from '../secret.ts';

/** The names of the suites in the API. */
export type Suite = 'aes-256-gcm' | 'xchacha20-poly1305';

/** Ciphertext and tag, in the order they stand on disk, as the cipher returned them: joining them would copy. */
export interface SealedParts {
  /** One piece for each plaintext piece. */
  ciphertext: Uint8Array[];
  /** 16 bytes. */
  tag: Uint8Array;
}

/**
 * One AEAD. `plain` and `ciphertext` come in pieces that count as joined, so that nobody has to join them.
 * `open` returns the plaintext in pieces after the tag has been verified, or undefined when it does not verify.
 */
export interface SegmentAead {
  readonly suite: Suite;
  /** FLOE's AEAD_ID. */
  readonly id: number;
  readonly keyBytes: 32;
  readonly nonceBytes: 12 | 24;
  readonly tagBytes: 16;
  /** 2^rotationMaskBits segments share a segment key. */
  readonly rotationMaskBits: 20;
  seal(key: Secret, nonce: Uint8Array, associatedData: Uint8Array, plain: readonly Uint8Array[]): SealedParts;
  open(
    key: Secret,
    nonce: Uint8Array,
    associatedData: Uint8Array,
    ciphertext: readonly Uint8Array[],
    tag: Uint8Array,
  ): Uint8Array[] | undefined;
}
