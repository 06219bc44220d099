/** The grammar of the command line: files by themselves. What a command does is loaded when it is called. */

import { Command } from 'commander';

import type { Suite } from '../aead/suite.ts';
import type { Context } from '../kms/provider.ts';
import {
  common,
  defaultJobs,
  type Dispatch,
  Grammar,
  jobsOption,
  type KeyFlags,
  keys,
  segmentBytesOption,
  showsProgress,
  suiteOption,
} from './grammar.ts';
import * as help from './help.ts';
import type { Io } from './io.ts';
import { addContextPair } from './option-values.ts';
import { addRotationCommands } from './rotation-program.ts';
import { addVolumeCommands, volumeOption } from './volume-program.ts';

interface TransferFlags extends KeyFlags {
  readonly output?: string;
  readonly recursive?: true;
  readonly force?: true;
  readonly dryRun?: true;
  readonly jobs?: number;
  readonly context?: Context;
}

interface EncryptFlags extends TransferFlags {
  readonly suite?: Suite;
  readonly segmentBytes?: number;
}

interface CatFlags extends KeyFlags {
  readonly range?: string;
  readonly context?: Context;
  readonly volume?: string;
}

/** @param dispatch called with the command that was chosen, once its arguments are understood */
export function makeProgram(io: Io, version: string, dispatch: Dispatch): Command {
  const program = new Command('volseal')
    .description(help.description)
    .enablePositionalOptions()
    .addHelpText('after', help.afterMain)
    .helpCommand('help [command]', 'explain a command');
  const grammar = new Grammar(program, io, version, dispatch);
  program.commandsGroup('Files and streams:');
  addFileCommands(grammar);
  program.commandsGroup('Volumes:');
  addVolumeCommands(grammar);
  program.commandsGroup('Rotation of keys:');
  addRotationCommands(grammar);
  program.commandsGroup('Other:');
  addOtherCommands(grammar);
  return common(program, version);
}

function addFileCommands(grammar: Grammar): void {
  const { io } = grammar;
  transfer(grammar.add('encrypt', 'seal files, folders or a stream', help.encrypt, help.encryptExamples))
    .option('--context <key=value>', 'bind this to the data, stored in clear; repeatable', addContextPair)
    .addOption(suiteOption())
    .addOption(segmentBytesOption(65_536))
    .action(async (sources: string[], options: EncryptFlags, command: Command) => {
      await grammar.start(command, async (reporter) => {
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
        return encrypt(io, reporter, sources, transferOptions, await keyProviders(options.kms ?? [], io));
      });
    });

  transfer(
    grammar.add('decrypt', 'open sealed files, folders or a stream', help.decrypt, help.decryptExamples),
  )
    .option('--context <key=value>', 'refuse data that was not sealed with this; repeatable', addContextPair)
    .action(async (sources: string[], options: TransferFlags, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const [{ decrypt }, { keyProviders }] = await Promise.all([
          import('./commands/decrypt.ts'),
          import('./keys.ts'),
        ]);
        const transferOptions = {
          ...transferOptionsOf(options, showsProgress(command)),
          context: options.context,
        };
        return decrypt(io, reporter, sources, transferOptions, await keyProviders(options.kms ?? [], io));
      });
    });

  keys(
    grammar.add(
      'cat',
      'write the plaintext of sealed files to standard output, also of a volume',
      help.cat,
      help.catExamples,
    ),
  )
    .argument('<path...>', 'sealed files, in volumes or not; - is standard input')
    .option('--range <range>', 'bytes A-B (both included, from 0), A- or the last -N')
    .option('--context <key=value>', 'refuse data that was not sealed with this; repeatable', addContextPair)
    .addOption(volumeOption())
    .action(async (paths: string[], options: CatFlags, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const [{ cat }, { VolumeFinder }] = await Promise.all([
          import('./commands/cat.ts'),
          import('./volumes/find.ts'),
        ]);
        const { context, kms, range, volume } = options;
        return cat(io, reporter, paths, { range, context }, new VolumeFinder(volume, io.env), kms ?? []);
      });
    });

  grammar
    .add('inspect', 'describe sealed files, without keys', help.inspect, help.inspectExamples)
    .argument('<path...>', 'sealed files; - is standard input')
    .action(async (paths: string[], _options: object, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const { inspect } = await import('./commands/inspect.ts');
        return inspect(io, reporter, paths);
      });
    });
}

function addOtherCommands(grammar: Grammar): void {
  const { io } = grammar;
  grammar
    .add('keygen', 'make a secret to seal with', help.keygen, help.keygenExamples)
    .option('--label <label>', 'label of the secret: VOLSEAL_SECRET_<label> is its variable', 'v1')
    .option('--env', 'print a line for a .env file')
    .action(async (options: { label: string; env?: true }, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const { keygen } = await import('./commands/keygen.ts');
        return keygen(io, reporter, { label: options.label, env: options.env === true });
      });
    });

  grammar
    .add('speed', 'measure the ciphers on this machine', help.speed, help.speedExamples)
    .action(async (_options: object, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const { speed } = await import('./commands/speed.ts');
        return speed(io, reporter);
      });
    });
}

function transfer(command: Command): Command {
  return keys(command)
    .argument('<source...>', 'files, folders with -r, or - for standard input')
    .option('-o, --output <dest>', 'a file, a folder for several results, or - for standard output')
    .option('-r, --recursive', 'take folders with all that is in them')
    .option('--force', 'replace existing files')
    .option('--dry-run', 'only show what would be written')
    .addOption(jobsOption());
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
