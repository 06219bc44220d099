/**
 * Makes dist from src: tsc checks the types and writes the declarations, esbuild joins the modules into one file for each
 * entry point and what they share. As one file for each of its seventy modules the library took 67 ms to import, joined it takes
 * 25 (docs/benchmarks.md). Nothing is minified: the joined files say where each part comes from. The old dist is replaced only by a whole new one, so that a file whose source is gone
 * does not stay behind and a program that runs from dist meanwhile never meets half of it.
 *
 * `--if-stale` compiles only where a source is newer than the last build.
 */

import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, renameSync, rmSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = join(root, 'dist');
const fresh = `${dist}.${process.pid}.new`;
const builtFrom = ['tsconfig.json', 'tsconfig.build.json', 'package.json'];

/** Newest change among the sources, folders included: a removed file changes its folder. */
function newestSourceMs() {
  const src = join(root, 'src');
  const inSrc = readdirSync(src, { recursive: true }).map((name) => join(src, name));
  return Math.max(
    ...[src, ...inSrc, ...builtFrom.map((name) => join(root, name))].map((path) => statSync(path).mtimeMs),
  );
}

/** What entry points share is in files of its own: an error or a key is of the same class whichever it came through. */
function bundle(entryPoints, chunkFolder) {
  return build({
    absWorkingDir: root,
    entryPoints: entryPoints.map((name) => `src/${name}.ts`),
    outbase: 'src',
    outdir: fresh,
    chunkNames: `${chunkFolder}/[name]-[hash]`,
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    charset: 'utf8',
    logLevel: 'warning',
  });
}

const startedMs = Date.now();
const stale = !existsSync(dist) || newestSourceMs() >= statSync(dist).mtimeMs;
if (stale || !process.argv.includes('--if-stale')) {
  const old = `${dist}.${process.pid}.old`;
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const { status } = spawnSync(
    process.execPath,
    [tsc, '-p', join(root, 'tsconfig.build.json'), '--outDir', fresh],
    { stdio: 'inherit' },
  );
  if (status !== 0) {
    rmSync(fresh, { recursive: true, force: true });
    process.exit(status ?? 1);
  }
  await bundle(['index', 'floe/index', 'kms/index', 'rotate/index', 'testing'], 'shared');
  // A program of its own, that shares nothing at run time with what an application imports.
  await bundle(['cli/bin'], 'cli');
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
