/** Options and results of a handle's functions, as `node:fs/promises` has them. */

export interface ReadResult<T extends NodeJS.ArrayBufferView> {
  bytesRead: number;
  buffer: T;
}
export interface ReadVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  bytesRead: number;
  buffers: T;
}
export interface WriteResult<T extends NodeJS.ArrayBufferView | string> {
  bytesWritten: number;
  buffer: T;
}
export interface WriteVectorResult<T extends readonly NodeJS.ArrayBufferView[]> {
  bytesWritten: number;
  buffers: T;
}

export interface ReadFileOptions {
  encoding?: BufferEncoding | null | undefined;
  signal?: AbortSignal | undefined;
  /** Taken as Node takes it, without effect: the file is open already. */
  flag?: string | number | undefined;
}

export interface WriteFileOptions {
  encoding?: BufferEncoding | null | undefined;
  signal?: AbortSignal | undefined;
  /** Sync when all is written. Default false. */
  flush?: boolean | undefined;
  /** Taken as Node takes it, without effect: the file is there already. */
  mode?: string | number | undefined;
  flag?: string | number | undefined;
}

export interface WebStreamOptions {
  /** It is a byte stream in any case. */
  type?: 'bytes' | undefined;
  /** Close the handle at the end or when the stream is cancelled. Default false. */
  autoClose?: boolean | undefined;
}
