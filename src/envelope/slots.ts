/** Key slots and the providers that fill and open them. */

import { concatBytes } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import type { Context, KeyProvider, Keys, ProviderInfo, WrapInfo } from '../kms/provider.ts';
import { maxSlots } from '../limits.ts';
import { invalidArgument, throwIfAborted } from '../options.ts';
import type { Secret } from '../secret.ts';
import {
  clean,
  describeProvider,
  hasKey,
  missingSecretHint,
  namesOfKeys,
  unwrapWith,
  wrapAndReopen,
} from './provider-calls.ts';
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
    const wrapped = await wrapAndReopen(provider, dataKey, info);
    slots.push(slotFromWrapped(wrapped));
  }
  return slots;
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
      const described = await describeProvider(provider, binding.signal);
      infos.push(described);
      const slot = slots.find(({ wrapped }) => hasKey(described, wrapped));
      if (slot === undefined) continue;
      return await unwrapWith(provider, slot.wrapped, info);
    } catch (error) {
      if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_PROVIDER_UNAVAILABLE') throw error;
      unavailable ??= error;
    }
  }
  throw unavailable ?? keyMissing(slots, infos);
}

function keyMissing(slots: readonly Slot[], infos: readonly ProviderInfo[]): VolsealError {
  const wanted = slots.map(slotName).join(', or ');
  return new VolsealError(
    'ERR_VOLSEAL_KEY_MISSING',
    `no key here opens it: it needs ${wanted}; here: ${namesOfKeys(infos)}`,
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
  return missingSecretHint(fly.label ?? 'LABEL', infos);
}
