/** What proves a header under its data key, in the order of docs/format/v1.md §7, steps 7 and 8. */

import { VolsealError } from '../errors.ts';
import { FloeDecryptor } from '../floe/decryptor.ts';
import type { Secret } from '../secret.ts';
import { publishWarning } from '../trace.ts';
import { bodyAssociatedData, floeKey } from './body.ts';
import type { HeaderRegion } from './region.ts';
import { type HeaderIdentity, verifyMac } from './v1/copy.ts';

/** Step 7 failed: the slot is authentic, but holds another key than that of this FLOE header, file id and context. */
export function foreignKey(): VolsealError {
  return new VolsealError('ERR_VOLSEAL_WRONG_KEY', 'the key in its slot is not the key of this data', {
    hint: 'the header was changed or put together from several files; restore the file from a backup',
  });
}

/** Step 7 for a write-once body. */
export function openWriteOnceBody(header: HeaderIdentity, dataKey: Secret): FloeDecryptor {
  const key = floeKey(dataKey);
  try {
    const associatedData = bodyAssociatedData(header.bodyKind, header.fileId, header.context);
    return FloeDecryptor.start(key.bytes(), header.floeHeader, { associatedData });
  } catch (error) {
    if (!(error instanceof VolsealError) || error.code !== 'ERR_VOLSEAL_WRONG_KEY') throw error;
    throw foreignKey();
  } finally {
    key.wipe();
  }
}

/** Step 8: every copy whose checksum matches must be authentic, not only the one that is used. */
export function verifyCopies(region: HeaderRegion, macKey: Secret): void {
  const forged = region.goodCopies.find((copy) => !verifyMac(copy, macKey));
  if (forged === undefined) return;
  throw new VolsealError(
    'ERR_VOLSEAL_HEADER_TAMPERED',
    `copy ${forged.halfIndex} of the header was changed by someone without the key`,
    {
      hint: 'restore the file from a backup',
      offset: forged.halfIndex === 0 ? 0 : region.regionBytes / 2,
    },
  );
}

/** @param path of the file, for the message */
export function warnOfDamagedCopy(region: HeaderRegion, path: string | undefined): void {
  if (region.goodCopies.length === 2) return;
  publishWarning({
    code: 'header-copy-damaged',
    message: 'one of the two header copies is damaged; the other one was used',
    ...(path !== undefined && { path }),
  });
}
