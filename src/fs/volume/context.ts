/** Which encryption context a call demands of a file, or gives to a new one (docs/format/v1.md §5). */

import { encodeContext } from '../../envelope/context.ts';
import { VolsealError } from '../../errors.ts';
import type { Context } from '../../kms/provider.ts';
import type { Mounted } from './mounted.ts';
import { optionalBoolean } from './call-options.ts';

export interface ContextOptions {
  /** Pairs that an existing file must have been made with. A file that is made by the call gets them. */
  context?: Context | undefined;
  /** The file must have been made with exactly `context` and no further pairs. Default false. */
  exactContext?: boolean | undefined;
}

export const contextOptionNames = ['context', 'exactContext'] as const;

export interface Demand {
  readonly context: Context | undefined;
  readonly exact: boolean;
}

/**
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`; `ERR_VOLSEAL_CONTEXT_MISMATCH` when the policy of the volume requires
 *   a key that is not given
 */
export function demandOf({ environment }: Mounted, options: ContextOptions): Demand {
  const { context } = options;
  if (context !== undefined) encodeContext(context);
  const missing = environment.keyring.policy.requireContext.find(
    (key) => context === undefined || !Object.hasOwn(context, key),
  );
  if (missing !== undefined) {
    const name = JSON.stringify(missing);
    throw new VolsealError('ERR_VOLSEAL_CONTEXT_MISMATCH', `this volume requires the context key ${name}`, {
      hint: `pass context: { ${name}: … } with every call that reads or writes a file`,
    });
  }
  return { context, exact: optionalBoolean('exactContext', options.exactContext) };
}
