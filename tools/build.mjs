/**
 * Compiles src to dist. The old dist is replaced only by a whole new one, so that a file whose source is gone
 * does not stay behind and a program that runs from dist meanwhile never meets half of it.
 *
 * `--if-stale` compiles only where a source is newer than the last build.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const builtFrom = ['tsconfig.json', 'tsconfig.build.json', 'package.json'];

/** Newest change among the sources, folders included: a removed file changes its folder. */
function newestSourceMs() {
  const src = join(root, 'src');
  const inSrc = readdirSync(src, { recursive: true }).map((name) => join(src, name));
  return Math.max(...[src, ...inSrc, ...builtFrom.map((name) => join(root, name))].map((path) => statSync(path).mtimeMs));
}

const startedMs = Date.now();
const stale = !existsSync(dist) || newestSourceMs() >= statSync(dist).mtimeMs;
if (stale || !process.argv.includes('--if-stale')) {
  const fresh = `${dist}.${process.pid}.new`;
  const old = `${dist}.${process.pid}.old`;
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh], {
    stdio: 'inherit',
  });
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
  const bin = join(fresh, 'cli', 'bin.js');
  if (existsSync(bin)) chmodSync(bin, 0o755);
  // A source changed while the compiler ran must count as newer than this build.
  utimesSync(fresh, new Date(startedMs), new Date(startedMs));
  try {
    if (existsSync(dist)) renameSync(dist, old);
    renameSync(fresh, dist);
  } catch (error) {
    // Another build of the same sources came first (two test runs started together): its result stands.
    if (error.code !== 'ENOENT' && error.code !== 'ENOTEMPTY') throw error;
    rmSync(fresh, { recursive: true, force: true });
  }
  rmSync(old, { recursive: true, force: true });
}
