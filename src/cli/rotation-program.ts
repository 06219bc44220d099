/** The grammar of the command line: rotation of keys. */

import { Argument, type Command, Option } from 'commander';

import type { SecretStep } from '../rotate/secret-steps.ts';
import { defaultJobs, type Grammar, jobsOption, maxIopsOption, showsProgress } from './grammar.ts';
import { addKeyId } from './option-values.ts';
import * as help from './rotation-help.ts';
import { start, volume, type VolumeFlags } from './volume-program.ts';

interface SecretFlags extends VolumeFlags {
  readonly to: string;
  readonly offline?: true;
  readonly drop?: readonly string[];
  readonly dryRun?: true;
}

interface LongFlags extends VolumeFlags {
  readonly dryRun?: true;
  readonly jobs?: number;
  readonly maxIops?: number;
}

interface CompromisedFlags extends SecretFlags, LongFlags {
  readonly dryRun?: true;
}

interface AuditFlags extends LongFlags {
  readonly key?: string;
}

interface RetireFlags extends LongFlags {
  readonly drop?: readonly string[];
}

const dryRun = '--dry-run';
const stepNames = Object.keys({
  add: true,
  check: true,
  promote: true,
  rewrap: true,
  retire: true,
} satisfies Record<SecretStep, true>);

export function addRotationCommands(grammar: Grammar): void {
  const { io } = grammar;
  addRotateCommands(grammar.group('rotate', 'go over to new keys', help.rotate, help.rotateExamples));

  volume(grammar.add('rewrap', 'move files to the primary volume key', help.rewrap, help.rewrapExamples))
    .argument('[path...]', 'files and folders of volumes (default: the whole volume)')
    .option(dryRun, 'only show how much there is to do, and how long it will take')
    .addOption(jobsOption())
    .addOption(maxIopsOption())
    .action(async (paths: string[], options: LongFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { rewrapFiles } = await import('./commands/rewrap.ts');
        return rewrapFiles(io, reporter, paths, longOptionsOf(options, command), finder, kms);
      });
    });

  volume(grammar.add('audit', 'what still needs which key', help.audit, help.auditExamples))
    .option('--key <id>', 'this key alone: vk:N, fly-secrets:LABEL, recovery:KEY-ID or a key id')
    .addOption(jobsOption())
    .addOption(maxIopsOption())
    .action(async (options: AuditFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { auditKeys } = await import('./commands/audit.ts');
        const auditOptions = { ...longOptionsOf(options, command), key: options.key };
        return auditKeys(io, reporter, auditOptions, finder, kms);
      });
    });

  volume(grammar.add('retire', 'destroy a key that nothing needs any more', help.retire, help.retireExamples))
    .argument('<id>', 'vk:N, fly-secrets:LABEL, recovery:KEY-ID or a key id')
    .addOption(dropOption())
    .option(dryRun, 'only check that nothing needs it')
    .addOption(jobsOption())
    .addOption(maxIopsOption())
    .action(async (id: string, options: RetireFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { retireKey } = await import('./commands/retire.ts');
        const retireOptions = { ...longOptionsOf(options, command), drop: options.drop ?? [] };
        return retireKey(io, reporter, id, retireOptions, finder, kms);
      });
    });
}

function addRotateCommands(grammar: Grammar): void {
  const { io } = grammar;
  secretOptions(
    volume(grammar.add('secret', 'go over to another secret', help.rotateSecret, help.rotateSecretExamples)),
  )
    .addArgument(
      new Argument('[step]', 'one step alone (default: every step that can be done)').choices(stepNames),
    )
    .action(async (step: SecretStep | undefined, options: SecretFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { rotateToSecret } = await import('./commands/rotate.ts');
        return rotateToSecret(io, reporter, { ...secretOptionsOf(options), step }, finder, kms);
      });
    });

  volume(
    grammar.add('volume-key', 'make a new volume key', help.rotateVolumeKey, help.rotateVolumeKeyExamples),
  )
    .option(dryRun, 'only show what it would lead to')
    .action(async (options: LongFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { newVolumeKey } = await import('./commands/rotate.ts');
        return newVolumeKey(io, reporter, { dryRun: options.dryRun === true }, finder, kms);
      });
    });

  secretOptions(
    volume(
      grammar.add(
        'compromised',
        'all that an exposed secret needs',
        help.rotateCompromised,
        help.rotateCompromisedExamples,
      ),
    ),
  )
    .addOption(jobsOption())
    .addOption(maxIopsOption())
    .action(async (options: CompromisedFlags, command: Command) => {
      await start(grammar, command, options, async (reporter, finder, kms) => {
        const { compromised } = await import('./commands/compromised.ts');
        const all = { ...longOptionsOf(options, command), ...secretOptionsOf(options) };
        return compromised(io, reporter, all, finder, kms);
      });
    });
}

function secretOptions(command: Command): Command {
  return command
    .requiredOption('--to <label>', 'the secret to go over to')
    .option('--offline', 'vouch that the Machines that cannot be asked have it; this is recorded')
    .addOption(dropOption())
    .option(dryRun, 'only show where it is and what would be done');
}

function dropOption(): Option {
  return new Option(
    '--drop <id>',
    'give up this key too, because it is not at hand, such as recovery; repeatable',
  ).argParser(addKeyId);
}

function secretOptionsOf(flags: SecretFlags) {
  return {
    to: flags.to,
    offline: flags.offline === true,
    drop: flags.drop ?? [],
    dryRun: flags.dryRun === true,
    named: flags.volume,
  };
}

function longOptionsOf(flags: LongFlags, command: Command) {
  return {
    dryRun: flags.dryRun === true,
    jobs: flags.jobs ?? defaultJobs,
    maxIops: flags.maxIops,
    progress: showsProgress(command),
  };
}
