/** `retire`: destroys a key that nothing needs any more, in both generations of the keyring. */

import { providersOf } from '../envelope/slots.ts';
import type { Mounted } from '../fs/volume/mounted.ts';
import type { Volume } from '../fs/volume/volume.ts';
import { removeSlot, setVolumeKeyState, writeAgain } from '../keyring/changes.ts';
import type { SlotName } from '../keyring/content.ts';
import { checkFlag, checkOptions, invalidArgument, throwIfAborted } from '../options.ts';
import { auditMounted, snapshotsUntil } from './audit.ts';
import { describeHolders, waitForHolders } from './holders.ts';
import { checkWritable, duringCall, refused } from './internals.ts';
import { keyNamed } from './key-names.ts';
import { checkJobs, checkMaxIops } from './limits.ts';
import type { AuditedKey, AuditReport, RetireOptions, RetireReport } from './report-types.ts';
import { lockRun } from './rewrap.ts';

const optionNames = ['dryRun', 'jobs', 'maxIops', 'onProgress', 'signal', 'keys', 'drop'] as const;

/**
 * Destroys a volume key, or takes a secret its slot: on this volume no generation of the keyring, no header half and no journal
 * holds it then. Other copies of what it opens do not go away: `notChecked` says where they may be.
 * @param id as `audit` names it: `vk:1`, `fly-secrets:LABEL`, a key id or a label
 * @throws VolsealError `ERR_VOLSEAL_ROTATION_REFUSED` while the key is primary, anything needs it or could not be read, or a
 *   process that has the volume open has not seen the keyring; `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_BUSY`,
 *   `ERR_VOLSEAL_PERMISSION`, `ERR_VOLSEAL_ABORTED`; for a secret `ERR_VOLSEAL_KEY_MISSING` when a key that stays is not at hand
 */
export async function retire(volume: Volume, id: string, options: RetireOptions = {}): Promise<RetireReport> {
  checkOptions('retire', options, optionNames);
  checkFlag('dryRun', options.dryRun);
  checkJobs(options.jobs);
  checkMaxIops(options.maxIops);
  if (typeof id !== 'string' || id === '')
    throw invalidArgument('retire needs the id of a key', 'for example vk:1');
  throwIfAborted(options.signal);
  return duringCall(volume, async (mounted) => {
    checkWritable(mounted, 'retire');
    const lock = await lockRun(mounted);
    try {
      return await retireLocked(mounted, id, options);
    } finally {
      await lock.release();
    }
  });
}

async function retireLocked(mounted: Mounted, id: string, options: RetireOptions): Promise<RetireReport> {
  const { keyring } = mounted.environment;
  const { dryRun = false, signal, jobs, maxIops, onProgress } = options;
  await keyring.refresh();
  // Whoever seals by an older keyring could make a file under the key after everything was looked at.
  const behind = await waitForHolders(mounted, keyring.generation, signal);
  if (behind.length > 0) {
    throw refused(
      `the keyring is at generation ${keyring.generation}, and others may still seal under an older one: ${describeHolders(behind)}`,
      'wait until they have finished what they write, or end them; then try again',
    );
  }
  const limits = { jobs, maxIops, onProgress, signal };
  const given = Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined));
  const found = await auditMounted(mounted, given);
  const key = keyNamed(found.keys, id);
  // Only the generation before this one still has it: a crash came between the two.
  const wasRetired = key.state === 'destroyed' || (key.state === 'unknown' && key.files === 0);
  const alreadyRetired = wasRetired && key.generations.length === 0;
  if (!wasRetired) checkUnused(key, found);
  throwIfAborted(signal);
  if (!dryRun && !alreadyRetired) await destroy(mounted, key, wasRetired, options);
  return {
    id: key.id,
    keyId: key.keyId,
    kind: key.kind,
    generation: keyring.generation,
    ...labelOf(key),
    alreadyRetired,
    snapshotsUntil: snapshotsUntil(retiredAt(mounted, key, alreadyRetired)),
    notChecked: notChecked(key, found),
    dryRun,
  };
}

/** @throws VolsealError `ERR_VOLSEAL_ROTATION_REFUSED` */
function checkUnused(key: AuditedKey, { unreadable, unreadableFiles }: AuditReport): void {
  const isVolumeKey = key.kind === 'volume-key';
  if (key.state === 'primary') {
    throw refused(
      `${key.id} is the primary key`,
      isVolumeKey
        ? 'make another one first: volseal rotate volume-key, then volseal rewrap'
        : 'go over to another secret first: volseal rotate secret --to LABEL',
    );
  }
  if (key.files > 0) {
    const examples = key.examples.map((path) => JSON.stringify(path)).join(', ');
    throw refused(
      `${key.files} ${key.files === 1 ? 'file needs' : 'files need'} ${key.id}: ${examples}${key.files > key.examples.length ? ', …' : ''}`,
      isVolumeKey
        ? 'move them to the primary volume key first: volseal rewrap'
        : 'they were sealed by themselves: seal them again under another key first (volseal decrypt, volseal encrypt)',
    );
  }
  // What the keyring does not tell it will be told to forget anyway.
  const unread = unreadable.filter(({ path }) => !path.startsWith('/.volseal/keyring.json'));
  const first = unread[0];
  if (first === undefined && unreadableFiles === unreadable.length) return;
  throw refused(
    `${unreadableFiles} ${unreadableFiles === 1 ? 'file' : 'files'} could not be read and may need ${key.id}, ${JSON.stringify(first?.path)} among them: ${first?.message}`,
    'volseal audit names them all; volseal rewrap repairs damaged halves; restore or remove the others',
  );
}

async function destroy(
  mounted: Mounted,
  key: AuditedKey,
  wasRetired: boolean,
  options: RetireOptions,
): Promise<void> {
  const { keyring } = mounted.environment;
  if (wasRetired) {
    // A crash came between two generations.
    await keyring.change(writeAgain());
  } else if (key.kind === 'volume-key') {
    const { volumeKeys } = keyring.info();
    const version = volumeKeys.find(({ keyId }) => keyId === key.keyId)?.version;
    if (version === undefined) throw invalidArgument(`the keyring has no ${key.id}`);
    await keyring.change(setVolumeKeyState(version, 'destroyed'));
  } else {
    const providers = options.keys === undefined ? [] : providersOf(options.keys);
    const drop = (options.drop ?? []).map((name) => slotNamed(mounted, name));
    await keyring.change(removeSlot(slotNamed(mounted, key.keyId), { providers, drop }));
  }
}

function slotNamed({ environment }: Mounted, name: string): SlotName {
  const { slots } = environment.keyring.info();
  const found = slots.filter(({ keyId, label, type }) =>
    [keyId, `${type}:${keyId}`, `${type}:${label ?? ''}`, `${type}:`, label].includes(name),
  );
  const [slot] = found;
  if (slot !== undefined && found.length === 1) return { type: slot.type, keyId: slot.keyId };
  throw invalidArgument(
    `${JSON.stringify(name)} names ${found.length} slots of the keyring`,
    `there are: ${slots.map(({ keyId, type }) => `${type}:${keyId}`).join(', ')}`,
  );
}

function labelOf({ id, keyId, kind }: AuditedKey): { label?: string } {
  const name = id.slice(id.indexOf(':') + 1);
  return kind === 'secret' && name !== keyId ? { label: name } : {};
}

function retiredAt({ environment }: Mounted, key: AuditedKey, alreadyRetired: boolean): number {
  const record = environment.keyring.info().volumeKeys.find(({ keyId }) => keyId === key.keyId);
  return alreadyRetired && record !== undefined ? Date.parse(record.changed) : Date.now();
}

function notChecked({ id, kind }: AuditedKey, { strangers }: AuditReport): string[] {
  const what = kind === 'volume-key' ? `the wrapped ${id}` : `the keyring key under ${id}`;
  return [
    `snapshots and forks of the volume, and volumes that were destroyed a short time ago: they hold ${what} and headers as they were`,
    'backups and copies of the volume or of its files, exports of the keyring among them',
    'free blocks of the disk and the journal of its file system: what was overwritten may still be there',
    ...(strangers > 0 ? [`${strangers} files that are not sealed in this volume`] : []),
    'files that something other than volseal moves into the volume later',
  ];
}
