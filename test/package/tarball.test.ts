/** The tarball as a registry gets it: what it holds, and what the package linters say of it. */

import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, inject, test } from 'vitest';
import { run } from './run.ts';

const consumer = inject('consumer');
const installed = join(consumer, 'node_modules', 'volseal');
const bins = fileURLToPath(new URL('./node_modules/.bin/', import.meta.url));

const publint = (folder: string): ReturnType<typeof run> =>
  run(join(bins, 'publint'), ['run', '--strict', folder]);
const attw = (tarball: string): ReturnType<typeof run> =>
  run(join(bins, 'attw'), ['--profile', 'esm-only', '--no-color', '--no-emoji', tarball]);

/** The installed package after a change for the worse, packed again. */
function worsened(name: string, change: (folder: string) => void): { folder: string; tarball: string } {
  const folder = join(consumer, name);
  cpSync(installed, folder, { recursive: true });
  change(folder);
  const packed = run('npm', ['pack', '--silent', '--ignore-scripts'], { cwd: folder });
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
  expect(readdirSync(installed).toSorted()).toEqual([
    'CHANGELOG.md',
    'LICENSE',
    'README.md',
    'dist',
    'docs',
    'package.json',
  ]);
  expect(readdirSync(join(installed, 'docs'))).toEqual(['format']);
  expect(statSync(join(installed, 'dist/cli/bin.js')).mode & 0o111).toBe(0o111);
});

test('publint finds nothing, and would', () => {
  const clean = publint(installed);
  expect(clean.output).toContain('All good!');
  expect(clean.code).toBe(0);
  const { folder } = worsened('without-floe', (copy) => rmSync(join(copy, 'dist/floe/index.js')));
  expect(publint(folder).code).toBe(1);
});

test('every entry has types for an ES module, and a missing one would be found', () => {
  const clean = attw(inject('tarball'));
  for (const entry of ['volseal', 'volseal/floe', 'volseal/kms', 'volseal/rotate', 'volseal/testing']) {
    expect(clean.output).toMatch(new RegExp(`"${entry}" +│ OK \\(ESM\\) +│ OK `));
  }
  expect(clean.code).toBe(0);
  const { tarball } = worsened('without-types', (copy) => rmSync(join(copy, 'dist/floe/index.d.ts')));
  expect(attw(tarball).code).toBe(1);
});

test('the installed program runs', () => {
  const program = join(consumer, 'node_modules', '.bin', 'volseal');
  const { version } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8')) as {
    version: string;
  };
  expect(run(program, ['--version'])).toEqual({ code: 0, output: `${version}\n` });
  const help = run(program, ['--help']);
  expect(help.code).toBe(0);
  for (const command of ['keygen', 'encrypt', 'decrypt', 'cat', 'inspect', 'speed'])
    expect(help.output).toContain(command);
});
