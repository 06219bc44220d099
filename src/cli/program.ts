/** The grammar of the command line. What a command does is loaded when it is called. */

import { Command, Option } from 'commander';

import type { Suite } from '../aead/suite.ts';
import type { Context } from '../kms/provider.ts';
import * as help from './help.ts';
import type { Io } from './io.ts';
import { addContextPair, addUri, wholeNumber } from './option-values.ts';
import { Reporter } from './report.ts';

interface CommonOptions {
  readonly json?: true;
  readonly quiet?: true;
  readonly progress: boolean;
}

interface TransferFlags extends CommonOptions {
  readonly output?: string;
  readonly recursive?: true;
  readonly force?: true;
  readonly dryRun?: true;
  readonly jobs?: number;
  readonly kms?: readonly string[];
  readonly context?: Context;
}

interface EncryptFlags extends TransferFlags {
  readonly suite?: Suite;
  readonly segmentBytes?: number;
}

/** Fsyncs of small files wait for the disk, not for each other. */
const defaultJobs = 4;
const mostJobs = 64;

const suiteNames = Object.keys({ 'aes-256-gcm': true, 'xchacha20-poly1305': true } satisfies Record<
  Suite,
  true
>);

/** Runs one command and gives its exit code. */
type Run = (reporter: Reporter) => Promise<number>;

/**
 * @param dispatch called with the command that was chosen, once its arguments are understood
 */
export function makeProgram(
  io: Io,
  version: string,
  dispatch: (reporter: Reporter, run: Run) => Promise<void>,
): Command {
  const start = async (command: Command, run: Run): Promise<void> => {
    const above = command.parent?.opts<CommonOptions>();
    const own = command.opts<CommonOptions>();
    await dispatch(
      new Reporter(io, {
        json: (own.json ?? above?.json) === true,
        quiet: (own.quiet ?? above?.quiet) === true,
      }),
      run,
    );
  };
  const showsProgress = (command: Command): boolean =>
    command.opts<CommonOptions>().progress && command.parent?.opts<CommonOptions>().progress !== false;

  const program = new Command('volseal')
    .description(help.description)
    .enablePositionalOptions()
    .addHelpText('after', help.afterMain)
    .helpCommand('help [command]', 'explain a command');
  const add = (name: string, summary: string, description: string, examples: string): Command =>
    common(program.command(name), version)
      .summary(summary)
      .description(description)
      .addHelpText('after', examples);

  add('keygen', 'make a secret to seal with', help.keygen, help.keygenExamples)
    .option('--label <label>', 'label of the secret: VOLSEAL_SECRET_<label> is its variable', 'v1')
    .option('--env', 'print a line for a .env file')
    .action(async (options: { label: string; env?: true }, command: Command) => {
      await start(command, async (reporter) => {
        const { keygen } = await import('./commands/keygen.ts');
        return keygen(io, reporter, { label: options.label, env: options.env === true });
      });
    });

  transfer(add('encrypt', 'seal files, folders or a stream', help.encrypt, help.encryptExamples))
    .option('--context <key=value>', 'bind this to the data, stored in clear; repeatable', addContextPair)
    .addOption(
      new Option('--suite <suite>', 'cipher (default: aes-256-gcm; volseal speed compares them)').choices(
        suiteNames,
      ),
    )
    .addOption(
      new Option(
        '--segment-bytes <n>',
        'sealed bytes of a segment, 4096 to 4194304 (default: 65536)',
      ).argParser(wholeNumber('--segment-bytes', 4_096, 4_194_304)),
    )
    .action(async (sources: string[], options: EncryptFlags, command: Command) => {
      await start(command, async (reporter) => {
        const [{ encrypt }, { keyProviders }] = await Promise.all([
          import('./commands/encrypt.ts'),
          import('./keys.ts'),
        ]);
        const { context, segmentBytes, suite } = options;
        const transferOptions = {
          ...transferOptionsOf(options, showsProgress(command)),
          context,
          segmentBytes,
          suite,
        };
        return encrypt(io, reporter, sources, transferOptions, keyProviders(options.kms ?? [], io.env));
      });
    });

  transfer(add('decrypt', 'open sealed files, folders or a stream', help.decrypt, help.decryptExamples))
    .option('--context <key=value>', 'refuse data that was not sealed with this; repeatable', addContextPair)
    .action(async (sources: string[], options: TransferFlags, command: Command) => {
      await start(command, async (reporter) => {
        const [{ decrypt }, { keyProviders }] = await Promise.all([
          import('./commands/decrypt.ts'),
          import('./keys.ts'),
        ]);
        const transferOptions = {
          ...transferOptionsOf(options, showsProgress(command)),
          context: options.context,
        };
        return decrypt(io, reporter, sources, transferOptions, keyProviders(options.kms ?? [], io.env));
      });
    });

  keys(add('cat', 'write the plaintext of sealed files to standard output', help.cat, help.catExamples))
    .argument('<path...>', 'sealed files; - is standard input')
    .option('--range <range>', 'bytes A-B (both included, from 0), A- or the last -N')
    .option('--context <key=value>', 'refuse data that was not sealed with this; repeatable', addContextPair)
    .action(
      async (
        paths: string[],
        options: { range?: string; context?: Context; kms?: readonly string[] },
        command: Command,
      ) => {
        await start(command, async (reporter) => {
          const [{ cat }, { keyProviders }] = await Promise.all([
            import('./commands/cat.ts'),
            import('./keys.ts'),
          ]);
          return cat(
            io,
            reporter,
            paths,
            { range: options.range, context: options.context },
            keyProviders(options.kms ?? [], io.env),
          );
        });
      },
    );

  add('inspect', 'describe sealed files, without keys', help.inspect, help.inspectExamples)
    .argument('<path...>', 'sealed files; - is standard input')
    .action(async (paths: string[], _options: object, command: Command) => {
      await start(command, async (reporter) => {
        const { inspect } = await import('./commands/inspect.ts');
        return inspect(io, reporter, paths);
      });
    });

  add('speed', 'measure the ciphers on this machine', help.speed, help.speedExamples).action(
    async (_options: object, command: Command) => {
      await start(command, async (reporter) => {
        const { speed } = await import('./commands/speed.ts');
        return speed(io, reporter);
      });
    },
  );

  return common(program, version);
}

/** What every command understands, before and after its name. */
function common(command: Command, version: string): Command {
  return command
    .option('--json', 'speak JSON: one document, or a line for each event of long work')
    .option('--quiet', 'say nothing but errors')
    .option('--no-progress', 'show no progress')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain this command');
}

function keys(command: Command): Command {
  return command.option(
    '--kms <uri>',
    'where keys come from (default: $VOLSEAL_KMS, else fly-secrets:)',
    addUri,
  );
}

function transfer(command: Command): Command {
  return keys(command)
    .argument('<source...>', 'files, folders with -r, or - for standard input')
    .option('-o, --output <dest>', 'a file, a folder for several results, or - for standard output')
    .option('-r, --recursive', 'take folders with all that is in them')
    .option('--force', 'replace existing files')
    .option('--dry-run', 'only show what would be written')
    .addOption(
      new Option('--jobs <n>', `small files worked on at a time (default: ${defaultJobs})`).argParser(
        wholeNumber('--jobs', 1, mostJobs),
      ),
    );
}

function transferOptionsOf(flags: TransferFlags, progress: boolean) {
  return {
    output: flags.output,
    recursive: flags.recursive === true,
    force: flags.force === true,
    dryRun: flags.dryRun === true,
    progress,
    jobs: flags.jobs ?? defaultJobs,
  };
}
