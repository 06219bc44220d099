/** Runs child.mjs and gives what it measured. */

import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

export const kinds = ['node', 'slow-reader', 'web', 'files', 'files-back'] as const;
export type Kind = (typeof kinds)[number];

interface Peak {
  readonly receivedBytes: number;
  readonly peakResidentBytes: number;
  readonly heapBytes: number;
  readonly externalBytes: number;
}

/** With so little heap that anything kept for each segment would end the process. */
async function measure(kind: Kind, mebibytes: number): Promise<Peak> {
  const child = fileURLToPath(new URL('child.mjs', import.meta.url));
  const running = spawn(process.execPath, ['--max-old-space-size=24', child, kind, String(mebibytes)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err] = await Promise.all([text(running.stdout), text(running.stderr)]);
  expect(err).toBe('');
  return JSON.parse(out) as Peak;
}

/**
 * The same bounds for any amount: bare Node takes about 45 MiB, and its collector lets 64 MiB of buffers gather before it
 * looks for them.
 */
export async function expectBounded(kind: Kind, mebibytes: number): Promise<void> {
  const { receivedBytes, peakResidentBytes, heapBytes, externalBytes } = await measure(kind, mebibytes);
  expect(receivedBytes).toBe(mebibytes * 1_048_576);
  expect(heapBytes).toBeLessThan(16_000_000);
  expect(externalBytes).toBeLessThan(100_000_000);
  expect(peakResidentBytes).toBeLessThan(190_000_000);
}
