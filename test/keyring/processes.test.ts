/** Several processes that change one keyring, and one that reads it all the while. */

import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { expect, test } from 'vitest';
import { testKeys } from '../../src/testing.ts';
import { makeKeyring, newRoot, openElsewhere, previousIn, storedIn } from './scratch.ts';
import { referencePayload } from '../reference/keyring.ts';

const times = 8;

test('each change of each process is there, in one order; who reads meanwhile always finds a keyring', async () => {
  const bundle = join(newRoot(), 'child.mjs');
  buildSync({
    entryPoints: [fileURLToPath(new URL('changing-child.ts', import.meta.url))],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    format: 'esm',
    logLevel: 'error',
  });
  const { directory, keyring } = await makeKeyring({ providers: [testKeys()] });
  let running = 3;
  const children = Array.from({ length: 3 }, async () => {
    const child = spawn(process.execPath, [bundle, directory, String(times)], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    running -= 1;
    expect(err).toBe('');
    return out.trim().split('\n').map(Number);
  });
  const reader = await openElsewhere(directory, { providers: [testKeys()] });
  let reads = 0;
  while (running > 0) {
    const before = reader.generation;
    await reader.refresh();
    expect(reader.generation).toBeGreaterThanOrEqual(before);
    (await openElsewhere(directory, { providers: [testKeys()] })).close();
    reads += 1;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const versions = await Promise.all(children);
  const all = versions.flat().toSorted((a, b) => a - b);
  expect(all).toEqual(Array.from({ length: 3 * times }, (_, i) => i + 2));
  for (const own of versions) expect(own).toEqual(own.toSorted((a, b) => a - b));
  await keyring.refresh();
  await reader.refresh();
  expect([keyring.generation, reader.generation]).toEqual([1 + 3 * times, 1 + 3 * times]);
  expect(referencePayload(previousIn(directory)).generation).toBe(3 * times);
  expect(referencePayload(storedIn(directory)).volumeKeys).toHaveLength(1 + 3 * times);
  expect(reads).toBeGreaterThan(0);
});
