/** What the commands of the grammar share. */

import { type Command, Option } from 'commander';

import type { Suite } from '../aead/suite.ts';
import type { Io } from './io.ts';
import { addUri, wholeNumber } from './option-values.ts';
import { Reporter } from './report.ts';

interface CommonOptions {
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
}

export interface KeyFlags {
  readonly kms?: readonly string[];
}

/** Runs one command and gives its exit code. */
export type RunCommand = (reporter: Reporter) => Promise<number>;
/** Called with the command that was chosen, once its arguments are understood. */
export type Dispatch = (reporter: Reporter, run: RunCommand) => Promise<void>;

/** Fsyncs of small files wait for the disk, not for each other. */
export const defaultJobs = 4;
const mostJobs = 64;

const suiteNames = Object.keys({ 'aes-256-gcm': true, 'xchacha20-poly1305': true } satisfies Record<
  Suite,
  true
>);

/** A place where commands are added: the program, or a command that has some of its own. */
export class Grammar {
  readonly io: Io;
  readonly #parent: Command;
  readonly #version: string;
  readonly #dispatch: Dispatch;

  constructor(parent: Command, io: Io, version: string, dispatch: Dispatch) {
    this.#parent = parent;
    this.io = io;
    this.#version = version;
    this.#dispatch = dispatch;
  }

  add(name: string, summary: string, description: string, examples: string): Command {
    return common(this.#parent.command(name), this.#version)
      .summary(summary)
      .description(description)
      .addHelpText('after', examples);
  }

  /** A command that consists of commands. */
  group(name: string, summary: string, description: string, examples: string): Grammar {
    const command = this.add(name, summary, description, examples)
      .usage('[options] <command>')
      .helpCommand('help [command]', 'explain a command');
    return new Grammar(command, this.io, this.#version, this.#dispatch);
  }

  async start(command: Command, run: RunCommand): Promise<void> {
    const has = (name: 'json' | 'quiet'): boolean =>
      withParents(command).some((one) => one.opts<CommonOptions>()[name] === true);
    await this.#dispatch(new Reporter(this.io, { json: has('json'), quiet: has('quiet') }), run);
  }
}

/** A command and those it is part of: what is common may stand before and after its name. */
function withParents(command: Command): Command[] {
  return command.parent === null ? [command] : [command, ...withParents(command.parent)];
}

export function showsProgress(command: Command): boolean {
  return withParents(command).every((one) => one.opts<CommonOptions>().progress);
}

/** What every command understands, before and after its name. */
export function common(command: Command, version: string): Command {
  return command
    .option('--json', 'speak JSON: one document, or a line for each event of long work')
    .option('--quiet', 'say nothing but errors')
    .option('--no-progress', 'show no progress')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain this command');
}

export function keys(command: Command): Command {
  return command.option(
    '--kms <uri>',
    'where keys come from (default: $VOLSEAL_KMS, else fly-secrets:)',
    addUri,
  );
}

export function jobsOption(): Option {
  return new Option('--jobs <n>', `small files worked on at a time (default: ${defaultJobs})`).argParser(
    wholeNumber('--jobs', 1, mostJobs),
  );
}

export function maxIopsOption(): Option {
  return new Option(
    '--max-iops <n>',
    'operations on the disk in a second (default: half of what the volume of the Machine allows)',
  ).argParser(wholeNumber('--max-iops', 1, 1_000_000));
}

export function suiteOption(): Option {
  return new Option('--suite <suite>', 'cipher (default: aes-256-gcm; volseal speed compares them)').choices(
    suiteNames,
  );
}

/** @param defaultBytes what the help says */
export function segmentBytesOption(defaultBytes: number): Option {
  return new Option(
    '--segment-bytes <n>',
    `sealed bytes of a segment, 4096 to 4194304 (default: ${defaultBytes})`,
  ).argParser(wholeNumber('--segment-bytes', 4_096, 4_194_304));
}
