/** The tarball as a registry gets it: what it holds, and what the package linters say of it. */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { run } from './run.ts';

const consumer = inject('consumer');
const installed = join(consumer, 'node_modules', 'volseal');
const bins = fileURLToPath(new URL('./node_modules/.bin/', import.meta.url));

const publint = (folder: string): ReturnType<typeof run> => run(join(bins, 'publint'), ['run', '--strict', folder]);
const attw = (tarball: string): ReturnType<typeof run> =>
  run(join(bins, 'attw'), ['--profile', 'esm-only', '--no-color', '--no-emoji', tarball]);

/** A copy of the installed package with its manifest changed, packed again. */
function doctored(name: string, change: (manifest: { exports: Record<string, unknown> }) => void): { folder: string; tarball: string } {
  const folder = join(consumer, name);
  cpSync(installed, folder, { recursive: true });
  const path = join(folder, 'package.json');
  const manifest = JSON.parse(readFileSync(path, 'utf8')) as { exports: Record<string, unknown> };
  change(manifest);
  writeFileSync(path, JSON.stringify(manifest));
  const packed = run('npm', ['pack', '--silent', '--ignore-scripts', '--pack-destination', folder], { cwd: folder });
  expect(packed.code).toBe(0);
  return { folder, tarball: join(folder, packed.output.trim().split('\n').at(-1) ?? '') };
}

test('an install is volseal and its declared dependencies', () => {
  const top = readdirSync(join(consumer, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(top.toSorted()).toEqual(['@noble', '@types', 'commander', 'undici-types', 'volseal']);
  expect(readdirSync(join(consumer, 'node_modules', '@noble'))).toEqual(['ciphers']);
  expect(existsSync(join(installed, 'node_modules'))).toBe(false);
});

test('it holds the build, the format documents and four files', () => {
  expect(readdirSync(installed).toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json']);
  expect(readdirSync(join(installed, 'docs'))).toEqual(['format']);
  expect(statSync(join(installed, 'dist/cli/bin.js')).mode & 0o111).toBe(0o111);
});

test('publint finds nothing, and would', () => {
  const clean = publint(installed);
  expect(clean.output).toContain('All good!');
  expect(clean.code).toBe(0);
  const { folder } = doctored('publint-broken', ({ exports }) => (exports['./floe'] = './dist/nothing.js'));
  expect(publint(folder).code).toBe(1);
});

test('the types are right for every import of an ES module, and a wrong one would be found', () => {
  const clean = attw(inject('tarball'));
  expect(clean.output).toContain('No problems found');
  expect(clean.code).toBe(0);
  const { folder, tarball } = doctored('attw-broken', () => {});
  rmSync(join(folder, 'dist/floe/index.d.ts'));
  expect(attw(tarball).code).toBe(0);
  const repacked = run('npm', ['pack', '--silent', '--ignore-scripts'], { cwd: folder });
  expect(repacked.code).toBe(0);
  expect(attw(tarball).code).toBe(1);
});

test('the installed program runs', () => {
  const program = join(consumer, 'node_modules', '.bin', 'volseal');
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as { version: string };
  expect(run(program, ['--version'])).toEqual({ code: 0, output: `${version}\n` });
  const help = run(program, ['--help']);
  expect(help.code).toBe(0);
  for (const command of ['keygen', 'encrypt', 'decrypt', 'cat', 'inspect', 'speed']) expect(help.output).toContain(command);
});
