/** The encrypting and decrypting streams: Node Transforms and Web stream pairs. */

import type { Transform } from 'node:stream';

import type { Context } from '../kms/provider.ts';
import { followSignal } from '../stream/follow-signal.ts';
import { StageTransform } from '../stream/node-duplex.ts';
import { type BytesSource, webPair } from '../stream/web-pair.ts';
import { OpenStage } from './open-stage.ts';
import { checkOpenOptions, checkSealOptions, type OpenOptions, type SealOptions } from './options.ts';
import { SealStage } from './seal-stage.ts';

/**
 * A Transform: plaintext in, a whole sealed file out. Takes chunks of any size, holds at most one segment and one chunk.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; emits what key providers throw
 */
export function createEncryptStream(options: SealOptions): Transform {
  const providers = checkSealOptions('createEncryptStream', options);
  return followSignal(new StageTransform(new SealStage(providers, options)), options.signal);
}

/**
 * A Transform: a sealed file in, plaintext out. Each segment comes out once it is authenticated; input that ends early,
 * continues too long or was changed ends in an error instead of `end`, so output is only whole after `end`. Emits
 * `context` with the authenticated encryption context before any data.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; emits every error of docs/format/v1.md §8
 */
export function createDecryptStream(options: OpenOptions): Transform {
  const providers = checkOpenOptions('createDecryptStream', options);
  const stage = new OpenStage(providers, options, (context: Context) => stream.emit('context', context));
  const stream = followSignal(new StageTransform(stage), options.signal);
  return stream;
}

/** As {@link createEncryptStream}, as a pair of Web streams for `pipeThrough`. */
export class EncryptionStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BytesSource>;

  constructor(options: SealOptions) {
    const providers = checkSealOptions('EncryptionStream', options);
    ({ readable: this.readable, writable: this.writable } = webPair(
      new SealStage(providers, options),
      options.signal,
    ));
  }
}

/** As {@link createDecryptStream}, as a pair of Web streams for `pipeThrough`. */
export class DecryptionStream {
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<BytesSource>;

  constructor(options: OpenOptions) {
    const providers = checkOpenOptions('DecryptionStream', options);
    ({ readable: this.readable, writable: this.writable } = webPair(
      new OpenStage(providers, options),
      options.signal,
    ));
  }
}
