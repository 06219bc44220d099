/** How a key that is used for one cipher or MAC, or two, is best handed to node:crypto. */

import { createSecretKey, type KeyObject } from 'node:crypto';

/**
 * Node 23 to 25 take 18 µs to start a cipher or MAC from raw bytes, and 5.5 µs by way of a new KeyObject; the versions
 * before and after are faster with raw bytes (docs/benchmarks.md).
 */
export const rawKeysAreSlow: boolean = /^2[345]\./.test(process.versions.node ?? '');

/** `bytes` may be wiped as soon as the cipher has been made. */
export const passingKey: (bytes: Uint8Array) => KeyObject | Uint8Array = rawKeysAreSlow
  ? (bytes) => createSecretKey(bytes)
  : (bytes) => bytes;
