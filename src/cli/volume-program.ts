/** The grammar of the command line: volumes. */

import { type Command, Option } from 'commander';

import type { Suite } from '../aead/suite.ts';
import type { Context } from '../kms/provider.ts';
import {
  defaultJobs,
  type Grammar,
  jobsOption,
  type KeyFlags,
  keys,
  segmentBytesOption,
  showsProgress,
  suiteOption,
} from './grammar.ts';
import { addContextPair } from './option-values.ts';
import type { Reporter } from './report.ts';
import * as help from './volume-help.ts';
import type { VolumeFinder } from './volumes/find.ts';

export interface VolumeFlags extends KeyFlags {
  readonly volume?: string;
}

interface ChangeFlags extends VolumeFlags {
  readonly context?: Context;
  readonly recursive?: true;
  readonly force?: true;
  readonly dryRun?: true;
  readonly jobs?: number;
}

interface InitFlags extends KeyFlags {
  readonly suite?: Suite;
  readonly segmentBytes?: number;
  readonly recovery: boolean;
  readonly dryRun?: true;
}

interface LsFlags extends VolumeFlags {
  readonly long?: true;
  readonly recursive?: true;
}

type Run = (reporter: Reporter, finder: VolumeFinder, kms: readonly string[]) => Promise<number>;

const dryRun = '--dry-run';

export function addVolumeCommands(grammar: Grammar): void {
  addLifeCommands(grammar);
  addReadCommands(grammar);
  addChangeCommands(grammar);
  addKeyringCommands(
    grammar.group('keyring', 'keep a copy of a keyring, and put it back', help.keyring, help.keyringExamples),
  );
  addRecoveryCommands(
    grammar.group(
      'recovery',
      'make and test the key for the day when the secret is lost',
      help.recovery,
      help.recoveryExamples,
    ),
  );
}

export function volumeOption(): Option {
  return new Option(
    '--volume <dir>',
    'the volume; paths are then relative to its root (default: $VOLSEAL_VOLUME, else found above the path)',
  );
}

export function volume(command: Command): Command {
  return keys(command).addOption(volumeOption());
}

/** Starts a command on one volume, or on those of its paths. */
export async function start(
  grammar: Grammar,
  command: Command,
  options: VolumeFlags,
  run: Run,
): Promise<void> {
  await grammar.start(command, async (reporter) => {
    const { VolumeFinder } = await import('./volumes/find.ts');
    return run(reporter, new VolumeFinder(options.volume, grammar.io.env), options.kms ?? []);
  });
}

function addLifeCommands(grammar: Grammar): void {
  const { io } = grammar;
  keys(grammar.add('init', 'make a folder a volume', help.init, help.initExamples))
    .argument(
      '[dir]',
      'the folder, made if it is not there (default: $VOLSEAL_VOLUME, else the working directory)',
    )
    .addOption(suiteOption())
    .addOption(segmentBytesOption(16_384))
    .option('--no-recovery', 'make no recovery key')
    .option(dryRun, 'only check that it can be done')
    .action(async (dir: string | undefined, options: InitFlags, command: Command) => {
      await grammar.start(command, async (reporter) => {
        const { init } = await import('./commands/init.ts');
        const { recovery, segmentBytes, suite } = options;
        const initOptions = { recovery, segmentBytes, suite, dryRun: options.dryRun === true };
        return init(io, reporter, dir, initOptions, options.kms ?? []);
      });
    });

  volume(
    grammar.add('status', 'what a volume holds, and under which keys', help.status, help.statusExamples),
  ).action(async (options: VolumeFlags, command: Command) => {
    await start(grammar, command, options, async (reporter, finder, kms) => {
      const { status } = await import('./commands/status.ts');
      return status(io, reporter, { progress: showsProgress(command) }, finder, kms);
    });
  });
}

function addReadCommands(grammar: Grammar): void {
  const { io } = grammar;
  volume(grammar.add('ls', 'list a folder of a volume', help.ls, help.lsExamples))
    .argument('[path]', 'a folder or file (default: the working directory, or the root with --volume)')
    .option('-l, --long', 'with mode, size of the plaintext and time')
    .option('-r, --recursive', 'with all that is below')
    .action(async (path: string | undefined, options: LsFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { ls } = await import('./commands/ls.ts');
        const lsOptions = { long: options.long === true, recursive: options.recursive === true };
        return ls(io, reporter, path, lsOptions, finder, kms);
      });
    });

  volume(grammar.add('get', 'copy plaintext out of a volume', help.get, help.getExamples))
    .argument('<path>', 'a file of a volume, or a folder with -r')
    .argument('<dest>', 'a file or folder outside of volumes; - is standard output')
    .option('-r, --recursive', 'take a folder with all that is in it')
    .option('--force', 'replace existing files')
    .option(dryRun, 'only show what would be written')
    .option(
      '--context <key=value>',
      'refuse files that were not sealed with this; repeatable',
      addContextPair,
    )
    .addOption(jobsOption())
    .action(async (path: string, dest: string, options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { get } = await import('./commands/get.ts');
        return get(io, reporter, path, dest, copyOptionsOf(options, command), finder, kms);
      });
    });
}

function addChangeCommands(grammar: Grammar): void {
  const { io } = grammar;
  volume(grammar.add('put', 'seal files, folders or a stream into a volume', help.put, help.putExamples))
    // Only the last operand may be several for the parser, so it takes them as one list.
    .usage('[options] <source...> <path>')
    .argument('<source...>', 'files, folders with -r, or - for standard input; and last the path in a volume')
    .option('-r, --recursive', 'take folders with all that is in them')
    .option('--force', 'replace existing files')
    .option(dryRun, 'only show what would be written')
    .option('--context <key=value>', 'bind this to the files, stored in clear; repeatable', addContextPair)
    .addOption(jobsOption())
    .action(async (operands: string[], options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { put } = await import('./commands/put.ts');
        return put(io, reporter, operands, copyOptionsOf(options, command), finder, kms);
      });
    });

  volume(grammar.add('rm', 'remove files of volumes', help.rm, help.rmExamples))
    .argument('<path...>', 'files of volumes, or folders with -r')
    .option('-r, --recursive', 'remove folders with all that is in them')
    .option(dryRun, 'only show what would be removed')
    .action(async (paths: string[], options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { rm } = await import('./commands/rm.ts');
        return rm(io, reporter, paths, copyOptionsOf(options, command), finder, kms);
      });
    });

  volume(grammar.add('mv', 'move or rename in volumes', help.mv, help.mvExamples))
    .argument('<from>', 'a file or folder of a volume')
    .argument('<to>', 'its new name, or a folder for it')
    .option('--force', 'replace an existing file')
    .option(dryRun, 'only show what would be moved')
    .option(
      '--context <key=value>',
      'what a file was sealed with that goes to another volume; repeatable',
      addContextPair,
    )
    .action(async (from: string, to: string, options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { mv } = await import('./commands/mv.ts');
        return mv(io, reporter, from, to, copyOptionsOf(options, command), finder, kms);
      });
    });
}

function addKeyringCommands(grammar: Grammar): void {
  const { io } = grammar;
  volume(
    grammar.add(
      'export',
      'write an offline copy of the keyring',
      help.keyringExport,
      help.keyringExportExamples,
    ),
  )
    .argument('<file>', 'a file outside of the volume; - is standard output')
    .option('--force', 'replace an existing file')
    .option(dryRun, 'only show what would be written')
    .action(async (file: string, options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { exportKeyring } = await import('./commands/keyring.ts');
        return exportKeyring(io, reporter, file, changeOptionsOf(options), finder, kms);
      });
    });

  volume(
    grammar.add('restore', 'put an exported keyring back', help.keyringRestore, help.keyringRestoreExamples),
  )
    .argument('<file>', 'what volseal keyring export wrote; - is standard input')
    .option('--force', 'replace a keyring that is newer, of another volume, or does not open')
    .option(dryRun, 'only check that it can be done')
    .action(async (file: string, options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { restore } = await import('./commands/keyring.ts');
        return restore(io, reporter, file, changeOptionsOf(options), finder, kms);
      });
    });
}

function addRecoveryCommands(grammar: Grammar): void {
  const { io } = grammar;
  volume(
    grammar.add(
      'create',
      'make a recovery key and print it, once',
      help.recoveryCreate,
      help.recoveryCreateExamples,
    ),
  )
    .option('--force', 'replace the recovery key that there is')
    .option(dryRun, 'only check that it can be done')
    .action(async (options: ChangeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { createRecoveryKey } = await import('./commands/recovery.ts');
        return createRecoveryKey(io, reporter, changeOptionsOf(options), finder, kms);
      });
    });

  grammar
    .add('test', 'prove that a recovery key opens the volume', help.recoveryTest, help.recoveryTestExamples)
    .addOption(volumeOption())
    .action(async (options: VolumeFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder) => {
        const { testRecoveryKey } = await import('./commands/recovery.ts');
        return testRecoveryKey(io, reporter, finder);
      });
    });
}

function changeOptionsOf(flags: ChangeFlags): { force: boolean; dryRun: boolean } {
  return { force: flags.force === true, dryRun: flags.dryRun === true };
}

function copyOptionsOf(flags: ChangeFlags, command: Command) {
  return {
    ...changeOptionsOf(flags),
    recursive: flags.recursive === true,
    context: flags.context,
    progress: showsProgress(command),
    jobs: flags.jobs ?? defaultJobs,
  };
}
