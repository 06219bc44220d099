/** `volseal keygen`: a new secret. */

import { VolsealError } from '../../errors.ts';
import { flySecrets } from '../../kms/fly-secrets.ts';
import { generateSecret } from '../../kms/secret-value.ts';
import { invalidArgument } from '../../options.ts';
import { exitCodes } from '../exit-codes.ts';
import type { Io } from '../io.ts';
import type { Reporter } from '../report.ts';

export interface KeygenOptions {
  readonly label: string;
  /** As a line of a .env file. */
  readonly env: boolean;
}

const labelPattern = /^(?!FILE_)[A-Za-z0-9_]{1,32}$/;

export async function keygen(io: Io, reporter: Reporter, { label, env }: KeygenOptions): Promise<number> {
  if (!labelPattern.test(label)) {
    throw invalidArgument(
      `${JSON.stringify(label)} is not a label`,
      'labels have 1 to 32 letters, digits and underscores and do not begin with FILE_, for example v1',
    );
  }
  const variable = `VOLSEAL_SECRET_${label}`;
  const secret = generateSecret();
  const keyId = await keyIdOf(variable, secret);
  const command = `fly secrets set ${variable}=-`;
  if (reporter.json) {
    reporter.document({ label, variable, secret, keyId, command });
    return exitCodes.done;
  }
  reporter.print(env ? `${variable}=${secret}` : secret);
  if (reporter.quiet) return exitCodes.done;
  const lines = env ? envAdvice(variable, keyId) : advice(label, command, keyId, io.stdout.isTTY === true);
  for (const line of lines) io.stderr.write(`${line}\n`);
  return exitCodes.done;
}

/** Reads the secret as the app will: what is printed works. */
async function keyIdOf(variable: string, secret: string): Promise<string> {
  const provider = flySecrets({ env: { [variable]: secret } });
  const { primary } = await provider.describe();
  provider.close?.();
  if (primary !== '') return primary;
  throw new VolsealError('ERR_VOLSEAL_INTERNAL', 'internal error: a new secret has no key id');
}

function advice(label: string, command: string, keyId: string, shown: boolean): string[] {
  const lines = [
    `New secret, label ${label}, key id ${keyId}.`,
    'It goes into the standard input of this command, never into the command itself:',
    command,
    `In one go:  volseal keygen --label ${label} | ${command} -a APP`,
    'Keep a copy outside of Fly, for example in a password manager: without the secret the data is lost.',
  ];
  if (shown) lines.push('It is on this screen now: clear it when you have taken the secret from it.');
  return lines;
}

function envAdvice(variable: string, keyId: string): string[] {
  return [
    `A line for a local .env file, key id ${keyId}. Keep that file out of git; production has a ${variable} of its own.`,
  ];
}
