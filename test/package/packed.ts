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
  const remove = (): void => rmSync(consumer, { recursive: true, force: true });
  try {
    project.provide('consumer', consumer);
    project.provide('tarball', packAndInstall(consumer));
  } catch (error) {
    remove();
    throw error;
  }
  return remove;
}

function packAndInstall(consumer: string): string {
  const npm = (args: readonly string[], cwd: string): void => {
    execFileSync('npm', args, { cwd, env, stdio: 'inherit' });
  };
  npm(['pack', '--silent', '--pack-destination', consumer], root);
  const tarball = readdirSync(consumer).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack left no tarball');

  const { devDependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  writeFileSync(join(consumer, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  const types = `@types/node@${devDependencies['@types/node']}`;
  npm(['install', '--silent', '--no-audit', `./${tarball}`, types], consumer);
  return join(consumer, tarball);
}
