/** Calls of key providers. None of them is trusted: what they return is checked, what they throw becomes an error of ours. */

import { bytesEqual } from '../bytes.ts';
import { VolsealError, type VolsealErrorCode } from '../errors.ts';
import type { KeyProvider, ProviderInfo, WrapInfo, WrappedKey } from '../kms/provider.ts';
import { dataKeyBytes } from '../limits.ts';
import { Secret } from '../secret.ts';
import { untilAborted } from '../stream/follow-signal.ts';
import { traceKeyCall } from '../trace.ts';

function codeOf(error: unknown): VolsealErrorCode {
  return error instanceof VolsealError ? error.code : 'ERR_VOLSEAL_PROVIDER_FAILED';
}

async function call<T>(
  kind: 'wrap' | 'unwrap',
  provider: KeyProvider,
  run: () => Promise<T>,
  keyIdOf: (result: T | undefined) => string | undefined,
): Promise<T> {
  try {
    return await traceKeyCall(kind, provider.type, run, keyIdOf, codeOf);
  } catch (error) {
    throw providerError(provider, kind, error);
  }
}

/** Text that is not ours, for a message: cut, and without what a terminal would obey. */
export function clean(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}]+/gu, ' ').slice(0, 200);
}

function textOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return 'something that cannot be shown';
  }
}

function providerError(provider: KeyProvider, kind: string, error: unknown): VolsealError {
  if (error instanceof VolsealError) return error;
  const text = clean(textOf(error));
  return new VolsealError(
    'ERR_VOLSEAL_PROVIDER_FAILED',
    `key provider ${provider.type} failed to ${kind}: ${JSON.stringify(text)}`,
    {
      hint: 'the provider could not be used; check its configuration',
      cause: error,
    },
  );
}

function returned(provider: KeyProvider, what: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_PROVIDER_FAILED', `key provider ${provider.type} returned ${what}`, {
    hint: 'try again, and report it to whoever made the provider if it stays so',
  });
}

function isWrap(value: unknown, type: string): value is WrappedKey {
  const wrap = value as Partial<WrappedKey> | null | undefined;
  return wrap?.type === type && typeof wrap.keyId === 'string' && wrap.bytes instanceof Uint8Array;
}

function isDataKey(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === dataKeyBytes;
}

/** Wraps a key of 32 bytes, and opens the wrap again before it counts: one that does not open is lost data. */
export async function wrapAndReopen(provider: KeyProvider, key: Secret, info: WrapInfo): Promise<WrappedKey> {
  const wrapped = await call(
    'wrap',
    provider,
    () => untilAborted(provider.wrap(key.bytes(), info), info.signal),
    (result) => result?.keyId,
  );
  if (!isWrap(wrapped, provider.type))
    throw returned(provider, 'something else than a wrapped key of its own');
  const opened = await call(
    'unwrap',
    provider,
    () => untilAborted(provider.unwrap(wrapped, info), info.signal),
    () => wrapped.keyId,
  );
  const same = isDataKey(opened) && bytesEqual(opened, key.bytes());
  if (opened instanceof Uint8Array) opened.fill(0);
  if (!same) throw returned(provider, 'a wrapped key that it does not open again');
  return wrapped;
}

/** The key of 32 bytes that a provider opens from a wrap of its own. */
export async function unwrapWith(
  provider: KeyProvider,
  wrapped: WrappedKey,
  info: WrapInfo,
): Promise<Secret> {
  const key = await call(
    'unwrap',
    provider,
    () => untilAborted(provider.unwrap(wrapped, info), info.signal),
    () => wrapped.keyId,
  );
  if (isDataKey(key)) return new Secret(key);
  throw returned(provider, `something else than a key of ${dataKeyBytes} bytes`);
}

/** Which keys a provider has. */
export async function describeProvider(
  provider: KeyProvider,
  signal: AbortSignal | undefined,
): Promise<ProviderInfo> {
  let info: ProviderInfo | null | undefined;
  try {
    info = await untilAborted(provider.describe(signal === undefined ? {} : { signal }), signal);
  } catch (error) {
    throw providerError(provider, 'describe its keys', error);
  }
  if (Array.isArray(info?.keys)) return info;
  throw returned(provider, 'no list of its keys');
}

/** Whether a provider has the key that made this wrap. */
export function hasKey(info: ProviderInfo, wrapped: WrappedKey): boolean {
  return info.type === wrapped.type && info.keys.some(({ keyId }) => keyId === wrapped.keyId);
}

/** The keys at hand, for people. */
export function namesOfKeys(infos: readonly ProviderInfo[]): string {
  const names = infos.flatMap(({ type, keys }) =>
    keys.map(({ keyId, label }) =>
      label === undefined ? `${type} ${clean(keyId)}` : `${label} (key id ${keyId})`,
    ),
  );
  return names.join(', ') || 'none';
}

/** The next step when a Fly secret is missing here. */
export function missingSecretHint(label: string, infos: readonly ProviderInfo[]): string {
  const sameLabel = infos.some(({ keys }) => keys.some((key) => key.label === label));
  return sameLabel
    ? `the secret ${label} has another value here than where the data was sealed; if the right one is staged, run: fly secrets deploy`
    : `set the secret that the data was sealed with: fly secrets set VOLSEAL_SECRET_${label}=-   (if it is set already but staged: fly secrets deploy)`;
}
