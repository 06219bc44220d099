/** Gives a new recovery key out: once, alone on standard output. */

import { VolsealError } from '../../errors.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';

/**
 * Writes the key and waits until it is written: what cannot be read by anyone must not be taken for a recovery key.
 * @param document what a program gets; it has the key as a member
 * @param lines what people are told beside it
 * @throws VolsealError `ERR_VOLSEAL_IO`
 */
export async function showRecoveryKey(
  io: Io,
  reporter: Reporter,
  recoveryKey: string,
  document: object,
  lines: readonly string[],
): Promise<void> {
  const text = reporter.json ? JSON.stringify(document) : recoveryKey;
  await new Promise<void>((resolve, reject) => {
    io.stdout.write(`${text}\n`, (error) => {
      if (error === null || error === undefined) resolve();
      else reject(notShown(error));
    });
  });
  if (reporter.json || reporter.quiet) return;
  for (const line of lines) io.stderr.write(`${line}\n`);
  if (io.stdout.isTTY === true)
    io.stderr.write('It is on this screen now: clear it when you have written the key down.\n');
}

function notShown(cause: Error): VolsealError {
  return new VolsealError(
    'ERR_VOLSEAL_IO',
    'standard output: the recovery key could not be written, so nobody has it',
    {
      hint: 'the volume is there and opens with its secret; make another key: volseal recovery create --force',
      cause,
    },
  );
}

/** What to do with a recovery key, for people. */
export const recoveryAdvice: readonly string[] = [
  'The line on standard output is the recovery key. It opens the volume on the day when the secret is lost, for Fly does not',
  'show a secret again. It is stored nowhere and never shown again: write it down or keep it in a password manager, away from',
  'Fly. Test what you kept: volseal recovery test',
];
