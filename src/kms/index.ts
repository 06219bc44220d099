/** `volseal/kms`: where key-encryption keys come from. */

export { VolsealError, type VolsealErrorCode } from '../errors.ts';
export { type FlySecretsOptions, flySecrets } from './fly-secrets.ts';
export type {
  Context,
  KeyProvider,
  Keys,
  ProviderInfo,
  ProviderKey,
  WrapInfo,
  WrappedKey,
} from './provider.ts';
export { recoveryKey } from './recovery-key.ts';
