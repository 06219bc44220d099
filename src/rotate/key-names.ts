/** How keys are named: `vk:2`, `fly-secrets:LABEL`, a key id, a label. */

import { invalidArgument } from '../options.ts';
import type { AuditedKey } from './report-types.ts';

/**
 * The key of an audit that a name means.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` when there is none, or more than one
 */
export function keyNamed(keys: readonly AuditedKey[], name: string): AuditedKey {
  const exact = keys.filter(({ id, keyId }) => id === name || keyId === name);
  // A label alone, or a type of which there is one: `recovery:`.
  const found =
    exact.length > 0
      ? exact
      : keys.filter(
          ({ id, kind }) =>
            kind === 'secret' && (id.endsWith(`:${name}`) || (name.endsWith(':') && id.startsWith(name))),
        );
  const [key] = found;
  if (key !== undefined && found.length === 1) return key;
  const names = keys.map(({ id }) => id).join(', ');
  throw invalidArgument(
    key === undefined
      ? `the volume has no key ${JSON.stringify(name)}`
      : `${JSON.stringify(name)} means more than one key: ${found.map(({ keyId }) => keyId).join(', ')}`,
    key === undefined ? `it has: ${names}` : 'name it by its key id',
  );
}
