/** Key slots and the providers that fill and open them. */

import { bytesEqual, concatBytes } from '../bytes.ts';
import { VolsealError, type VolsealErrorCode } from '../errors.ts';
import type { Context, KeyProvider, Keys, ProviderInfo, WrapInfo, WrappedKey } from '../kms/provider.ts';
import { dataKeyBytes, maxSlots } from '../limits.ts';
import { invalidArgument, throwIfAborted } from '../options.ts';
import { Secret } from '../secret.ts';
import { untilAborted } from '../stream/follow-signal.ts';
import { traceKeyCall } from '../trace.ts';
import { type Slot, slotFromWrapped } from './v1/slot.ts';

/** What a slot outside a volume is bound to. */
export interface SlotBinding {
  readonly fileId: Uint8Array;
  readonly floeHeader: Uint8Array;
  readonly context: Context;
  readonly signal?: AbortSignal | undefined;
}

const noScopeId = new Uint8Array(16);

function streamWrapInfo(binding: SlotBinding): WrapInfo {
  const info = {
    scope: 'stream' as const,
    id: noScopeId,
    aad: concatBytes(binding.fileId, binding.floeHeader),
    context: binding.context,
  };
  return binding.signal === undefined ? info : { ...info, signal: binding.signal };
}

/** The providers of the `keys` option, checked. */
export function providersOf(keys: Keys | undefined): readonly KeyProvider[] {
  const providers = Array.isArray(keys)
    ? (keys as readonly KeyProvider[])
    : keys === undefined
      ? []
      : [keys as KeyProvider];
  const usable = providers.every(
    (provider) =>
      typeof provider?.wrap === 'function' &&
      typeof provider.unwrap === 'function' &&
      typeof provider.describe === 'function',
  );
  if (providers.length === 0 || !usable) {
    throw invalidArgument(
      'keys must be a key provider or an array of them',
      "for Fly secrets: import { flySecrets } from 'volseal/kms'",
    );
  }
  if (providers.length > maxSlots)
    throw invalidArgument(`at most ${maxSlots} key providers fit into one file`);
  return providers;
}

function codeOf(error: unknown): VolsealErrorCode {
  return error instanceof VolsealError ? error.code : 'ERR_VOLSEAL_PROVIDER_FAILED';
}

/** A provider is not ours: whatever it throws becomes an error of ours. Its text is quoted, cut and cleaned. */
async function callProvider<T>(
  kind: 'wrap' | 'unwrap',
  provider: KeyProvider,
  call: () => Promise<T>,
  keyIdOf: (result: T | undefined) => string | undefined,
): Promise<T> {
  try {
    return await traceKeyCall(kind, provider.type, call, keyIdOf, codeOf);
  } catch (error) {
    throw providerError(provider, kind, error);
  }
}

/** Text that is not ours, for a message: cut, and without what a terminal would obey. */
function clean(text: string): string {
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

/** One slot for each provider. Each is opened again before it counts: a wrap that does not open is lost data. */
export async function fillSlots(
  providers: readonly KeyProvider[],
  dataKey: Secret,
  binding: SlotBinding,
): Promise<Slot[]> {
  const info = streamWrapInfo(binding);
  const slots: Slot[] = [];
  for (const provider of providers) {
    throwIfAborted(binding.signal);
    const wrapped = await callProvider(
      'wrap',
      provider,
      () => untilAborted(provider.wrap(dataKey.bytes(), info), binding.signal),
      (result) => result?.keyId,
    );
    if (!isWrap(wrapped, provider.type))
      throw returned(provider, 'something else than a wrapped key of its own');
    const opened = await callProvider(
      'unwrap',
      provider,
      () => untilAborted(provider.unwrap(wrapped, info), binding.signal),
      () => wrapped.keyId,
    );
    const same = isDataKey(opened) && bytesEqual(opened, dataKey.bytes());
    if (opened instanceof Uint8Array) opened.fill(0);
    if (!same) throw returned(provider, 'a wrapped key that it does not open again');
    slots.push(slotFromWrapped(wrapped));
  }
  return slots;
}

function isWrap(value: unknown, type: string): value is WrappedKey {
  const wrap = value as Partial<WrappedKey> | null | undefined;
  return wrap?.type === type && typeof wrap.keyId === 'string' && wrap.bytes instanceof Uint8Array;
}

function isDataKey(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array && value.length === dataKeyBytes;
}

function returned(provider: KeyProvider, what: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_PROVIDER_FAILED', `key provider ${provider.type} returned ${what}`, {
    hint: 'try again, and report it to whoever made the provider if it stays so',
  });
}

/**
 * The data key out of the first slot that a given provider has the key for. Another slot is only tried when a provider
 * cannot be reached, never when a slot does not open.
 */
export async function openSlots(
  providers: readonly KeyProvider[],
  slots: readonly Slot[],
  binding: SlotBinding,
): Promise<Secret> {
  const info = streamWrapInfo(binding);
  const infos: ProviderInfo[] = [];
  let unavailable: VolsealError | undefined;
  for (const provider of providers) {
    throwIfAborted(binding.signal);
    try {
      const described = await describe(provider, binding.signal);
      infos.push(described);
      const slot = slots.find(({ wrapped }) => hasKey(described, wrapped));
      if (slot === undefined) continue;
      const key = await callProvider(
        'unwrap',
        provider,
        () => untilAborted(provider.unwrap(slot.wrapped, info), binding.signal),
        () => slot.wrapped.keyId,
      );
      if (isDataKey(key)) return new Secret(key);
      throw returned(provider, `something else than a key of ${dataKeyBytes} bytes`);
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_PROVIDER_UNAVAILABLE') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable ?? keyMissing(slots, infos);
}

async function describe(provider: KeyProvider, signal: AbortSignal | undefined): Promise<ProviderInfo> {
  let info: ProviderInfo | null | undefined;
  try {
    info = await untilAborted(provider.describe(signal === undefined ? {} : { signal }), signal);
  } catch (error) {
    throw providerError(provider, 'describe its keys', error);
  }
  if (Array.isArray(info?.keys)) return info;
  throw returned(provider, 'no list of its keys');
}

function hasKey(info: ProviderInfo, wrapped: WrappedKey): boolean {
  return info.type === wrapped.type && info.keys.some(({ keyId }) => keyId === wrapped.keyId);
}

function keyMissing(slots: readonly Slot[], infos: readonly ProviderInfo[]): VolsealError {
  const wanted = slots.map(slotName).join(', or ');
  const have = infos
    .flatMap(({ type, keys }) =>
      keys.map(({ keyId, label }) =>
        label === undefined ? `${type} ${clean(keyId)}` : `${label} (key id ${keyId})`,
      ),
    )
    .join(', ');
  return new VolsealError(
    'ERR_VOLSEAL_KEY_MISSING',
    `no key here opens it: it needs ${wanted}; here: ${have || 'none'}`,
    {
      hint: missingHint(slots, infos),
    },
  );
}

function slotName({ wrapped, keyVersion, label }: Slot): string {
  if (wrapped.type === 'fly-secrets')
    return `the Fly secret ${label ?? '(without a label)'} (key id ${wrapped.keyId})`;
  if (wrapped.type === 'volume-key')
    return `volume key ${keyVersion} of its volume (key id ${wrapped.keyId})`;
  return `${wrapped.type} ${clean(wrapped.keyId)}`;
}

function missingHint(slots: readonly Slot[], infos: readonly ProviderInfo[]): string {
  const fly = slots.find(({ wrapped }) => wrapped.type === 'fly-secrets');
  if (fly === undefined) {
    return slots.some(({ wrapped }) => wrapped.type === 'volume-key')
      ? 'open it through its volume'
      : `give the key provider ${slots[0]?.wrapped.type}`;
  }
  const label = fly.label ?? 'LABEL';
  const sameLabel = infos.some(({ keys }) => keys.some((key) => key.label === label));
  return sameLabel
    ? `the secret ${label} has another value here than where the data was sealed; if the right one is staged, run: fly secrets deploy`
    : `set the secret that the data was sealed with: fly secrets set VOLSEAL_SECRET_${label}=-   (if it is set already but staged: fly secrets deploy)`;
}
