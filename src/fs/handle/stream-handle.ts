/** What streams need of a handle, so that neither file has to know the other. */

export interface StreamHandle {
  readonly fd: number;
  read(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesRead: number }>;
  write(
    buffer: Uint8Array,
    offset: number,
    length: number,
    position: number | null,
  ): Promise<{ bytesWritten: number }>;
  writev(buffers: readonly Uint8Array[], position: number | null): Promise<{ bytesWritten: number }>;
  sync(): Promise<void>;
  close(): Promise<void>;
  /** Keeps the file open until what comes back is called; `closing` is called when somebody closes the handle. */
  holdOpen(closing: () => void): () => void;
}

/** A file that a stream opens itself, when it is constructed. */
export interface StreamFile {
  /** As the caller named it: the stream's `path`. */
  readonly path: string;
  open(): Promise<StreamHandle>;
}

export type StreamSource = StreamHandle | StreamFile;

/** A stream's handle: there already, or to be opened. */
export class StreamHold {
  readonly path: string | undefined;
  readonly #source: StreamSource;
  readonly #closing: () => void;
  #handle: StreamHandle | undefined;
  #letGo: (() => void) | undefined;

  constructor(source: StreamSource, closing: () => void) {
    this.#source = source;
    this.#closing = closing;
    if ('open' in source) this.path = source.path;
    else this.#take(source);
  }

  get opened(): boolean {
    return this.#handle !== undefined;
  }

  get handle(): StreamHandle {
    return this.#handle as StreamHandle;
  }

  #take(handle: StreamHandle): void {
    this.#handle = handle;
    this.#letGo = handle.holdOpen(this.#closing);
  }

  /** True when it opened the file just now. */
  async open(): Promise<boolean> {
    if (this.#handle !== undefined || !('open' in this.#source)) return false;
    this.#take(await this.#source.open());
    return true;
  }

  /** Lets go of the handle; with `close` closes it. */
  async release(close: boolean): Promise<void> {
    this.#letGo?.();
    this.#letGo = undefined;
    if (close) await this.#handle?.close();
  }
}
