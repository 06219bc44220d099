/**
 * Moving a header to another volume key: one slot of the primary key in the place of all other volume keys, in both halves
 * (docs/format/v1.md §3.1). The data key and everything under it stay as they are.
 */

import { constantTimeEqual } from '../../bytes.ts';
import { headerMacKey } from '../../envelope/body.ts';
import type { HeaderRegion } from '../../envelope/region.ts';
import { bodyKinds } from '../../envelope/v1/constants.ts';
import { encodeHalf, encodeNextHalf, type HeaderCopy } from '../../envelope/v1/copy.ts';
import { encodeSlot, type Slot } from '../../envelope/v1/slot.ts';
import { openWriteOnceBody, verifyCopies } from '../../envelope/verify.ts';
import { internalError } from '../../errors.ts';
import { writeAll } from '../../os/descriptor-bytes.ts';
import type { System } from '../../os/system.ts';
import type { Secret } from '../../secret.ts';
import { openMutableBody } from './file-header.ts';
import type { FileKeys } from './file-keys.ts';
import { halfToWrite } from './write-state.ts';

/** What a slot that a volume key opens is called (docs/format/v1.md §4, type 1). */
const volumeKeyType = 'volume-key';

export function isVolumeSlot({ wrapped }: Slot): boolean {
  return wrapped.type === volumeKeyType;
}

/** Whether nothing in the region can be opened with any volume key but this one: both halves are good and name no other. */
export function isUnderOnly({ goodCopies }: HeaderRegion, keyId: string): boolean {
  return goodCopies.length === 2 && goodCopies.every((copy) => hasOnly(copy, keyId));
}

function hasOnly({ slots }: HeaderCopy, keyId: string): boolean {
  const ours = slots.filter(isVolumeSlot);
  return ours.length === 1 && ours[0]?.wrapped.keyId === keyId;
}

/** A half to be written: the next one only when this one is on the disk. */
export interface HalfToWrite {
  readonly bytes: Uint8Array;
  readonly fileOffset: number;
}

/**
 * The halves to write, in their order, so that after all of them the header is under the primary key alone; none when it is.
 * A crash between two leaves a header that opens. The old ones are verified as for opening the file, and the new slot is opened
 * before it counts.
 * @param keyId of the primary volume key of `keys`
 * @throws VolsealError as opening the header does
 */
export function rewrapHalves(keys: FileKeys, region: HeaderRegion, keyId: string): HalfToWrite[] {
  if (isUnderOnly(region, keyId)) return [];
  const { header } = region;
  const { fileId, floeHeader, generation, state } = header;
  const dataKey = keys.unwrapDataKey(header.slots, fileId, floeHeader);
  let macKey: Secret | undefined;
  try {
    checkBody(header, dataKey);
    macKey = headerMacKey(dataKey);
    verifyCopies(region, macKey);
    const older = halfToWrite(region);
    if (hasOnly(header, keyId)) {
      // A run before this one got as far as the first half, or the other one is damaged.
      const bytes = encodeNextHalf(header, older, generation, state, macKey);
      return [placed(region, older, bytes)];
    }
    const slot = keys.wrapDataKey(dataKey, fileId, floeHeader);
    if (slot.wrapped.keyId !== keyId) throw internalError('the primary volume key changed under a rewrap');
    checkSlot(keys, slot, header, dataKey);
    const slots = [slot, ...header.slots.filter((other) => !isVolumeSlot(other))].map(encodeSlot);
    const content = { ...header, generation: generation + 1 };
    const key = macKey;
    return [older, older === 0 ? 1 : 0].map((half) => {
      const index = half as 0 | 1;
      return placed(region, index, encodeHalf(content, slots, index, key));
    });
  } finally {
    macKey?.wipe();
    dataKey.wipe();
  }
}

function placed({ regionBytes }: HeaderRegion, half: 0 | 1, bytes: Uint8Array): HalfToWrite {
  return { bytes, fileOffset: (half * regionBytes) / 2 };
}

/** Step 7 of docs/format/v1.md §7. */
function checkBody(header: HeaderCopy, dataKey: Secret): void {
  const body =
    header.bodyKind === bodyKinds.mutable
      ? openMutableBody(header, dataKey)
      : openWriteOnceBody(header, dataKey);
  body.wipe();
}

function checkSlot(keys: FileKeys, slot: Slot, { fileId, floeHeader }: HeaderCopy, dataKey: Secret): void {
  const reopened = keys.unwrapDataKey([slot], fileId, floeHeader);
  const isSame = constantTimeEqual(reopened.bytes(), dataKey.bytes());
  reopened.wipe();
  if (!isSame) throw internalError('a new key slot does not open');
}

/**
 * Writes them, each on the disk before the next one begins. The caller holds the header lock of the file and has read the
 * region under it.
 * @param durable false: nothing is synced
 */
export async function writeHalves(
  system: System,
  fd: number,
  halves: readonly HalfToWrite[],
  durable: boolean,
): Promise<void> {
  if (!durable) {
    // They are next to each other.
    const inOrder = halves.toSorted((a, b) => a.fileOffset - b.fileOffset);
    const parts = inOrder.map(({ bytes }) => bytes);
    await writeAll(system, fd, parts, inOrder[0]?.fileOffset ?? 0);
    return;
  }
  for (const { bytes, fileOffset } of halves) {
    await writeAll(system, fd, [bytes], fileOffset);
    await system.fdatasync(fd);
  }
}
