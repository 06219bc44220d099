/** The logs of fsx under every kind of volume. */

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { scratch } from '../../sealed/scratch.ts';
import { describeVectors } from '../../shared-vectors.ts';
import { replayLog, type Subject } from './fsx-replay.ts';

const { fresh } = scratch();

const subjects = (['aes-256-gcm', 'xchacha20-poly1305'] as const).flatMap((suite) =>
  [4_096, 4_608, 16_384].flatMap((segmentBytes) =>
    (['sync', 'none'] as const).flatMap((durability) =>
      (['as logged', 'never'] as const).map(
        (reopening): Subject => ({ suite, segmentBytes, durability, reopening }),
      ),
    ),
  ),
);

describeVectors('fsx', 'fsx logs', (folder) => {
  const logs = readdirSync(folder).filter((name) => name.endsWith('.ops'));
  const cases = logs.flatMap((log) => subjects.map((subject) => ({ log, subject })));

  test.each(cases)('$log, $subject', async ({ log, subject }) => {
    await expect(replayLog(join(folder, log), fresh(), subject)).resolves.toBeGreaterThan(1_000);
  });
});
