/**
 * `rotateSecret`: the volume goes over from one secret to another. Only the keyring is written, so that it takes as long on
 * a volume of a million files as on an empty one. Where the rotation is, the keyring itself says (secret-steps.ts).
 */

import { join } from 'node:path';

import { VolsealError } from '../errors.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { metadataName } from '../fs/volume/path-rules.ts';
import { addSlot, type Change, removeSlot, setPrimarySlot, writeAgain } from '../keyring/changes.ts';
import { sameSlot, type SlotName } from '../keyring/content.ts';
import { checkFlag, checkOptions, invalidArgument, throwIfAborted } from '../options.ts';
import type { KeyProvider } from '../kms/provider.ts';
import { describeHolders, waitForHolders } from './holders.ts';
import { duringCall } from './internals.ts';
import type {
  RetiredKey,
  RotateSecretOptions,
  RotateSecretReport,
  SecretStepReport,
} from './secret-report.ts';
import { look, type Looked, type SecretPlace } from './secret-place.ts';
import {
  afterStep,
  isDone,
  type Obstacle,
  obstacleTo,
  oldSecrets,
  type SecretName,
  type SecretStep,
  type SecretView,
  secretSteps,
  secretType,
} from './secret-steps.ts';
import { planned, truth } from './secret-words.ts';
import { recordVouched } from './vouched.ts';

const optionNames = ['to', 'step', 'offline', 'drop', 'dryRun', 'onProgress', 'signal'] as const;

/**
 * Does the steps of the rotation that are due, up to the first that has to wait: `waiting` says why. The same call again goes
 * on there. With `step` that one alone.
 *
 * - `add`: the new secret gets a slot of the keyring, so that it opens the volume as well.
 * - `check`: its slot was opened with it here, and somebody vouches for the Machines that cannot be asked (`offline`).
 * - `promote`: it becomes the primary one.
 * - `rewrap`: both generations of the keyring open with it.
 * - `retire`: the other secrets lose their slots. Keyring key and primary volume key are drawn anew, so that an old secret with an
 *   old keyring opens nothing that is written from then on. All that stays is wrapped anew: its providers have to be at hand.
 *
 * Files keep their data keys. After a secret was exposed, that is not enough: {@link rotateCompromised}.
 * @throws VolsealError `ERR_VOLSEAL_ROTATION_REFUSED` for a step that has to wait; `ERR_VOLSEAL_PERMISSION` on a volume that was
 *   opened read-only; `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`, `ERR_VOLSEAL_ABORTED`, what the providers
 *   throw, and errors of the system, EBUSY among them while somebody else changes the keyring
 */
export async function rotateSecret(
  volume: Volume,
  options: RotateSecretOptions,
): Promise<RotateSecretReport> {
  const signal: AbortSignal | undefined = options?.signal;
  return duringCall(volume, async (mounted) => {
    const { keyring, owner, system } = mounted.environment;
    const place: SecretPlace = {
      keyring,
      system,
      owner,
      directory: join(mounted.paths.root, metadataName),
      waitForHolders: (generation) => waitForHolders(mounted, generation, signal),
    };
    return rotateSecretAt(place, options);
  });
}

/** The same without a volume around the keyring. */
export async function rotateSecretAt(
  place: SecretPlace,
  options: RotateSecretOptions,
): Promise<RotateSecretReport> {
  checkRotateOptions(options);
  const { drop = [], offline = false, onProgress, signal, step: wanted } = options;
  const label = options.to.startsWith(`${secretType}:`)
    ? options.to.slice(secretType.length + 1)
    : options.to;
  const dryRun = options.dryRun === true;
  const wish = { label, drop };
  const run: Run = { place, offline, retired: [] };
  const steps: SecretStepReport[] = [];
  const say = (report: SecretStepReport): void => {
    steps.push(report);
    onProgress?.(report);
  };

  let looked = await look(place, wish);
  let waiting: RotateSecretReport['waiting'];
  for (const step of wanted === undefined ? secretSteps : [wanted]) {
    throwIfAborted(signal);
    const { view } = looked;
    if (waiting !== undefined) {
      say({ step, state: 'later', detail: planned(view, step) });
      continue;
    }
    let obstacle = isDone(view, step) ? undefined : inTheWay(view, step, wanted !== undefined, offline);
    if (step === 'retire' && obstacle === undefined && !dryRun && !isDone(view, step))
      obstacle = await heldUp(place);
    if (obstacle !== undefined) {
      waiting = { step, ...obstacle };
      say({ step, state: 'waiting', detail: obstacle.message });
    } else if (isDone(view, step)) {
      say({ step, state: 'before', detail: truth(view, step) });
    } else if (dryRun) {
      say({ step, state: 'due', detail: planned(view, step) });
      if (step === 'retire') run.retired.push(...leaving(view));
      looked = { ...looked, view: afterStep(view, step, new Date().toISOString()) };
    } else {
      await perform(run, looked, step);
      looked = await look(place, wish);
      if (!isDone(looked.view, step)) throw undone(step);
      say({ step, state: 'done', detail: truth(looked.view, step) });
    }
  }
  if (waiting !== undefined && wanted !== undefined && !dryRun) throw refusal(waiting);
  const { target } = looked.view;
  const hasRetired = steps.some(({ state, step }) => step === 'retire' && state === 'done');
  const { generation } = looked.info;
  return {
    volumeId: looked.info.volumeId,
    generation,
    to: target ?? { label },
    steps,
    retired: run.retired,
    complete: waiting === undefined && !dryRun,
    ...(waiting === undefined ? {} : { waiting }),
    holdersBehind: hasRetired ? ((await place.waitForHolders?.(generation)) ?? []) : [],
    dryRun,
  };
}

interface Run {
  readonly place: SecretPlace;
  readonly offline: boolean;
  readonly retired: RetiredKey[];
}

function checkRotateOptions(options: RotateSecretOptions): void {
  checkOptions('rotateSecret', options, optionNames);
  const { drop, dryRun, offline, step, to } = options;
  if (typeof to !== 'string' || !/^(?:fly-secrets:)?\w{1,32}$/.test(to)) {
    throw invalidArgument('to must be the label of a secret', 'for example v2, for VOLSEAL_SECRET_v2');
  }
  checkFlag('offline', offline);
  checkFlag('dryRun', dryRun);
  if (step !== undefined && !secretSteps.includes(step))
    throw invalidArgument(`step must be one of ${secretSteps.join(', ')}`);
  if (offline === true && step !== undefined && step !== 'check')
    throw invalidArgument(
      `the step ${step} takes no vouching`,
      'vouch with the step check, or without a step',
    );
  if (drop !== undefined && !(Array.isArray(drop) && drop.every((id) => typeof id === 'string' && id !== '')))
    throw invalidArgument('drop must be an array of key ids');
}

/** Why a step cannot be done now: one before it is not true, or something is in its own way. */
function inTheWay(
  view: SecretView,
  step: SecretStep,
  isAlone: boolean,
  offline: boolean,
): Obstacle | undefined {
  const before = isAlone ? secretSteps.slice(0, secretSteps.indexOf(step)) : [];
  const missing = before.find((earlier) => !isDone(view, earlier));
  if (missing !== undefined) {
    return {
      message: `${step} has to wait: ${missing} is not done yet`,
      hint: 'do that one first',
      command: `volseal rotate secret ${missing} --to ${view.label}`,
    };
  }
  const now = offline && view.vouched === undefined ? { ...view, vouched: 'now' } : view;
  return obstacleTo(now, step);
}

async function perform(run: Run, { provider, view }: Looked, step: SecretStep): Promise<void> {
  const { target } = view;
  if (provider === undefined || target === undefined) throw undone(step);
  await actions[step]({ ...run, provider, view, target }, { type: secretType, keyId: target.keyId });
}

interface Acting extends Run {
  readonly provider: KeyProvider;
  readonly view: SecretView;
  readonly target: SecretName;
}

const actions: Readonly<Record<SecretStep, (acting: Acting, name: SlotName) => Promise<void>>> = {
  add: ({ place, provider }, name) =>
    place.keyring.change(adding(addSlot(provider, { keyId: name.keyId }), name)),
  check: async ({ offline, place, target }) => {
    const at = new Date().toISOString();
    if (offline) await place.keyring.locked(() => recordVouched(place, { ...target, at }));
  },
  promote: ({ place }, name) => place.keyring.change(setPrimarySlot(name)),
  rewrap: ({ place }) => place.keyring.change(writeAgain()),
  retire: async ({ place, retired, view }, name) => {
    const removed: RetiredKey[] = [];
    await place.keyring.change(retiring(name, view, removed));
    retired.push(...removed);
  },
};

/** A process that does not take over what the keyring says now would lose the volume when the keyring key is replaced. */
async function heldUp({ keyring, waitForHolders: wait }: SecretPlace): Promise<Obstacle | undefined> {
  const behind = (await wait?.(keyring.generation)) ?? [];
  if (behind.length === 0) return undefined;
  return {
    message: `others still work with an older generation of the keyring: ${describeHolders(behind)}`,
    hint: 'wait until they have finished what they write, or end them; then run the same command again',
  };
}

/** Somebody else may have added it since it was looked. */
function adding(add: Change, name: SlotName): Change {
  return async (input) => {
    const { content, key } = input;
    if (content.slots.some(({ wrapped }) => sameSlot(wrapped, name))) return { content, key, removes: false };
    return add(input);
  };
}

/** From what the keyring holds when it is changed, which may be more than when it was looked at. */
function retiring(name: SlotName, { dropped }: SecretView, removed: RetiredKey[]): Change {
  return async (input) => {
    const { content } = input;
    const slot = content.slots.find(({ wrapped }) => sameSlot(wrapped, name));
    if (slot?.primary !== true) {
      throw refusal({
        message: 'the secret is not the primary one any more: somebody else changed the keyring meanwhile',
        hint: 'look where the rotation is: the same command with --dry-run',
      });
    }
    const going = content.slots.filter(({ wrapped }) => {
      const isOldSecret = wrapped.type === secretType && wrapped.keyId !== name.keyId;
      return isOldSecret || dropped.some((other) => sameSlot(other, wrapped));
    });
    const [first, ...rest] = going.map(({ wrapped: { keyId, type } }) => ({ type, keyId }));
    // Gone already, but the generation before may still hold it.
    if (first === undefined) return writeAgain()(input);
    const changed = await removeSlot(first, { drop: rest })(input);
    for (const { label, wrapped } of going) {
      const { keyId, type } = wrapped;
      removed.push(label === undefined ? { type, keyId } : { type, keyId, label });
    }
    return changed;
  };
}

function leaving(view: SecretView): RetiredKey[] {
  return [...oldSecrets(view), ...view.dropped].map((slot) => {
    const { keyId, label, type } = slot;
    return label === undefined ? { type, keyId } : { type, keyId, label };
  });
}

function refusal({ command, hint, message }: Obstacle): VolsealError {
  const next = command === undefined ? hint : `${command}   (${hint})`;
  return new VolsealError('ERR_VOLSEAL_ROTATION_REFUSED', message, { hint: next });
}

/** Something undid a step at once, or a provider changed what it has. */
function undone(step: string): VolsealError {
  return refusal({
    message: `${step} was done and is not true: somebody else changes the keyring at the same time`,
    hint: 'run the same command again',
  });
}
