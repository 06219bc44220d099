/** `volseal`: encryption of streams, files and volumes by the application. */

export type { Suite } from './aead/suite.ts';
export type { InspectedCopy, InspectedSlot } from './envelope/inspect.ts';
export { VolsealError, type VolsealErrorCode } from './errors.ts';
export type { VolumeFileHandle } from './fs/handle/file-handle.ts';
export { initVolume, openVolume } from './fs/volume/entry.ts';
export type { InitVolumeOptions, NewVolume, OpenVolumeOptions } from './fs/volume/init.ts';
export type { Volume } from './fs/volume/volume.ts';
export type { KeyringInfo, VolumePolicy } from './keyring/keyring.ts';
export type { Context, KeyProvider, Keys } from './kms/provider.ts';
export { decrypt, encrypt } from './sealed/buffer.ts';
export type { Destination, Source } from './sealed/endpoints.ts';
export { decryptFile, encryptFile, type FileResult } from './sealed/file.ts';
export { type Inspection, inspect } from './sealed/inspect.ts';
export type { FileOptions, OpenOptions, PathLike, Progress, SealOptions } from './sealed/options.ts';
export { createDecryptReadStream, type RangeOptions } from './sealed/read-stream.ts';
export { openEncrypted, type SealedFile, type SealedStat } from './sealed/sealed-file.ts';
export {
  createDecryptStream,
  createEncryptStream,
  DecryptionStream,
  EncryptionStream,
} from './sealed/streams.ts';
export { createEncryptWriteStream } from './sealed/write-stream.ts';
