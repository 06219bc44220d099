/** Each script of ./scripts, against the built program. `VOLSEAL_TEST_NODE` names another Node to run it with. */

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { runScript } from './script.ts';

const folder = fileURLToPath(new URL('./scripts/', import.meta.url));

describe.concurrent('scripts', () => {
  for (const name of readdirSync(folder).toSorted()) {
    test(name, { timeout: 240_000 }, async () => {
      expect(await runScript(name, readFileSync(`${folder}${name}`, 'utf8'))).toBeGreaterThan(3);
    });
  }
});
