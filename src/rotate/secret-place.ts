/** What the keyring of a volume, the disk and the key providers say about the rotation of a secret. */

import { describeProvider } from '../envelope/provider-calls.ts';
import { type SlotName, sameSlot } from '../keyring/content.ts';
import type { KeyringInfo, KeyringSlotInfo } from '../keyring/info.ts';
import type { Keyring } from '../keyring/keyring.ts';
import { slotOpens } from '../keyring/slot-proof.ts';
import { providerOf } from '../keyring/slots.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { invalidArgument } from '../options.ts';
import type { HolderBehind } from './report-types.ts';
import { type SecretName, type SecretView, secretType } from './secret-steps.ts';
import { readVouched, type VouchedPlace } from './vouched.ts';

export interface SecretPlace extends VouchedPlace {
  readonly keyring: Keyring;
  /** Gives those that have the volume open and do not take over this generation of the keyring within some seconds. */
  waitForHolders?(generation: number): Promise<readonly HolderBehind[]>;
}

export interface SecretWish {
  readonly label: string;
  /** Slots to give up, as `TYPE:LABEL`, `TYPE:KEY-ID`, a key id, or a type of which there is one. */
  readonly drop: readonly string[];
}

export interface Looked {
  readonly view: SecretView;
  /** That has the target. */
  readonly provider: KeyProvider | undefined;
  readonly info: KeyringInfo;
}

/** Reads all of it: a few small files, whatever the volume holds. */
export async function look(place: SecretPlace, { drop, label }: SecretWish): Promise<Looked> {
  const { keyring } = place;
  await keyring.refresh();
  const info = keyring.info();
  const { provider, target } = await findSecret(keyring.providers, label);
  const dropped = drop.map((id) => slotOf(info.slots, id)).filter((slot) => slot !== undefined);
  const name = target === undefined ? undefined : { type: secretType, keyId: target.keyId };
  const opens =
    provider !== undefined && name !== undefined && (await slotOpens(keyring.export(), provider, name));
  const vouched = (await readVouched(place)).findLast(({ keyId }) => keyId === target?.keyId)?.at;
  const view: SecretView = {
    label,
    target,
    slots: info.slots,
    previous: await previousSlots(keyring),
    opens,
    vouched,
    dropped,
    outOfReach: await outOfReach(keyring.providers, info.slots, [...dropped, ...(name ? [name] : [])]),
  };
  refuseToDrop(view);
  return { view, provider, info };
}

async function findSecret(
  providers: readonly KeyProvider[],
  label: string,
): Promise<{ provider?: KeyProvider; target?: SecretName }> {
  for (const provider of providers) {
    if (provider.type !== secretType) continue;
    const { keys } = await describeProvider(provider, undefined);
    const key = keys.find((candidate) => candidate.label === label);
    if (key !== undefined) return { provider, target: { label, keyId: key.keyId } };
  }
  return {};
}

/** The slots besides secrets, and besides these, that stay and that nobody here can wrap for. */
async function outOfReach(
  providers: readonly KeyProvider[],
  slots: readonly KeyringSlotInfo[],
  besides: readonly SlotName[],
): Promise<KeyringSlotInfo[]> {
  const out: KeyringSlotInfo[] = [];
  for (const slot of slots) {
    if (slot.type === secretType || besides.some((other) => sameSlot(other, slot))) continue;
    if ((await providerOf(providers, slot)) === undefined) out.push(slot);
  }
  return out;
}

/** The slot that is meant; undefined for one that is gone already, so that the same command can be given again. */
function slotOf(slots: readonly KeyringSlotInfo[], id: string): KeyringSlotInfo | undefined {
  const at = id.indexOf(':');
  const [type, rest] = at === -1 ? [id, ''] : [id.slice(0, at), id.slice(at + 1)];
  const named = slots.filter((slot) => {
    if (slot.keyId === id) return true;
    if (slot.type !== type) return false;
    return rest === '' || rest === slot.keyId || rest === slot.label;
  });
  if (named.length <= 1) return named[0];
  throw invalidArgument(
    `${id} could be any of ${named.length} keys`,
    `name one: ${named.map((slot) => `${slot.type}:${slot.keyId}`).join(', ')}`,
  );
}

function refuseToDrop({ dropped, target }: SecretView): void {
  const wanted = dropped.find(({ keyId, type }) => type === secretType && keyId === target?.keyId);
  if (wanted === undefined) return;
  throw invalidArgument(
    'the secret that the rotation goes over to cannot be dropped',
    'name another key, or none',
  );
}

/** Those that the generation before the newest one names; undefined when there is none. */
async function previousSlots(keyring: Keyring): Promise<SlotName[] | undefined> {
  const previous = (await keyring.storedGenerations()).find(({ name }) => name === 'keyring.json.prev');
  if (previous === undefined) return undefined;
  // One that cannot be read may hold anything: without slots it counts as one to be written anew.
  return (previous.content?.slots ?? []).map(({ wrapped: { keyId, type } }) => ({ type, keyId }));
}
