/** A plan of a rotation, for people. */

import type { RotationPlan } from '../../rotate/report-types.ts';
import { count, formatBytes, formatDuration, printable } from '../printable.ts';

export function* planLines(planned: RotationPlan): Generator<string> {
  const { bytes, command, estimatedSeconds, files, filesPerSecond, steps, syncs, totalFiles } = planned;
  for (const { detail, done, step } of steps)
    yield `${printable(step).padEnd(12)}${(done ? 'is so' : 'due').padEnd(8)}${printable(detail)}`;
  yield `${'files'.padEnd(12)}${files.toLocaleString('en-US')} of ${count(totalFiles, 'file')}, ${formatBytes(bytes)} of headers, ${count(syncs, 'sync')}`;
  yield `${'time'.padEnd(12)}about ${formatDuration(estimatedSeconds)} at ${Math.round(filesPerSecond).toLocaleString('en-US')} files/s`;
  yield `${'next'.padEnd(12)}${printable(command)}`;
}
