/** Published test vectors beside the repository, where somebody has put them; without them their tests are skipped. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

/** Runs `tests` with the path of a vector folder, or says in one line that they are skipped. */
export function describeVectors(folder: string, what: string, tests: (path: string) => void): void {
  const path = fileURLToPath(new URL(`../../shared/vectors/${folder}/`, import.meta.url));
  const here = existsSync(path);
  if (!here) console.warn(`skipped: ${what} (no ../shared/vectors/${folder})`);
  describe.skipIf(!here)(what, () => {
    test('the vectors are here', () => expect(here).toBe(true));
    if (here) tests(path);
  });
}
