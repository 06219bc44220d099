/** Suites by name and by on-disk id, for each of the two uses of a body (docs/format/v1.md §6). */

import { VolsealError } from '../errors.ts';
import { fillRandom } from '../random.ts';
import { aes256Gcm } from './aes-gcm.ts';
import type { BodyUse, SegmentAead, SegmentCipher, Suite } from './suite.ts';
import { XaesCipher, xaes256Gcm } from './xaes-suite.ts';
import { xchacha20Poly1305 } from './xchacha.ts';

const aeads: Readonly<Record<BodyUse, readonly SegmentAead[]>> = {
  'write-once': [aes256Gcm, xchacha20Poly1305],
  mutable: [xaes256Gcm, xchacha20Poly1305],
};

/** Suite names, the default first. */
export const suites: readonly Suite[] = aeads['write-once'].map((aead) => aead.suite);

export function aeadBySuite(suite: Suite, use: BodyUse = 'write-once'): SegmentAead {
  const found = aeads[use].find((aead) => aead.suite === suite);
  if (found !== undefined) return found;
  throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_SUITE', `unknown suite ${JSON.stringify(suite)}`, {
    hint: `suites: ${suites.join(', ')}`,
  });
}

/** Each use has its own ids: sealing a mutable body with a write-once cipher would wear its key out. */
export function aeadById(id: number, use: BodyUse = 'write-once'): SegmentAead {
  const found = aeads[use].find((aead) => aead.id === id);
  if (found !== undefined) return found;
  const ofOtherUse = Object.values(aeads)
    .flat()
    .find((aead) => aead.id === id);
  if (ofOtherUse !== undefined) {
    throw new VolsealError(
      'ERR_VOLSEAL_UNSUPPORTED_SUITE',
      `${ofOtherUse.cipher} (AEAD id ${id}) is no suite of a ${use} body`,
      { hint: 'it was not written by volseal, or was changed on purpose; restore the file from a backup' },
    );
  }
  throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_SUITE', `sealed with an unknown suite (AEAD id ${id})`, {
    hint: 'a newer volseal may know it; upgrade and try again',
  });
}

/** What one open mutable body seals and opens its segments with. */
export function segmentCipher(aead: SegmentAead): SegmentCipher {
  if (aead.id === xaes256Gcm.id) return new XaesCipher();
  return {
    seal(key, nonce, associatedData, plain) {
      fillRandom(nonce);
      return aead.seal(key, nonce, associatedData, plain);
    },
    open: aead.open,
    wipe() {},
  };
}
