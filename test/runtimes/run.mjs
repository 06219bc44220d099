/**
 * Runs what can depend on the runtime on each Node of this folder: `node run.mjs [node22 …]`. Unit tests, vectors, golden
 * files and the command line; the whole suite runs on the Node of `npm test`.
 */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { nodes } from './runtimes.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const folders = ['test/unit', 'test/vectors-own', 'test/compat', 'test/cli'];
const suite = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', ...folders];
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !nodes.some((node) => node.name === name));
if (unknown.length > 0) throw new Error(`no such runtime: ${unknown.join(', ')}`);

const failed = [];
for (const { name, program } of nodes) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const version = spawnSync(program, ['--version'], { encoding: 'utf8' }).stdout?.trim();
  if (!version?.startsWith(`v${name.slice(4)}.`))
    throw new Error(`${program} is not ${name}: npm ci --prefix test/runtimes`);
  console.log(`\n${folders.join(', ')} on Node ${version}`);
  const { status } = spawnSync(program, suite, { cwd: root, stdio: 'inherit' });
  if (status !== 0) failed.push(version);
}
if (failed.length > 0) {
  console.error(`tests failed on ${failed.join(', ')}`);
  process.exitCode = 1;
}
