/** `copyFile` and `cp`: their options. */

import { constants } from 'node:fs';

import { errnoError } from '../../errno.ts';
import { argumentType, checkInteger } from '../handle/argument-errors.ts';
import { optionalBoolean, optionsObject } from './call-options.ts';
import type { Caller } from './content-calls.ts';
import { copyOneFile } from './copy-file.ts';
import { type CopyFilter, copyTree } from './copy-tree.ts';

const { COPYFILE_EXCL, COPYFILE_FICLONE, COPYFILE_FICLONE_FORCE } = constants;
const copyModes = COPYFILE_EXCL | COPYFILE_FICLONE | COPYFILE_FICLONE_FORCE;

const names = ['src', 'dest'] as const;
const cpOptionNames = [
  'dereference',
  'errorOnExist',
  'filter',
  'force',
  'mode',
  'preserveTimestamps',
  'recursive',
  'verbatimSymlinks',
] as const;

/** Whether the destination must not be there. A clone cannot be had: it would have the data key of the original. */
function exclusiveMode(mode: unknown): boolean {
  const bits = checkInteger('mode', mode ?? 0, 0, copyModes);
  if ((bits & COPYFILE_FICLONE_FORCE) !== 0) {
    throw errnoError('ENOTSUP', 'copyfile', undefined, undefined, {
      detail: 'a copy gets a data key of its own, so it shares no blocks',
    });
  }
  return (bits & COPYFILE_EXCL) !== 0;
}

export async function copyFileCall(
  { mounted, operations }: Caller,
  source: unknown,
  destination: unknown,
  mode: unknown,
): Promise<void> {
  return operations.run(
    { syscall: 'copyfile', path: source, dest: destination, names, changes: true },
    (from, to) => copyOneFile(mounted, from, to, exclusiveMode(mode)),
  );
}

export async function cpCall(
  { mounted, operations }: Caller,
  source: unknown,
  destination: unknown,
  options: unknown,
): Promise<void> {
  const given = optionsObject('cp', options, cpOptionNames);
  const flag = (name: string): boolean => optionalBoolean(`options.${name}`, given[name]);
  const { filter, force = true } = given;
  if (filter !== undefined && typeof filter !== 'function') {
    throw argumentType('options.filter', 'of type function', filter);
  }
  return operations.run(
    { syscall: 'cp', path: source, dest: destination, names, changes: true },
    (from, to) =>
      copyTree(mounted, from, to, {
        dereference: flag('dereference'),
        errorOnExist: flag('errorOnExist'),
        filter: filter as CopyFilter | undefined,
        force: optionalBoolean('options.force', force),
        exclusive: exclusiveMode(given['mode']),
        preserveTimestamps: flag('preserveTimestamps'),
        recursive: flag('recursive'),
        verbatimSymlinks: flag('verbatimSymlinks'),
      }),
  );
}
