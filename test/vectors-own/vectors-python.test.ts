/** The same vectors through the Python program, which shares nothing with src but the document. */

import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, it } from 'vitest';

import { sealedOf, sha256, type Vector } from './vector.ts';

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const python = '/usr/bin/python3';
const canRun = spawnSync(python, ['-c', 'import cryptography']).status === 0;
if (!canRun) console.warn(`skipped: vectors through Python (no ${python} with the package cryptography)`);

interface Result {
  readonly exit: number;
  readonly said: string;
}

describe.skipIf(!canRun)('volseal.py', () => {
  it('comes to the verdict of every vector that its options can express', { timeout: 60_000 }, () => {
    const directory = mkdtempSync(join(tmpdir(), 'volseal-vectors-'));
    try {
      const vectors = readdirSync(here('files/'))
        .map((file) => ({
          name: file,
          vector: JSON.parse(readFileSync(here(`files/${file}`), 'utf8')) as Vector,
        }))
        // It has no way to demand that there be no further pairs.
        .filter(({ vector }) => vector.options?.exactContext !== true || vector.expect === 'success');
      const jobs = vectors.map(({ name, vector }) => {
        const sealed = join(directory, name);
        writeFileSync(sealed, sealedOf(vector));
        return {
          sealed,
          plain: `${sealed}.plain`,
          secrets: vector.secrets,
          context: vector.options?.context ?? {},
        };
      });
      const { stdout, stderr } = spawnSync(python, [here('run_python.py')], {
        input: JSON.stringify(jobs),
        maxBuffer: 2 ** 26,
        encoding: 'utf8',
        env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' },
      });
      expect(stdout, stderr).not.toBe('');
      const results = JSON.parse(stdout) as Result[];
      const verdicts = results.map(({ exit, said }) =>
        exit === 0 ? 'success' : (/ERR_[A-Z_]+/.exec(said)?.[0] ?? said),
      );
      expect(Object.fromEntries(vectors.map(({ name }, i) => [name, verdicts[i]]))).toEqual(
        Object.fromEntries(vectors.map(({ name, vector }) => [name, vector.expect])),
      );
      for (const [i, { vector, name }] of vectors.entries()) {
        const { plain } = jobs[i] as { plain: string };
        const left = existsSync(plain) ? sha256(readFileSync(plain)) : undefined;
        expect(left, name).toBe(vector.expect === 'success' ? vector.releases.at(-1)?.sha256 : undefined);
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
