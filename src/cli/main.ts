/** One run of the command line, without the process around it. */

import { subscribe, unsubscribe } from 'node:diagnostics_channel';

import { type Command, CommanderError } from 'commander';

import { VolsealError } from '../errors.ts';
import { fromSystemError } from '../system-error.ts';
import type { WarningMessage } from '../trace.ts';
import { exitCodes } from './exit-codes.ts';
import type { Io } from './io.ts';
import { makeProgram } from './program.ts';
import { Reporter } from './report.ts';

/**
 * @param argv without node and the script
 * @returns the exit code (docs/cli.md)
 */
export async function main(argv: readonly string[], io: Io, version: string): Promise<number> {
  let outputError: NodeJS.ErrnoException | undefined;
  const onOutputError = (error: NodeJS.ErrnoException): void => {
    outputError ??= error;
  };
  // For good: an error may come after the write that caused it.
  io.stdout.on('error', onOutputError);
  io.stderr.on('error', () => {}); // there is nobody left to tell
  const code = await runCommand(argv, io, version);
  await flushed(io);
  // Whoever reads the output may stop early; a full disk is another matter.
  if (outputError === undefined || outputError.code === 'EPIPE' || code !== exitCodes.done) return code;
  return reporterFor(argv, io).failure(fromSystemError(outputError, 'standard output'));
}

async function runCommand(argv: readonly string[], io: Io, version: string): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = makeProgram(io, version, async (reporter, run) => {
    const onWarning = (message: unknown): void => {
      const { message: text, path } = message as WarningMessage;
      reporter.warning(path === undefined ? text : `${path}: ${text}`);
    };
    subscribe('volseal:warning', onWarning);
    try {
      exitCode = await run(reporter);
    } catch (error) {
      const aborted = error instanceof VolsealError && error.code === 'ERR_VOLSEAL_ABORTED';
      exitCode = reporter.failure(aborted ? new VolsealError(error.code, 'interrupted') : error);
    } finally {
      unsubscribe('volseal:warning', onWarning);
    }
  });
  configure(program, io);
  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return exitCodes.done; // --help, --version
    if (error instanceof CommanderError && error.code === 'commander.help') return exitCodes.usage; // help was shown for want of a command
    return reporterFor(argv, io).failure(
      error instanceof CommanderError ? usageError(error, argv, program) : error,
    );
  }
}

function configure(command: Command, io: Io): void {
  command.exitOverride().showSuggestionAfterError(true);
  command.configureOutput({
    writeOut: (text) => void io.stdout.write(text),
    writeErr: (text) => void io.stderr.write(text),
    // Said by the reporter, in the words of all errors.
    outputError: () => {},
    getOutHelpWidth: () => io.stdout.columns ?? 100,
    getErrHelpWidth: () => io.stderr.columns ?? 100,
    getOutHasColors: () => false,
    getErrHasColors: () => false,
  });
  for (const part of command.commands) configure(part, io);
}

/** For errors before a command was found: whether a program is listening is all that counts. */
function reporterFor(argv: readonly string[], io: Io): Reporter {
  const end = argv.indexOf('--');
  return new Reporter(io, { json: (end < 0 ? argv : argv.slice(0, end)).includes('--json'), quiet: false });
}

/** `error: unknown option '--forse'\n(Did you mean --force?)` in the form of our errors. */
function usageError(error: CommanderError, argv: readonly string[], program: Command): VolsealError {
  const [, text = error.message, suggestion] =
    /^(?:error: )?([^\n]*)(?:\n\((.*)\))?/s.exec(error.message) ?? [];
  const hint = suggestion ?? `${['volseal', ...commandWords(argv, program)].join(' ')} --help explains`;
  const code =
    error.code === 'commander.unknownOption' ? 'ERR_VOLSEAL_UNKNOWN_OPTION' : 'ERR_VOLSEAL_INVALID_ARGUMENT';
  return new VolsealError(code, text, { hint });
}

/** The names of the command that was meant: one, or two for a command of a command. */
function commandWords(argv: readonly string[], program: Command): string[] {
  const [at, command] = argv
    .map((word, index) => [index, program.commands.find((candidate) => candidate.name() === word)] as const)
    .find(([, found]) => found !== undefined) ?? [0, undefined];
  return command === undefined ? [] : [command.name(), ...commandWords(argv.slice(at + 1), command)];
}

async function flushed(io: Io): Promise<void> {
  if (io.stdout.destroyed || io.stdout.writableEnded) return;
  await new Promise<void>((resolve) => io.stdout.write('', () => resolve()));
}
