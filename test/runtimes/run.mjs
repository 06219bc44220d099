/**
 * Runs the test suite on each Node of this folder: `node run.mjs [node22 …]`. What does not depend on the runtime
 * (the architecture tests) is left out.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodes } from './runtimes.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const suite = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', '--exclude', 'test/arch/**'];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !nodes.some((node) => node.name === name));
if (unknown.length > 0) throw new Error(`no such runtime: ${unknown.join(', ')}`);

const failed = [];
for (const { name, program } of nodes) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (!version?.startsWith(`v${name.slice(4)}.`))
    throw new Error(`${program} is not ${name}: npm ci --prefix test/runtimes`);
  console.log(`\nthe suite on Node ${version}`);
  const { status } = spawnSync(program, suite, { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`the suite failed on ${failed.join(', ')}`);
  process.exitCode = 1;
}
