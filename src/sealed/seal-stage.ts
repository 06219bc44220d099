/** Plaintext in, a whole sealed file out: the stage behind every encrypting stream. */

import { createEnvelope, type NewEnvelope } from '../envelope/create.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { abortError } from '../options.ts';
import { BodySealer } from '../stream/body-stages.ts';
import { ByteQueue } from '../stream/byte-queue.ts';
import type { Pulled, Stage } from '../stream/stage.ts';
import { type OperationTrace, traceOperation } from '../trace.ts';
import { type SealOptions, presentError } from './options.ts';
import { errorCodeOf } from './failure.ts';

export class SealStage implements Stage {
  readonly #providers: readonly KeyProvider[];
  readonly #options: SealOptions;
  readonly #trace: OperationTrace;
  readonly #queue = new ByteQueue();
  #starting: Promise<void> | undefined;
  #envelope: NewEnvelope | undefined;
  #body: BodySealer | undefined;
  #state: 'header' | 'body' | 'done' = 'header';
  #ended = false;
  #closed = false;

  constructor(providers: readonly KeyProvider[], options: SealOptions) {
    this.#providers = providers;
    this.#options = options;
    this.#trace = traceOperation('seal', 'stream');
  }

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  end(): void {
    this.#ended = true;
  }

  pull(): Pulled {
    const { signal } = this.#options;
    if (signal?.aborted === true) throw abortError(signal);
    if (this.#envelope === undefined || this.#body === undefined) return (this.#starting ??= this.#start());
    if (this.#state === 'header') {
      this.#state = 'body';
      return [this.#envelope.region];
    }
    if (this.#state === 'done') return 'done';
    const sealed = this.#body.next();
    if (sealed !== undefined) return sealed;
    if (!this.#ended) {
      this.#queue.own();
      return 'more';
    }
    this.#state = 'done';
    const last = this.#body.last();
    this.#trace.done(this.#envelope.fileId, this.#options.suite ?? 'aes-256-gcm', this.#body.plainBytes);
    return last;
  }

  async #start(): Promise<void> {
    let envelope: NewEnvelope;
    try {
      envelope = await createEnvelope(this.#providers, this.#options);
    } catch (error) {
      throw presentError(error, undefined, false);
    }
    if (this.#closed) {
      envelope.encryptor.wipe();
      return;
    }
    this.#envelope = envelope;
    this.#body = new BodySealer(envelope.encryptor, this.#queue);
  }

  close(error?: unknown): void {
    this.#closed = true;
    this.#trace.failed(errorCodeOf(error)); // unless it was done before
    this.#envelope?.encryptor.wipe();
    this.#queue.clear();
  }
}
