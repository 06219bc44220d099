/** Packs volseal as a publisher does and installs the tarball in a folder outside the repository, as a user does. */

import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** A folder with a package.json of its own, in whose node_modules the packed volseal is installed. */
    consumer: string;
    tarball: string;
  }
}

const root = fileURLToPath(new URL('../../', import.meta.url));
// npm hands its settings to its scripts by environment; the npm started here is to be a user's own.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')));

export function setup(project: TestProject): () => void {
  const consumer = mkdtempSync(join(tmpdir(), 'volseal-consumer-'));
  execFileSync('npm', ['pack', '--silent', '--pack-destination', consumer], { cwd: root, env, stdio: 'inherit' });
  const tarball = readdirSync(consumer).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack left no tarball');

  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const packages = [`./${tarball}`, `@types/node@${devDependencies['@types/node']}`];
  execFileSync('npm', ['install', '--silent', '--no-audit', ...packages], { cwd: consumer, env, stdio: 'inherit' });

  project.provide('consumer', consumer);
  project.provide('tarball', join(consumer, tarball));
  return () => rmSync(consumer, { recursive: true, force: true });
}
