/** Builds dist when it is absent or older than src. */

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

function newestMs(folder) {
  let newest = 0;
  for (const name of readdirSync(folder, { recursive: true })) {
    const stat = statSync(new URL(name.split('\\').join('/'), folder));
    if (stat.isFile()) newest = Math.max(newest, stat.mtimeMs);
  }
  return newest;
}

export function buildWhenStale(root, say) {
  const entry = new URL('dist/index.js', root);
  if (existsSync(entry) && newestMs(new URL('dist/', root)) >= newestMs(new URL('src/', root))) return;
  say('building dist');
  npm(root, ['run', '--silent', 'build']);
}

/** The rivals live in their own package, which is installed when it is first wanted. */
export function installRivals(bench, say) {
  if (existsSync(new URL('node_modules/.package-lock.json', bench))) return;
  say('installing the rivals (npm ci in bench/)');
  npm(bench, ['ci', '--no-audit', '--no-fund']);
}

function npm(folder, args) {
  execFileSync('npm', args, { cwd: fileURLToPath(folder), stdio: ['ignore', 'ignore', 'inherit'] });
}
