/** Before any test: dist is what src says, for the tests that run the command line and the examples. */

import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export function setup(): void {
  const build = fileURLToPath(new URL('../tools/build.mjs', import.meta.url));
  const { status } = spawnSync(process.execPath, [build, '--if-stale'], { stdio: 'inherit' });
  if (status === 0) return;
  // `npm test` has refused such a source before it comes here; a run of single tests while one edits may go on.
  process.stderr.write(
    'src does not compile: tests that run the command line or the examples use the last build\n',
  );
}
