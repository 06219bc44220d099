/** The contract between volseal and whatever holds a key-encryption key. Types and their meaning only. */

/** String pairs that a writer binds to the data and a reader can demand (docs/format/v1.md §5). */
export type Context = Readonly<Record<string, string>>;

/** What a wrapped key belongs to. A provider must bind all of it to the wrap, as far as its service can. */
export interface WrapInfo {
  readonly scope: 'stream' | 'volume' | 'database';
  /** 16 bytes: the volume id or database id; zero for `stream`. */
  readonly id: Uint8Array;
  /** The associated data of the wrap: what the key is for. */
  readonly aad: Uint8Array;
  /** The encryption context, in clear, for services that log or check it. */
  readonly context: Context;
  /** For `wrap`: the key to wrap under, where it shall not be the primary one. A provider with one key may ignore it. */
  readonly keyId?: string;
  readonly signal?: AbortSignal;
}

export interface WrappedKey {
  /** The provider's {@link KeyProvider.type}. */
  readonly type: string;
  /** The id of the key-encryption key that wrapped it. */
  readonly keyId: string;
  readonly bytes: Uint8Array;
}

export interface ProviderInfo {
  readonly type: string;
  /** Key id that new wraps use; empty when none is chosen. */
  readonly primary: string;
  readonly keys: readonly ProviderKey[];
}

export interface ProviderKey {
  readonly keyId: string;
  readonly label?: string;
  readonly primary: boolean;
}

/**
 * Wraps and unwraps 32-byte keys. Implementations may be called concurrently.
 *
 * `unwrap` throws `ERR_VOLSEAL_WRONG_KEY` when the wrap is not authentic, `ERR_VOLSEAL_PROVIDER_UNAVAILABLE` (retryable)
 * when the service cannot be reached: the two must never be mistaken for each other.
 */
export interface KeyProvider {
  /** Short ASCII name, stored in the header: `fly-secrets`, `aws-kms`, … */
  readonly type: string;
  /** Wraps under the primary key, or the one that `info` names. `key` is 32 bytes and stays the caller's. */
  wrap(key: Uint8Array, info: WrapInfo): Promise<WrappedKey>;
  /** Gives the 32 bytes back; the caller wipes them. */
  unwrap(wrapped: WrappedKey, info: WrapInfo): Promise<Uint8Array>;
  describe(options?: { signal?: AbortSignal }): Promise<ProviderInfo>;
  /** Wipes what it holds. */
  close?(): void;
}

/** One provider, or several: any of them opens, each of them gets a slot in what is sealed. */
export type Keys = KeyProvider | readonly KeyProvider[];
