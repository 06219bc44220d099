/**
 * The steps of the rotation of a secret, worked out from what the keyring says: nothing here reads, writes or remembers
 * anything. While a deploy runs, old and new secrets are set side by side on different Machines, so that the new secret
 * must be everywhere before anything relies on it, and nothing may need the old one when it goes.
 */

import { sameSlot, type SlotName } from '../keyring/content.ts';
import type { KeyringSlotInfo } from '../keyring/info.ts';

/** In their order; each refuses while the one before it is not true. */
export const secretSteps = ['add', 'check', 'promote', 'rewrap', 'retire'] as const;
export type SecretStep = (typeof secretSteps)[number];

export const secretType = 'fly-secrets';

/** A secret by label and key id. */
export interface SecretName {
  readonly label: string;
  readonly keyId: string;
}

/** All that the steps depend on. */
export interface SecretView {
  /** The label that was asked for. */
  readonly label: string;
  /** The secret that has the label here; undefined where none is set. */
  readonly target: SecretName | undefined;
  /** Of the newest generation of the keyring. */
  readonly slots: readonly KeyringSlotInfo[];
  /** Of the generation before it; undefined when there is none. */
  readonly previous: readonly SlotName[] | undefined;
  /** Whether the slot of the target, where there is one, was opened with it just now. */
  readonly opens: boolean;
  /** Since when somebody vouches that the other Machines have the target. */
  readonly vouched: string | undefined;
  /** Slots that are given up together with the old secrets, because their key is not at hand. */
  readonly dropped: readonly KeyringSlotInfo[];
  /** Of the slots that would stay, those that nobody here can wrap for. */
  readonly outOfReach: readonly KeyringSlotInfo[];
}

/** Why a step cannot be done yet, and what to do about it. */
export interface Obstacle {
  readonly message: string;
  readonly hint: string;
  /** The command line to go on with, where there is one. */
  readonly command?: string;
}

function targetSlot({ slots, target }: SecretView): KeyringSlotInfo | undefined {
  return slots.find(({ keyId, type }) => type === secretType && keyId === target?.keyId);
}

/** The other secrets that open the keyring. */
export function oldSecrets({ slots, target }: SecretView): KeyringSlotInfo[] {
  return slots.filter(({ keyId, type }) => type === secretType && keyId !== target?.keyId);
}

/** Whether the generation before has a slot that was taken out of the newest one: a crash came between two writes. */
export function isHalfRetired({ previous, slots }: SecretView): boolean {
  return (previous ?? []).some((old) => !slots.some((slot) => sameSlot(slot, old)));
}

type Slot = KeyringSlotInfo;

/** What is true when a step has nothing left to do; the target has a slot. */
const truths: Readonly<Record<SecretStep, (view: SecretView, slot: Slot) => boolean>> = {
  add: ({ label }, slot) => (slot.label ?? label) === label,
  // Once it is the primary one, what the other Machines have was answered before.
  check: ({ opens, vouched }, { primary }) => opens && (primary || vouched !== undefined),
  promote: (_view, { primary }) => primary,
  // Whichever of the two generations is opened, the new secret opens it.
  rewrap: ({ previous }, slot) => previous === undefined || previous.some((other) => sameSlot(other, slot)),
  retire: (view) => oldSecrets(view).length === 0 && !isHalfRetired(view),
};

export function isDone(view: SecretView, step: SecretStep): boolean {
  const slot = targetSlot(view);
  return slot !== undefined && truths[step](view, slot);
}

/** What is in the way of a step, the ones before it being true. */
export function obstacleTo(view: SecretView, step: SecretStep): Obstacle | undefined {
  if (step === 'add') return obstacleToAdding(view);
  if (step === 'check') return obstacleToChecking(view);
  return step === 'retire' ? obstacleToRetiring(view) : undefined;
}

function newSecret(label: string): string {
  return `volseal keygen --label ${label} | fly secrets set VOLSEAL_SECRET_${label}=-`;
}

function obstacleToAdding({ label, slots, target }: SecretView): Obstacle | undefined {
  if (target === undefined) {
    return {
      message: `no secret ${label} is set here`,
      hint: 'make it and set it, keep a copy elsewhere, and run this again once the Machine has it; one that is only staged has to be deployed: fly secrets deploy',
      command: newSecret(label),
    };
  }
  const secrets = slots.filter(({ type }) => type === secretType);
  const sameValue = secrets.find(({ keyId }) => keyId === target.keyId);
  if (sameValue !== undefined) {
    return {
      message: `the secret ${label} has the value of ${sameValue.label ?? 'a secret without a label'} (key id ${target.keyId}), so there is nothing to go over to`,
      hint: 'make a new one under a label of its own',
    };
  }
  const sameLabel = secrets.find((slot) => slot.label === label);
  if (sameLabel === undefined) return undefined;
  return {
    message: `the secret ${label} has another value here (key id ${target.keyId}) than the ${label} that the keyring knows (key id ${sameLabel.keyId})`,
    hint: 'set the new secret under a label of its own and put the old value back: while Machines are updated one by one, both have to be told apart',
  };
}

function obstacleToChecking({ label, opens, vouched }: SecretView): Obstacle | undefined {
  if (!opens) {
    return {
      message: `the key slot of the secret ${label} does not open with it`,
      hint: 'the keyring was changed by something else than volseal: put a good copy back with volseal keyring restore EXPORT',
    };
  }
  if (vouched !== undefined) return undefined;
  return {
    message: `the secret ${label} opens the keyring on this Machine; whether the other Machines have it cannot be asked from here`,
    hint: 'look for yourself (fly secrets list shows it as Deployed; Machines that fly deploy does not manage need a look of their own), then vouch for them with --offline',
    command: `volseal rotate secret --to ${label} --offline`,
  };
}

function obstacleToRetiring({ label, outOfReach }: SecretView): Obstacle | undefined {
  const [first] = outOfReach;
  if (first === undefined) return undefined;
  const id = `${first.type}:${first.keyId}`;
  if (first.type === 'recovery') {
    return {
      message: `the recovery key (key id ${first.keyId}) is needed: the keyring key is replaced, and its slot has to be wrapped anew`,
      hint: 'give it too, from VOLSEAL_RECOVERY_KEY or typed when asked; or give it up with --drop recovery, and make another one afterwards: volseal recovery create',
      command: `volseal rotate secret --to ${label} --kms fly-secrets: --kms recovery:`,
    };
  }
  return {
    message: `the key ${id} is needed: the keyring key is replaced, and its slot has to be wrapped anew`,
    hint: `give its provider too, with --kms; or give it up with --drop ${id}`,
  };
}

type After = (view: SecretView, own: SlotName, now: string) => SecretView;

const outcomes: Readonly<Record<SecretStep, After>> = {
  add: (view, own, created) => {
    const slots = [...view.slots, { ...own, label: view.label, primary: false, created }];
    return { ...view, slots, previous: view.slots, opens: true };
  },
  check: (view, _own, now) => ({ ...view, vouched: view.vouched ?? now }),
  promote: (view, own) => {
    const slots = view.slots.map((slot) => ({ ...slot, primary: sameSlot(slot, own) }));
    return { ...view, slots, previous: view.slots };
  },
  rewrap: (view) => ({ ...view, previous: view.slots }),
  retire: (view) => {
    const old = [...oldSecrets(view), ...view.dropped];
    const slots = view.slots.filter((slot) => !old.some((name) => sameSlot(name, slot)));
    return { ...view, slots, previous: slots, outOfReach: [] };
  },
};

/** What things look like once a step is done: for a plan. */
export function afterStep(view: SecretView, step: SecretStep, now: string): SecretView {
  const { target } = view;
  return target === undefined ? view : outcomes[step](view, { type: secretType, keyId: target.keyId }, now);
}
