/** The logs of fsx, each under two kinds of volume. All kinds are in fsx.long.test.ts. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { scratch } from '../../sealed/scratch.ts';
import { describeVectors } from '../../shared-vectors.ts';
import { replayLog, type Subject } from './fsx-replay.ts';

const { fresh } = scratch();

const subjects: readonly Subject[] = [
  { segmentBytes: 4_096, reopening: 'as logged' },
  { segmentBytes: 16_384, reopening: 'never', suite: 'xchacha20-poly1305' },
  { segmentBytes: 4_608, reopening: 'as logged', suite: 'xchacha20-poly1305', durability: 'none' },
  { segmentBytes: 4_608, reopening: 'never' },
  { segmentBytes: 16_384, reopening: 'as logged', cacheBytes: 100_000 },
];

describeVectors('fsx', 'fsx logs', (folder) => {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.ops'));
  const cases = logs.flatMap((log, i) =>
    [2 * i, 2 * i + 1].map((which) => ({ log, subject: subjects[which % subjects.length] as Subject })),
  );

  test.each(cases)('$log, $subject', async ({ log, subject }) => {
    await expect(replayLog(join(folder, log), fresh(), subject)).resolves.toBeGreaterThan(1_000);
  });
});
