/** A whole sealed file in, authenticated plaintext out: the stage behind every decrypting stream. */

import { type OpenedEnvelope, openEnvelope } from '../envelope/open.ts';
import { findHeader, headerBytesNeeded } from '../envelope/region.ts';
import type { Context, KeyProvider } from '../kms/provider.ts';
import { maxRegionBytes } from '../limits.ts';
import { abortError } from '../options.ts';
import { BodyOpener } from '../stream/body-stages.ts';
import { ByteQueue } from '../stream/byte-queue.ts';
import type { Pulled, Stage } from '../stream/stage.ts';
import { type OperationTrace, traceOperation } from '../trace.ts';
import { errorCodeOf } from './failure.ts';
import { type OpenOptions, presentError } from './options.ts';

export class OpenStage implements Stage {
  readonly #providers: readonly KeyProvider[];
  readonly #options: OpenOptions;
  readonly #trace: OperationTrace;
  readonly #onContext: ((context: Context) => void) | undefined;
  readonly #queue = new ByteQueue();
  #needed = 0;
  #opening: Promise<void> | undefined;
  #envelope: OpenedEnvelope | undefined;
  #body: BodyOpener | undefined;
  #done = false;
  #ended = false;
  #closed = false;

  /** @param onContext told the authenticated context before any plaintext comes out */
  constructor(
    providers: readonly KeyProvider[],
    options: OpenOptions,
    onContext?: (context: Context) => void,
  ) {
    this.#providers = providers;
    this.#options = options;
    this.#onContext = onContext;
    this.#trace = traceOperation('open', 'stream');
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  end(): void {
    this.#ended = true;
  }

  pull(): Pulled {
    try {
      return this.#pull();
    } catch (error) {
      throw presentError(error, undefined, this.#options.opaqueErrors);
    }
  }

  #pull(): Pulled {
    const { signal } = this.#options;
    if (signal?.aborted === true) throw abortError(signal);
    if (this.#envelope === undefined || this.#body === undefined) return this.#opening ?? this.#readHeader();
    if (this.#done) return 'done';
    const plain = this.#body.next();
    if (plain !== undefined) return plain;
    if (!this.#ended) return this.#more();
    this.#done = true;
    const last = this.#body.last();
    this.#trace.done(this.#envelope.fileId, this.#envelope.decryptor.suite, this.#body.plainBytes);
    return last;
  }

  #more(): Pulled {
    this.#queue.own();
    return 'more';
  }

  #readHeader(): Pulled {
    if (!this.#ended && this.#queue.length < this.#needed) return this.#more();
    const start = this.#queue.peek(maxRegionBytes);
    this.#needed = headerBytesNeeded(start);
    if (!this.#ended && this.#queue.length < this.#needed) return this.#more();
    this.#opening = this.#open(findHeader(start));
    return this.#opening;
  }

  async #open(region: ReturnType<typeof findHeader>): Promise<void> {
    let envelope: OpenedEnvelope;
    try {
      envelope = await openEnvelope(region, this.#providers, this.#options);
    } catch (error) {
      throw presentError(error, undefined, this.#options.opaqueErrors);
    }
    if (this.#closed) {
      envelope.decryptor.wipe();
      return;
    }
    this.#queue.take(region.regionBytes);
    this.#onContext?.(envelope.context);
    this.#envelope = envelope;
    this.#body = new BodyOpener(envelope.decryptor, this.#queue, region.regionBytes);
  }

  close(error?: unknown): void {
    this.#closed = true;
    this.#trace.failed(errorCodeOf(error)); // unless it was done before
    this.#envelope?.decryptor.wipe();
    this.#queue.clear();
  }
}
