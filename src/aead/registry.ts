/** Suites by name and by on-disk id. */

import { VolsealError } from '../errors.ts';
import { aes256Gcm } from './aes-gcm.ts';
import type { SegmentAead, Suite } from './suite.ts';
import { xchacha20Poly1305 } from './xchacha.ts';

const aeads: readonly SegmentAead[] = [aes256Gcm, xchacha20Poly1305];

/** Suite names, the default first. */
export const suites: readonly Suite[] = aeads.map((aead) => aead.suite);

export function aeadBySuite(suite: Suite): SegmentAead {
  const found = aeads.find((aead) => aead.suite === suite);
  if (found !== undefined) return found;
  throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_SUITE', `unknown suite ${JSON.stringify(suite)}`, {
    hint: `suites: ${suites.join(', ')}`,
  });
}

export function aeadById(id: number): SegmentAead {
  const found = aeads.find((aead) => aead.id === id);
  if (found !== undefined) return found;
  throw new VolsealError('ERR_VOLSEAL_UNSUPPORTED_SUITE', `sealed with an unknown suite (AEAD id ${id})`, {
    hint: 'a newer volseal may know it; upgrade and try again',
  });
}
