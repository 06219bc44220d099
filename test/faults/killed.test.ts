/**
 * A process that is killed while it writes: the destination is the old one or the new one, whole. What may stay behind is
 * a temporary file, `.volseal-*.tmp` beside the destination: nobody is left to remove it, and docs/compatibility.md says so.
 */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

import { decrypt, encrypt } from '../../src/index.ts';
import { plainOf, sha256 } from '../sealed/plain.ts';
import { scratch } from '../sealed/scratch.ts';
import { keys } from '../sealed/streams/transforms.ts';

const { at } = scratch();
const library = new URL('../../dist/', import.meta.url).href;
const first = plainOf(6_000_000, 'first');
const second = plainOf(5_000_000, 'second');
writeFileSync(at('first'), first);
writeFileSync(at('second'), second);
writeFileSync(at('first.vsl'), await encrypt(first, { keys }));
writeFileSync(at('second.vsl'), await encrypt(second, { keys }));

/** Replaces the destination by the one and the other for ever, and says when it has begun. */
const program = (operation: 'encryptFile' | 'decryptFile', destination: string): string => `
  import { ${operation} } from '${library}index.js';
  import { testKeys } from '${library}testing.js';
  const keys = testKeys();
  const suffix = ${JSON.stringify(operation === 'decryptFile' ? '.vsl' : '')};
  for (let i = 0; ; i++) {
    await ${operation}(${JSON.stringify(at('x').slice(0, -1))} + (i % 2 === 0 ? 'second' : 'first') + suffix, ${JSON.stringify(destination)}, {
      keys,
      onProgress({ doneBytes }) { if (i === 0 && doneBytes > 0) process.stdout.write('.'); },
    });
  }`;

test.each(['encryptFile', 'decryptFile'] as const)(
  '%s',
  async (operation) => {
    const folder = at(operation);
    mkdirSync(folder);
    const destination = join(folder, 'file');
    const whole = new Set([sha256(first), sha256(second)]);
    const content = async (): Promise<string> => {
      const bytes = readFileSync(destination);
      return sha256(operation === 'decryptFile' ? bytes : await decrypt(bytes, { keys }));
    };
    writeFileSync(destination, operation === 'decryptFile' ? first : readFileSync(at('first.vsl')));
    let residues = 0;
    for (let round = 0; round < 8; round++) {
      const child = spawn(
        process.execPath,
        ['--input-type=module', '--eval', program(operation, destination)],
        {
          stdio: ['ignore', 'pipe', 'inherit'],
        },
      );
      await Promise.race([
        once(child.stdout, 'data'),
        once(child, 'exit').then(() => expect.unreachable('the child ended by itself')),
      ]);
      await new Promise((resolve) => setTimeout(resolve, (round * 11) % 45));
      child.kill('SIGKILL');
      const [, signal] = (await once(child, 'exit')) as [number | null, string | null];
      expect(signal).toBe('SIGKILL');
      expect(whole).toContain(await content());
      const residue = readdirSync(folder).filter((name) => name !== 'file');
      for (const name of residue) {
        expect(name).toMatch(/^\.volseal-[0-9a-f]{16}\.tmp$/);
        unlinkSync(join(folder, name));
      }
      residues += residue.length;
    }
    // Otherwise no kill came while a file was being written, and nothing was tested.
    expect(residues).toBeGreaterThan(0);
  },
  60_000,
);
