/** What must be there before the first case: dist, and the rivals. */

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export function buildWhenStale(root) {
  const build = fileURLToPath(new URL('tools/build.mjs', root));
  execFileSync(process.execPath, [build, '--if-stale'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** The rivals live in their own package, which is installed when it is first wanted. */
export function installRivals(bench, say) {
  if (existsSync(new URL('node_modules/.package-lock.json', bench))) return;
  say('installing the rivals (npm ci in bench/)');
  execFileSync('npm', ['ci', '--no-audit', '--no-fund'], {
    cwd: fileURLToPath(bench),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}
