/** The ciphers that seal segments, and their on-disk ids (docs/format/v1.md §6). */

import type { Secret } from '../secret.ts';

/** The names of the suites in the API. */
export type Suite = 'aes-256-gcm' | 'xchacha20-poly1305';

/** What a body is sealed with by its proper name: in a mutable body the suite `aes-256-gcm` is XAES-256-GCM. */
export type CipherName = Suite | 'xaes-256-gcm';

/** Whether each segment of a body is sealed once, or again and again in its place (docs/format/v1.md §6). */
export type BodyUse = 'write-once' | 'mutable';

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
  /** The suite under whose name it is chosen. */
  readonly suite: Suite;
  readonly cipher: CipherName;
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

/** What one open body of a mutable file seals and opens with: it draws the nonces and may keep what it derives from them. */
export interface SegmentCipher {
  /** Fills `nonce`, of the AEAD's length, and seals. */
  seal(key: Secret, nonce: Uint8Array, associatedData: Uint8Array, plain: readonly Uint8Array[]): SealedParts;
  open: SegmentAead['open'];
  /** Overwrites what it keeps. */
  wipe(): void;
}
