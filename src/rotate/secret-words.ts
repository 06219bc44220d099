/** What the steps of the rotation of a secret are said to do, and to have done. */

import type { KeyringSlotInfo } from '../keyring/info.ts';
import { isHalfRetired, oldSecrets, type SecretStep, type SecretView } from './secret-steps.ts';

type Words = Readonly<Record<SecretStep, (view: SecretView) => string>>;

const plans: Words = {
  add: ({ label }) => `${label} gets a slot of the keyring`,
  check: ({ label }) => `${label} is on every Machine`,
  promote: ({ label }) => `${label} becomes the primary secret`,
  rewrap: ({ label }) => `both generations of the keyring open with ${label}`,
  retire: (view) => {
    const old = oldSecrets(view);
    if (old.length === 0 && isHalfRetired(view))
      return 'the keyring is written once more, so that the generation before it holds no old secret either';
    const names = [...old, ...view.dropped].map(nameOf);
    const who = names.length === 0 ? 'other secrets' : names.join(', ');
    return `no slot for ${who}; keyring key and primary volume key are drawn anew`;
  },
};

const facts: Words = {
  add: ({ label, target }) => `${label} (key id ${target?.keyId}) opens the volume`,
  check: ({ label, vouched }) => {
    const here = `this Machine opens the volume with ${label}`;
    return vouched === undefined ? here : `${here}; somebody vouched for the others on ${vouched}`;
  },
  promote: ({ label }) => `${label} is the primary secret`,
  rewrap: ({ label }) => `both generations of the keyring open with ${label}`,
  retire: () => 'no other secret opens the volume',
};

function nameOf({ keyId, label, type }: KeyringSlotInfo): string {
  return `${type}:${label ?? keyId}`;
}

/** What a step is to do. */
export function planned(view: SecretView, step: SecretStep): string {
  return plans[step](view);
}

/** What is so once it is done. */
export function truth(view: SecretView, step: SecretStep): string {
  return facts[step](view);
}
