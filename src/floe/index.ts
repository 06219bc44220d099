/** `volseal/floe`: C2SP FLOE (c2sp.org/FLOE), a random-access AEAD, and XChaCha20-Poly1305 as a private extension of it. */

export type { Suite } from '../aead/suite.ts';
export { VolsealError, type VolsealErrorCode } from '../errors.ts';
export { FloeDecryptor, type FloeDecryptOptions } from './decryptor.ts';
export { FloeEncryptor, type FloeEncryptOptions } from './encryptor.ts';
export { floeDecrypt, floeEncrypt, plainBytes, sealedBytes } from './whole.ts';
