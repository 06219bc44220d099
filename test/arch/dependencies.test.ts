/** What an install of volseal brings: exactly the declared packages, none of them native, none with a script. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

/** The whole list, each package with its reason. A change here is a decision for every user. */
const runtimePackages = [
  '@noble/ciphers', // HChaCha20, and the cipher where the runtime lacks it
  'commander', // the command line
];

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Manifest {
  readonly [field: string]: unknown;
  readonly dependencies?: Record<string, string>;
  readonly scripts?: Record<string, string>;
}

const manifestAt = (folder: string): Manifest =>
  JSON.parse(readFileSync(`${root}${folder}package.json`, 'utf8')) as Manifest;
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare'];

test('the run-time dependencies are the list, at exact versions', () => {
  const own = manifestAt('');
  expect(Object.keys(own.dependencies ?? {}).toSorted()).toEqual(runtimePackages);
  for (const version of Object.values(own.dependencies ?? {})) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
  for (const field of [
    'optionalDependencies',
    'peerDependencies',
    'bundleDependencies',
    'bundledDependencies',
  ]) {
    expect(own[field]).toBeUndefined();
  }
});

test('the package itself runs nothing at install', () => {
  const scripts = Object.keys(manifestAt('').scripts ?? {});
  expect(scripts.filter((name) => installScripts.includes(name))).toEqual([]);
});

test.each(runtimePackages)('%s brings no package, no native code and no install script', (name) => {
  const folder = `node_modules/${name}/`;
  const manifest = manifestAt(folder);
  expect(manifest.dependencies ?? {}).toEqual({});
  expect(manifest['optionalDependencies'] ?? {}).toEqual({});
  expect(manifest['gypfile']).toBeUndefined();
  expect(installScripts.slice(0, 3).filter((script) => script in (manifest.scripts ?? {}))).toEqual([]);
  expect(existsSync(`${root}${folder}binding.gyp`)).toBe(false);
  const files = readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' });
  expect(files.length).toBeGreaterThan(5);
  expect(files.filter((file) => /\.(node|wasm|so|dll|dylib)$/.test(file))).toEqual([]);
});

test('the lock file agrees: only these are installed for a user', () => {
  const lock = JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
    packages: Record<string, { dev?: boolean; devOptional?: boolean; hasInstallScript?: boolean }>;
  };
  const forUsers = Object.entries(lock.packages).filter(([path, entry]) => path !== '' && entry.dev !== true);
  expect(forUsers.map(([path]) => path.replace('node_modules/', '')).toSorted()).toEqual(runtimePackages);
  expect(forUsers.filter(([, entry]) => entry.hasInstallScript)).toEqual([]);
});

test('the packed package holds the build, the format documents and four files', () => {
  const packed = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: root,
    encoding: 'utf8',
  });
  const [{ files }] = JSON.parse(packed) as [{ files: { path: string }[] }];
  const paths = files.map(({ path }) => path);
  const outside = paths.filter(
    (path) => !/^dist\/.+\.(js|d\.ts)$/.test(path) && !/^docs\/format\/.+\.md$/.test(path),
  );
  expect(outside.toSorted()).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'package.json']);
  expect(paths).toContain('docs/format/v1.md');
  for (const target of exportTargets(manifestAt(''))) expect(paths).toContain(target);
});

/** Every file that `exports` and `bin` name. */
function exportTargets(manifest: Manifest): string[] {
  const targets: string[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === 'string') targets.push(value.replace('./', ''));
    else Object.values(value as object).forEach(walk);
  };
  walk([manifest['exports'], manifest['bin']]);
  return targets;
}
