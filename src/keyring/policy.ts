/** The policy of a new volume. */

import { suites } from '../aead/registry.ts';
import { utf8 } from '../bytes.ts';
import {
  defaultSegmentBytes,
  envelopeSegmentStepBytes,
  isEnvelopeSegmentBytes,
  maxContextKeyBytes,
  maxContextPairs,
  maxSegmentBytes,
  minEnvelopeSegmentBytes,
} from '../limits.ts';
import { checkOptions, invalidArgument } from '../options.ts';
import type { VolumePolicy } from './content.ts';

const defaults: VolumePolicy = {
  suite: 'aes-256-gcm',
  segmentBytes: 16_384,
  writeOnceSegmentBytes: defaultSegmentBytes,
  requireContext: [],
};

/**
 * What was given, and defaults for the rest.
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT`, `ERR_VOLSEAL_UNKNOWN_OPTION`
 */
export function completePolicy(given: Partial<VolumePolicy> = {}): VolumePolicy {
  checkOptions('policy', given, Object.keys(defaults));
  const policy: VolumePolicy = {
    suite: given.suite ?? defaults.suite,
    segmentBytes: given.segmentBytes ?? defaults.segmentBytes,
    writeOnceSegmentBytes: given.writeOnceSegmentBytes ?? defaults.writeOnceSegmentBytes,
    requireContext: [...(given.requireContext ?? defaults.requireContext)],
  };
  if (!suites.includes(policy.suite)) {
    throw invalidArgument(`policy.suite must be one of ${suites.join(', ')}`);
  }
  for (const name of ['segmentBytes', 'writeOnceSegmentBytes'] as const) {
    if (isEnvelopeSegmentBytes(policy[name])) continue;
    throw invalidArgument(
      `policy.${name} must be a multiple of ${envelopeSegmentStepBytes} from ${minEnvelopeSegmentBytes} to ${maxSegmentBytes}`,
    );
  }
  checkContextKeys(policy.requireContext);
  return policy;
}

function checkContextKeys(keys: readonly unknown[]): void {
  const areKeys = keys.every((key) => {
    return (
      typeof key === 'string' && key.isWellFormed() && key !== '' && utf8(key).length <= maxContextKeyBytes
    );
  });
  if (areKeys && keys.length <= maxContextPairs && new Set(keys).size === keys.length) return;
  throw invalidArgument(
    `policy.requireContext must be at most ${maxContextPairs} different context keys of 1 to ${maxContextKeyBytes} bytes`,
  );
}
