/** `volseal/testing`: what the tests of an application need. Not for production. */

import { createHash } from 'node:crypto';

import { flySecrets } from './kms/fly-secrets.ts';
import type { KeyProvider } from './kms/provider.ts';

/**
 * A key provider with a secret that everyone can compute from its label: the same label gives the same keys in every
 * process, another label other keys. It behaves as `flySecrets` with that one secret.
 */
export function testKeys(label: string = 'test'): KeyProvider {
  const secret = createHash('sha256')
    .update('volseal test keys, never for real data: ')
    .update(label)
    .digest('hex');
  return flySecrets({ env: { [`VOLSEAL_SECRET_${label}`]: secret } });
}
