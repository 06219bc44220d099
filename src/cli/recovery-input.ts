/** Where a recovery key comes from: never from the command line, where others would see it. */

import { readFile } from 'node:fs/promises';

import { VolsealError } from '../errors.ts';
import { throwIfAborted } from '../options.ts';
import { untilAborted } from '../stream/follow-signal.ts';
import { fromSystemError } from '../system-error.ts';
import type { InputStream, Io } from './io.ts';

const variable = 'VOLSEAL_RECOVERY_KEY';
const fileVariable = 'VOLSEAL_RECOVERY_KEY_FILE';
const prompt = 'Recovery key (not shown): ';
/** Far more than any spelling of a key has. */
const mostCharacters = 1_024;

const controlC = '\u0003';
const controlD = '\u0004';
const controlU = '\u0015';
const backspaces: ReadonlySet<string> = new Set(['\b', '\u007f']);

/**
 * The text that the variable, the file or whoever sits at the terminal gives.
 * @throws VolsealError `ERR_VOLSEAL_NO_SECRET`
 */
export async function findRecoveryKey(io: Io): Promise<string> {
  const text = io.env[variable] ?? '';
  if (text !== '') return text;
  const file = io.env[fileVariable] ?? '';
  if (file !== '') return readKeyFile(file);
  if (io.stdin.isTTY === true) return askHidden(io);
  throw new VolsealError(
    'ERR_VOLSEAL_NO_SECRET',
    'there is no recovery key: VOLSEAL_RECOVERY_KEY is not set',
    {
      hint: 'set it without its being seen: read -rs VOLSEAL_RECOVERY_KEY && export VOLSEAL_RECOVERY_KEY; or name a file that holds it with VOLSEAL_RECOVERY_KEY_FILE',
    },
  );
}

/** The text on standard input, or what is typed there. */
export async function readRecoveryKey(io: Io): Promise<string> {
  return io.stdin.isTTY === true ? askHidden(io) : untilAborted(readAll(io.stdin), io.signal);
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    const error = fromSystemError(cause, path);
    throw new VolsealError(
      'ERR_VOLSEAL_SECRET_INVALID',
      `${fileVariable}: ${error instanceof Error ? error.message : 'it cannot be read'}`,
      { hint: 'check the path and its permissions', path, cause },
    );
  }
}

async function readAll(stdin: InputStream): Promise<string> {
  let text = '';
  for await (const chunk of stdin as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString('latin1');
    if (text.length > mostCharacters) {
      throw new VolsealError('ERR_VOLSEAL_SECRET_INVALID', 'standard input is longer than any recovery key', {
        hint: 'give the recovery key alone: it begins with vrk1-',
      });
    }
  }
  return text;
}

/** A line typed at the terminal, without its being shown. */
async function askHidden(io: Io): Promise<string> {
  throwIfAborted(io.signal);
  io.stderr.write(prompt);
  io.stdin.setRawMode?.(true);
  try {
    return await untilAborted(typedLine(io.stdin), io.signal);
  } finally {
    io.stdin.setRawMode?.(false);
    io.stdin.pause();
    io.stderr.write('\n');
  }
}

function typedLine(stdin: InputStream): Promise<string> {
  return new Promise((resolve, reject) => {
    let line = '';
    const onData = (chunk: Buffer | string): void => {
      for (const key of chunk.toString()) {
        if (key === '\r' || key === '\n' || (key === controlD && line !== '')) return end();
        // In raw mode they are keys like any other, and no signals.
        if (key === controlC || key === controlD)
          return end(new VolsealError('ERR_VOLSEAL_ABORTED', 'interrupted'));
        if (key === controlU) line = '';
        else if (backspaces.has(key)) line = line.slice(0, -1);
        else if (key >= ' ' && line.length < mostCharacters) line += key;
      }
    };
    const onEnd = (): void => end();
    const onError = (error: Error): void => end(error);
    const end = (error?: Error): void => {
      stdin.off('data', onData).off('end', onEnd).off('error', onError);
      if (error === undefined) resolve(line);
      else reject(error);
    };
    stdin.on('data', onData).on('end', onEnd).on('error', onError);
  });
}
