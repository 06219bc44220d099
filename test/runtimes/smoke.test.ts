/** The installed package on every runtime: each does the same job, and opens what the others sealed. */

import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { run, withSecret } from '../package/run.ts';
import { bun, deno, nodes, type Runtime } from './runtimes.mjs';

const consumer = inject('consumer');
const samples = join(consumer, 'samples');
mkdirSync(samples, { recursive: true });
copyFileSync(fileURLToPath(new URL('./smoke.mjs', import.meta.url)), join(consumer, 'smoke.mjs'));
writeFileSync(
  join(consumer, 'require.cjs'),
  `const { encrypt, decrypt } = require('volseal');
const { flySecrets } = require('volseal/kms');
const { sealedBytes } = require('volseal/floe');
const { testKeys } = require('volseal/testing');
const keys = flySecrets();
encrypt(Buffer.from('from CommonJS'), { keys: [keys, testKeys()] })
  .then((sealed) => decrypt(sealed, { keys }))
  .then((plain) => console.log(Buffer.from(plain).toString(), typeof sealedBytes));`,
);

const samplesPerRuntime = 12;
const env = { ...withSecret, DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };

function smoke(
  { name, program }: Runtime,
  ...flags: string[]
): { chachaOfRuntime: boolean; opened: string[] } {
  const { code, output } = run(program, [...flags, 'smoke.mjs', samples, name], { cwd: consumer, env });
  expect(code, output).toBe(0);
  return JSON.parse(output) as { chachaOfRuntime: boolean; opened: string[] };
}

/** Bun has no chacha20-poly1305 of its own: there the suite runs on @noble/ciphers. */
const everyRuntime: [Runtime, boolean, ...string[]][] = [
  ...nodes.map((node): [Runtime, boolean] => [node, true]),
  [bun, false],
  [deno, true, 'run', '--allow-all'],
];

test.each(everyRuntime.map(([runtime, ...rest], place) => [runtime.name, runtime, place, ...rest] as const))(
  '%s does the job',
  (_name, runtime, place, chachaOfRuntime, ...flags) => {
    const done = smoke(runtime, ...flags);
    expect(done.chachaOfRuntime).toBe(chachaOfRuntime);
    expect(done.opened).toHaveLength((place + 1) * samplesPerRuntime);
  },
);

test('each has opened what the others sealed', () => {
  for (const [runtime, , ...flags] of everyRuntime) {
    expect(smoke(runtime, ...flags).opened).toHaveLength(everyRuntime.length * samplesPerRuntime);
  }
});

test.each(nodes)('$name loads it by require', ({ program }) => {
  const { code, output } = run(program, ['require.cjs'], { cwd: consumer, env });
  expect(output).toBe('from CommonJS function\n');
  expect(code).toBe(0);
});
