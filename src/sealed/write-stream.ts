/** `createEncryptWriteStream`: a Writable whose sealed content is a file, all of it or nothing. */

import { Writable } from 'node:stream';

import { createEnvelope, type NewEnvelope } from '../envelope/create.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { invalidArgument } from '../options.ts';
import { AtomicFile } from '../stream/atomic-file.ts';
import { BodySealer } from '../stream/body-stages.ts';
import { ByteQueue } from '../stream/byte-queue.ts';
import { followSignal } from '../stream/follow-signal.ts';
import { FileSink } from '../stream/sink.ts';
import { type OperationTrace, traceOperation } from '../trace.ts';
import { pathOf } from './endpoints.ts';
import { errorCodeOf } from './failure.ts';
import {
  checkFileOptions,
  checkSealOptions,
  type FileOptions,
  fileOptionNames,
  type PathLike,
  presentError,
  type SealOptions,
} from './options.ts';

type Callback = (error?: Error | null) => void;

/** Parts are gathered to about this much before they are written. */
const batchBytes = 1_048_576;

class EncryptWriteStream extends Writable {
  readonly #path: string;
  readonly #providers: readonly KeyProvider[];
  readonly #options: SealOptions & FileOptions;
  readonly #trace: OperationTrace;
  readonly #queue = new ByteQueue();
  #file: AtomicFile | undefined;
  #envelope: NewEnvelope | undefined;
  #sealer: BodySealer | undefined;
  #sink: FileSink | undefined;
  /** What is under way: destroying waits for it. */
  #work: Promise<void> = Promise.resolve();
  #committed = false;

  constructor(path: string, providers: readonly KeyProvider[], options: SealOptions & FileOptions) {
    super({ highWaterMark: batchBytes });
    this.#path = path;
    this.#providers = providers;
    this.#options = options;
    this.#trace = traceOperation('seal', 'stream', path);
  }

  override _construct(callback: Callback): void {
    // A stream that is destroyed meanwhile has its error already; Node would make an AggregateError of two.
    this.#do(this.#start(), (error) => callback(this.destroyed ? null : error));
  }

  async #start(): Promise<void> {
    const { overwrite = true, mode } = this.#options;
    this.#envelope = await createEnvelope(this.#providers, this.#options);
    this.#file = await AtomicFile.create(this.#path, { overwrite, mode });
    this.#sealer = new BodySealer(this.#envelope.encryptor, this.#queue);
    this.#sink = new FileSink(this.#file.handle, true);
    await this.#sink.write([this.#envelope.region]);
  }

  #do(work: Promise<void>, callback: Callback): void {
    this.#work = work;
    work.then(
      () => callback(null),
      (error: unknown) => callback(presentError(error, this.#path, false) as Error),
    );
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: Callback): void {
    this.#queue.push(chunk);
    this.#do(this.#sealWhole(), callback);
  }

  override _writev(chunks: { chunk: Buffer }[], callback: Callback): void {
    for (const { chunk } of chunks) this.#queue.push(chunk);
    this.#do(this.#sealWhole(), callback);
  }

  override _final(callback: Callback): void {
    this.#do(this.#finish(), callback);
  }

  async #sealWhole(): Promise<void> {
    const sealer = this.#sealer as BodySealer;
    let parts: Uint8Array[] = [];
    let bytes = 0;
    for (let sealed = sealer.next(); sealed !== undefined; sealed = sealer.next()) {
      if (this.destroyed) return;
      for (const part of sealed) bytes += part.length;
      parts.push(...sealed);
      if (bytes < batchBytes) continue;
      await this.#sink?.write(parts);
      parts = [];
      bytes = 0;
    }
    this.#queue.own();
    if (parts.length > 0) await this.#sink?.write(parts);
    if (bytes > 0) this.#options.onProgress?.({ doneBytes: sealer.plainBytes });
  }

  async #finish(): Promise<void> {
    const sealer = this.#sealer as BodySealer;
    await this.#sink?.write(sealer.last());
    this.#options.onProgress?.({ doneBytes: sealer.plainBytes }); // may throw, which must not happen when the file is there
    if (this.destroyed) return;
    await this.#file?.commit();
    this.#committed = true;
    const { fileId, encryptor } = this.#envelope as NewEnvelope;
    encryptor.wipe();
    this.#trace.done(fileId, this.#options.suite ?? 'aes-256-gcm', sealer.plainBytes);
  }

  override _destroy(error: Error | null, callback: Callback): void {
    const clean = async (): Promise<void> => {
      await this.#work.catch(() => {});
      this.#envelope?.encryptor.wipe();
      this.#queue.clear();
      if (this.#committed) return;
      await this.#file?.abort();
      this.#trace.failed(errorCodeOf(error));
    };
    void clean().then(() => callback(error));
  }
}

/**
 * A Writable that encrypts what is written into a file. The file appears, whole and synced, when `finish` is emitted;
 * a stream that is destroyed or fails before leaves nothing behind and an older file untouched.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`; emits what `encryptFile` throws
 */
export function createEncryptWriteStream(path: PathLike, options: SealOptions & FileOptions): Writable {
  const providers = checkSealOptions('createEncryptWriteStream', options, fileOptionNames);
  checkFileOptions(options);
  const target = pathOf(path);
  if (target === undefined) throw invalidArgument('the path must be text or a file URL');
  return followSignal(new EncryptWriteStream(target, providers, options), options.signal);
}
