/** The age program (Go), where it is installed. */

import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';

import { identityFile } from './age-encryption.mjs';
import { UnavailableError } from './keys.mjs';

const run = promisify(execFile);

export const ageProgram = {
  title: 'age (program)',
  /** Its CPU seconds and memory are another process's. */
  foreign: true,
  async files(_params, { directory }) {
    try {
      execFileSync('age', ['--version'], { stdio: 'ignore' });
    } catch {
      throw new UnavailableError('the age program is not installed');
    }
    const identity = await identityFile(directory);
    const { identityToRecipient } = await import('age-encryption');
    const recipient = await identityToRecipient(readFileSync(identity, 'utf8').trim());
    return {
      encrypt: (source, destination) => run('age', ['-e', '-r', recipient, '-o', destination, source]),
      decrypt: (source, destination) => run('age', ['-d', '-i', identity, '-o', destination, source]),
    };
  },
};
