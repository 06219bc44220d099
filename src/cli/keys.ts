/** The key providers that --kms, $VOLSEAL_KMS or the default name. */

import type { KeyProvider } from '../kms/provider.ts';
import { flySecrets } from '../kms/fly-secrets.ts';
import { invalidArgument } from '../options.ts';

const defaultUri = 'fly-secrets:';

/**
 * @param uris those of --kms; empty when it was not given
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for a URI that this version has no provider for, and what `flySecrets` throws
 */
export function keyProviders(
  uris: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): KeyProvider[] {
  const fromEnv = (env['VOLSEAL_KMS'] ?? '').split(/\s+/).filter((uri) => uri !== '');
  const chosen = uris.length > 0 ? uris : fromEnv.length > 0 ? fromEnv : [defaultUri];
  for (const uri of new Set(chosen)) checkUri(uri);
  return [flySecrets({ env: { ...env } })];
}

function checkUri(uri: string): void {
  if (uri === defaultUri) return;
  const scheme = /^([a-z][a-z0-9+-]*):/.exec(uri)?.[1];
  if (scheme === 'fly-secrets') {
    throw invalidArgument(
      `--kms ${uri}: nothing follows ${defaultUri}`,
      'the environment names the secrets: VOLSEAL_SECRET_<label>, and VOLSEAL_PRIMARY the one that new data is sealed with',
    );
  }
  if (scheme === undefined)
    throw invalidArgument(`--kms ${uri} is not a URI`, `for example: --kms ${defaultUri}`);
  throw invalidArgument(
    `--kms ${uri}: the key provider ${scheme}: is not in this version of volseal`,
    `this version has ${defaultUri}`,
  );
}
