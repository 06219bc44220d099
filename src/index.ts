/** `volseal`: encryption of files and streams by the application. */

export type { Suite } from './aead/suite.ts';
export { VolsealError, type VolsealErrorCode } from './errors.ts';
export type { Context, KeyProvider, Keys } from './kms/provider.ts';
export { decrypt, encrypt } from './sealed/buffer.ts';
export type { FileOptions, OpenOptions, PathLike, Progress, SealOptions } from './sealed/options.ts';
export { createDecryptStream, createEncryptStream, DecryptionStream, EncryptionStream } from './sealed/streams.ts';
