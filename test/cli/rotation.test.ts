/** Long runs of the commands for rotation: interrupted and taken up again, one at a time, watched. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { initVolume, openVolume } from '../../src/fs/volume/entry.ts';
import { flySecrets } from '../../src/kms/fly-secrets.ts';
import { interruptedBy, runMain } from './in-process.ts';
import { secretFor } from './script.ts';

const scratch = mkdtempSync(join(tmpdir(), 'volseal-cli-rotation-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const keys = flySecrets({ env: { VOLSEAL_SECRET_v1: secretFor('v1') } });
const files = 60;
/** One header takes about five operations. */
const slow = ['--max-iops', '100', '--jobs', '1'];
let root: string;

beforeEach(async () => {
  root = mkdtempSync(join(scratch, 'root-'));
  await initVolume(root, { keys });
  const volume = await openVolume(root, { keys });
  for (let i = 0; i < files; i++)
    await volume.writeFile(`file-${String(i).padStart(3, '0')}`, `content of ${i}`);
  await volume.close();
  expect((await runMain(['rotate', 'volume-key', '--volume', root])).code).toBe(0);
});

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

test('an interrupted rewrap says how it goes on, and goes on there', async () => {
  const { controller, interrupt } = interruptedBy('SIGINT', 130);
  const run = runMain(['rewrap', '--volume', root, ...slow], { signal: controller.signal });
  await pause(1_000);
  interrupt();
  const interrupted = await run;
  expect([interrupted.code, interrupted.stdout]).toEqual([130, '']);
  expect(interrupted.stderr).toContain('volseal: interrupted; the same command again goes on where it was');
  const json = await runMain(['rewrap', '--volume', root, '--json']);
  expect(json.code).toBe(0);
  const done = JSON.parse(json.stdout.trim().split('\n').at(-1) as string) as {
    rewrapped: number;
    alreadyCurrent: number;
  };
  expect(done.rewrapped).toBeGreaterThan(0);
  expect(done.rewrapped).toBeLessThan(files);
  expect((await runMain(['audit', '--volume', root])).code).toBe(0);
});

test('two runs do not overlap, and retiring waits as well', async () => {
  const { controller, interrupt } = interruptedBy('SIGTERM', 143);
  const run = runMain(['rewrap', '--volume', root, ...slow], { signal: controller.signal });
  await pause(500);
  for (const args of [['rewrap'], ['retire', 'vk:1']]) {
    const { code, stderr } = await runMain([...args, '--volume', root]);
    expect([code, stderr]).toEqual([9, expect.stringMatching(/^volseal: .*process \d+ is /)]);
    expect(stderr).not.toContain('open for writing');
    expect(stderr).not.toContain('is changing the keyring');
  }
  // To look is not forbidden.
  expect((await runMain(['audit', '--volume', root])).code).toBe(6);
  expect((await runMain(['rewrap', '--dry-run', '--volume', root])).code).toBe(0);
  interrupt();
  expect((await run).code).toBe(143);
});

test('progress is told with rate and ETA, in JSON as events', async () => {
  const { stdout } = await runMain(['rewrap', '--volume', root, '--json', '--max-iops', '120']);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { event: string; [name: string]: unknown });
  expect(events.map(({ event }) => event)).toContain('progress');
  const progress = events.findLast(({ event }) => event === 'progress');
  expect(progress).toMatchObject({
    totalItems: files,
    doneItems: expect.any(Number),
    etaSeconds: expect.any(Number),
  });
  const terminal = await runMain(['audit', '--volume', root, '--max-iops', '60'], { terminals: ['stderr'] });
  expect(terminal.stderr).toMatch(/reading headers {2}\d+ of 60 files {2}\d+ files\/s {2}ETA 0:\d\d/);
  const quiet = await runMain(['audit', '--volume', root, '--max-iops', '60', '--no-progress'], {
    terminals: ['stderr'],
  });
  expect(quiet.stderr).toBe('');
});
