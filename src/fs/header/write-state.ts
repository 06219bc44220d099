/** Rewriting one half of a header in place (docs/format/v1.md §3.1). */

import { findHeader, type HeaderRegion } from '../../envelope/region.ts';
import { type BodyState, encodeNextHalf, type HeaderIdentity, sameIdentity } from '../../envelope/v1/copy.ts';
import { verifyCopies } from '../../envelope/verify.ts';
import { VolsealError } from '../../errors.ts';
import type { System } from '../../os/system.ts';
import type { Secret } from '../../secret.ts';
import { readUpTo, writeAll } from '../../os/descriptor-bytes.ts';

export interface StateChange {
  /** What the file must still be. */
  readonly identity: HeaderIdentity;
  /** The highest generation this process knows of. */
  readonly seenGeneration: number;
  readonly macKey: Secret;
  readonly state: BodyState;
}

/**
 * Reads both halves again and writes the one that counts less: a damaged one, else the older one, else the second. The other
 * one is not touched, so that a crash in the middle leaves it to open the file.
 * @returns the generation that was written
 */
export async function writeNextHalf(system: System, fd: number, change: StateChange): Promise<number> {
  const { identity, macKey, seenGeneration, state } = change;
  const { regionBytes } = identity;
  const region = findHeader(await readUpTo(system, fd, new Uint8Array(regionBytes), 0));
  const { header } = region;
  if (!sameIdentity(header, identity)) throw conflict('the header on the disk is that of another file');
  verifyCopies(region, macKey);
  if (header.state.syncSeq > state.syncSeq) throw conflict('another writer changed the file meanwhile');
  const halfIndex = halfToWrite(region);
  const generation = Math.max(header.generation, seenGeneration) + 1;
  const half = encodeNextHalf(header, halfIndex, generation, state, macKey);
  await writeAll(system, fd, [half], (halfIndex * regionBytes) / 2);
  return generation;
}

/** The half that counts less. */
export function halfToWrite({ goodCopies, header }: HeaderRegion): 0 | 1 {
  const [first, second] = goodCopies;
  if (first === undefined || second === undefined || first.generation !== second.generation)
    return header.halfIndex === 0 ? 1 : 0;
  return 1;
}

function conflict(message: string): VolsealError {
  return new VolsealError('ERR_VOLSEAL_HEADER_CONFLICT', message, {
    hint: 'close the file and open it again; if nothing else writes to it, restore it from a backup',
  });
}
