/**
 * Refusing an older keyring than one that is known: it would bring back a key that was retired (docs/format/keyring-v1.md
 * §8). Known is what this process has seen, and what a floor outside the volume says.
 */

import { bytesEqual, hex } from '../bytes.ts';
import { VolsealError } from '../errors.ts';
import { invalidArgument } from '../options.ts';
import type { System } from '../os/system.ts';

const floorVariable = 'VOLSEAL_KEYRING_MIN';

interface Seen {
  readonly generation: number;
  readonly mac: Uint8Array;
}

/** By volume id; never changed, but replaced, so that it can be kept for later comparison. */
export type SeenGenerations = ReadonlyMap<string, Seen>;

/** A memory for each system: what a test simulates is another machine than the one it runs on. */
const seenOn = new WeakMap<System, SeenGenerations>();
const nothingSeen: SeenGenerations = new Map();

/** To be asked before the file is read: what is seen while it is read may well be newer. */
export function seenGenerations(system: System): SeenGenerations {
  return seenOn.get(system) ?? nothingSeen;
}

/** @throws VolsealError `ERR_VOLSEAL_KEYRING_ROLLED_BACK` */
export function checkNotSeenNewer(
  seen: SeenGenerations,
  volumeId: Uint8Array,
  generation: number,
  mac: Uint8Array,
): void {
  const before = seen.get(hex(volumeId));
  if (before === undefined || generation > before.generation) return;
  if (generation < before.generation) {
    throw rolledBack(`it is at generation ${generation}, and this process has seen ${before.generation}`);
  }
  if (!bytesEqual(mac, before.mac)) {
    throw rolledBack(`it is another one of generation ${generation} than this process has seen`);
  }
}

export function rememberGeneration(
  system: System,
  volumeId: Uint8Array,
  generation: number,
  mac: Uint8Array,
): void {
  const seen = seenGenerations(system);
  const before = seen.get(hex(volumeId));
  if (before !== undefined && before.generation >= generation) return;
  seenOn.set(system, new Map(seen).set(hex(volumeId), { generation, mac }));
}

/** For an older keyring that was put back on purpose. */
export function forgetGeneration(system: System, volumeId: Uint8Array): void {
  const seen = new Map(seenGenerations(system));
  seen.delete(hex(volumeId));
  seenOn.set(system, seen);
}

/** @throws VolsealError `ERR_VOLSEAL_KEYRING_ROLLED_BACK`, `ERR_VOLSEAL_INVALID_ARGUMENT` */
export function checkFloors(volumeId: Uint8Array, generation: number, option: number | undefined): void {
  const floors = [
    ['minGeneration', checkFloor(option ?? 0)],
    [`$${floorVariable}`, environmentFloor(volumeId, process.env[floorVariable])],
  ] as const;
  for (const [source, floor] of floors) {
    if (generation < floor) {
      throw rolledBack(`it is at generation ${generation}, and ${source} demands ${floor} or later`);
    }
  }
}

function checkFloor(value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw invalidArgument('minGeneration must be a whole number from 0');
}

/**
 * The floor for this volume out of `7`, which is for every volume, or `3f2a…=7, 91bc…=4` with volume ids or at least their
 * first eight digits: the Machines of an app share their environment, but each has a volume of its own.
 */
export function environmentFloor(volumeId: Uint8Array, value: string | undefined): number {
  let floor = 1;
  for (const part of (value ?? '').split(/[\s,]+/)) {
    if (part === '') continue;
    const match = /^(?:([0-9a-f]{8,32})=)?([1-9]\d{0,15})$/i.exec(part);
    const generation = Number(match?.[2]);
    if (match === null || !Number.isSafeInteger(generation)) {
      throw invalidArgument(
        `$${floorVariable} has a part that is not a generation`,
        `one number for all volumes, or VOLUME_ID=NUMBER for each, for example ${floorVariable}=3f2a91bc=7`,
      );
    }
    const id = match[1]?.toLowerCase() ?? '';
    if (hex(volumeId).startsWith(id)) floor = Math.max(floor, generation);
  }
  return floor;
}

function rolledBack(why: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_KEYRING_ROLLED_BACK', `the keyring is older than it may be: ${why}`, {
    hint: 'find out who put it back; then restore the newest one: volseal keyring restore EXPORT',
  });
}
