/** What can be done to the volume keys of a keyring, as pure functions over its records (docs/format/keyring-v1.md §4.3). */

import { VolsealError } from '../errors.ts';
import { maxVolumeKeys } from '../limits.ts';
import { invalidArgument } from '../options.ts';
import type { VolumeKeyRecord, VolumeKeyState } from './content.ts';

/** Of the next volume key: higher than any there ever was, for tombstones count. */
export function nextVersion(records: readonly Pick<VolumeKeyRecord, 'version'>[]): number {
  if (records.length >= maxVolumeKeys) {
    throw new VolsealError('ERR_VOLSEAL_TOO_LARGE', `the keyring has ${maxVolumeKeys} volume keys already`, {
      hint: 'make a new volume and move the files there',
    });
  }
  return Math.max(...records.map(({ version }) => version)) + 1;
}

/** With a new primary key; the one before it only opens from now on. */
export function withNewPrimary(
  records: readonly VolumeKeyRecord[],
  { version, keyId, wrap }: Required<Pick<VolumeKeyRecord, 'version' | 'keyId' | 'wrap'>>,
  now: string,
): VolumeKeyRecord[] {
  const added: VolumeKeyRecord = { version, keyId, state: 'primary', created: now, changed: now, wrap };
  return [...demotePrimary(records, now), added];
}

function demotePrimary(records: readonly VolumeKeyRecord[], now: string): VolumeKeyRecord[] {
  return records.map((record) =>
    record.state === 'primary' ? { ...record, state: 'active', changed: now } : record,
  );
}

const allowed: Readonly<Record<VolumeKeyState, readonly VolumeKeyState[]>> = {
  primary: [],
  active: ['primary', 'disabled', 'destroyed'],
  disabled: ['active', 'destroyed'],
  destroyed: [],
};

/**
 * With one key in another state. Making a key primary makes the former primary active; a destroyed key leaves id and dates.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for an unknown version and a step that is not allowed
 */
export function withState(
  records: readonly VolumeKeyRecord[],
  version: number,
  state: VolumeKeyState,
  now: string,
): VolumeKeyRecord[] {
  const record = records.find((candidate) => candidate.version === version);
  if (record === undefined) {
    const versions = records.map((candidate) => candidate.version).join(', ');
    throw invalidArgument(`there is no volume key ${version}`, `there are: ${versions}`);
  }
  if (!allowed[record.state].includes(state)) throw notAllowed(record, state);
  const others = state === 'primary' ? demotePrimary(records, now) : records;
  return others.map((other) => {
    if (other.version !== version) return other;
    const { wrap, ...rest } = other;
    const changed = { ...rest, state, changed: now };
    return wrap === undefined || state === 'destroyed' ? changed : { ...changed, wrap };
  });
}

function notAllowed({ version, state }: VolumeKeyRecord, wanted: string): VolsealError {
  const hints: Record<VolumeKeyState, string> = {
    primary: 'make another volume key primary first',
    active: 'it is active already',
    disabled: 'enable it first',
    destroyed: 'a destroyed key cannot come back',
  };
  return invalidArgument(`volume key ${version} is ${state} and cannot become ${wanted}`, hints[state]);
}
