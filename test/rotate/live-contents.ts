/** What the app writes whose keys are rotated, and which secrets it has. */

import { createHash } from 'node:crypto';

import { flySecrets } from '../../src/kms/fly-secrets.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';

export const namesInTurn = 20;

const labels = ['a', 'b'] as const;

/** All that are set, on every Machine. */
export const liveEnv: Readonly<Record<string, string>> = Object.fromEntries(
  labels.map((label) => [
    `VOLSEAL_SECRET_${label}`,
    createHash('sha256').update(`live rotation, never for real data: ${label}`).digest('hex'),
  ]),
);

export function liveKeys(): KeyProvider {
  return flySecrets({ env: { ...liveEnv }, primary: labels[0] });
}

/** The one secret, and no other. */
export function onlyKey(label: string): KeyProvider {
  const name = `VOLSEAL_SECRET_${label}`;
  return flySecrets({ env: { [name]: liveEnv[name] } });
}

export function otherLabel(label: string): string {
  return label === labels[0] ? labels[1] : labels[0];
}

export function wholeOf(number: number): string {
  return `${number}`.padStart(6_000, '.');
}
