/** The key providers that --kms, $VOLSEAL_KMS or the default name. */

import type { KeyProvider } from '../kms/provider.ts';
import { flySecrets } from '../kms/fly-secrets.ts';
import { recoveryKey } from '../kms/recovery-key.ts';
import { invalidArgument } from '../options.ts';
import type { Io } from './io.ts';
import { findRecoveryKey } from './recovery-input.ts';

const flyUri = 'fly-secrets:';
const recoveryUri = 'recovery:';

/**
 * @param uris those of --kms; empty when it was not given
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for a URI that this version has no provider for, and what the providers
 *   throw
 */
export async function keyProviders(uris: readonly string[], io: Io): Promise<KeyProvider[]> {
  const fromEnv = (io.env['VOLSEAL_KMS'] ?? '').split(/\s+/).filter((uri) => uri !== '');
  const chosen = new Set(uris.length > 0 ? uris : fromEnv.length > 0 ? fromEnv : [flyUri]);
  for (const uri of chosen) checkUri(uri);
  const providers: KeyProvider[] = [];
  for (const uri of chosen) {
    providers.push(
      uri === recoveryUri ? recoveryKey(await findRecoveryKey(io)) : flySecrets({ env: { ...io.env } }),
    );
  }
  return providers;
}

function checkUri(uri: string): void {
  if (uri === flyUri || uri === recoveryUri) return;
  const scheme = /^([a-z][a-z0-9+-]*):/.exec(uri)?.[1];
  if (scheme === 'fly-secrets') {
    throw invalidArgument(
      `--kms ${uri}: nothing follows ${flyUri}`,
      'the environment names the secrets: VOLSEAL_SECRET_<label>, and VOLSEAL_PRIMARY the one that new data is sealed with',
    );
  }
  if (scheme === 'recovery') {
    // Not repeated: it may be the key.
    throw invalidArgument(
      `--kms: nothing follows ${recoveryUri}`,
      'other processes and the history of the shell see the command line: put the recovery key into VOLSEAL_RECOVERY_KEY, or type it when asked',
    );
  }
  if (scheme === undefined)
    throw invalidArgument(`--kms ${uri} is not a URI`, `for example: --kms ${flyUri}`);
  throw invalidArgument(
    `--kms ${uri}: the key provider ${scheme}: is not in this version of volseal`,
    `this version has ${flyUri} and ${recoveryUri}`,
  );
}
