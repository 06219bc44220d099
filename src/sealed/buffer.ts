/** Whole sealed data in memory. */

import { createEnvelope } from '../envelope/create.ts';
import { openEnvelope } from '../envelope/open.ts';
import { findHeader } from '../envelope/region.ts';
import { bodyBytes } from '../floe/layout.ts';
import { openBody, sealBody } from '../floe/whole.ts';
import { maxRegionBytes } from '../limits.ts';
import { uninitialised } from '../memory.ts';
import { checkBytes, throwIfAborted } from '../options.ts';
import { traceOperation } from '../trace.ts';
import { errorCodeOf } from './failure.ts';
import {
  checkOpenOptions,
  checkSealOptions,
  type OpenOptions,
  presentError,
  type SealOptions,
} from './options.ts';

/**
 * Encrypts a byte string under a new data key.
 * @param plain must not change until the promise settles
 * @returns a whole sealed file: header (at least 4,096 bytes) and body
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`, `ERR_VOLSEAL_HEADER_FULL`,
 *   `ERR_VOLSEAL_ABORTED` and what key providers throw
 */
export async function encrypt(plain: Uint8Array, options: SealOptions): Promise<Uint8Array> {
  const providers = checkSealOptions('encrypt', options);
  checkBytes('what is encrypted', plain);
  throwIfAborted(options.signal);
  const trace = traceOperation('seal', 'buffer');
  try {
    const { region, encryptor, fileId } = await createEnvelope(providers, options);
    const sealed = uninitialised(region.length + bodyBytes(encryptor.layout, plain.length));
    sealed.set(region);
    sealBody(encryptor, plain, sealed, region.length);
    encryptor.wipe();
    trace.done(fileId, options.suite ?? 'aes-256-gcm', plain.length);
    return sealed;
  } catch (error) {
    trace.failed(errorCodeOf(error));
    throw error;
  }
}

/**
 * Decrypts a whole sealed file.
 * @throws VolsealError every code of docs/format/v1.md §8, `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`,
 *   `ERR_VOLSEAL_ABORTED` and what key providers throw
 */
export async function decrypt(sealed: Uint8Array, options: OpenOptions): Promise<Uint8Array> {
  const providers = checkOpenOptions('decrypt', options);
  checkBytes('what is decrypted', sealed);
  throwIfAborted(options.signal);
  const trace = traceOperation('open', 'buffer');
  try {
    const region = findHeader(sealed.subarray(0, maxRegionBytes));
    const { decryptor, fileId, regionBytes } = await openEnvelope(region, providers, options);
    try {
      const plain = openBody(decryptor, sealed.subarray(regionBytes), regionBytes);
      trace.done(fileId, decryptor.suite, plain.length);
      return plain;
    } finally {
      decryptor.wipe();
    }
  } catch (error) {
    const presented = presentError(error, undefined, options.opaqueErrors);
    trace.failed(errorCodeOf(presented));
    throw presented;
  }
}
