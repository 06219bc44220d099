/** Where the result of each source goes: names only, nothing is created here. */

import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';

import { invalidArgument } from '../options.ts';
import { fromSystemError } from '../system-error.ts';

export const standardStream = '-';

/** An operand of the command line, looked at. */
export type Operand =
  | { readonly kind: 'stdin'; readonly given: '-' }
  | { readonly kind: 'file'; readonly given: string; readonly stats: Stats }
  | { readonly kind: 'directory'; readonly given: string; readonly stats: Stats };

/** A named source is followed where it is a symbolic link. */
export async function lookAt(given: string): Promise<Operand> {
  if (given === standardStream) return { kind: 'stdin', given };
  if (given === '') throw invalidArgument('a source is an empty name', 'is a variable of the shell empty?');
  try {
    const stats = await stat(given);
    return { kind: stats.isDirectory() ? 'directory' : 'file', given, stats };
  } catch (error) {
    throw fromSystemError(error, given);
  }
}

/** The destination of each operand: of a file the file, of a folder the folder that becomes its mirror. */
export interface Destinations<O extends Operand = Operand> {
  readonly of: ReadonlyMap<O, string>;
  /** The folder that everything goes into, where one is named for it; to be made if it is not there. */
  readonly folder: string | undefined;
}

/** How results get their names, and what their place is called in messages. */
export interface Naming {
  /** Where the destination is named: `-o`, or the last operand. */
  readonly place: string;
  /** How to name a file there. */
  readonly fileHint: string;
  /** What a file becomes in a folder that is named. */
  inFolder(name: string): string;
  isDirectory(path: string): Promise<boolean>;
  /** What to do for several on standard output. */
  readonly severalHint: string;
}

/**
 * Where everything goes that has a destination named for it.
 * @param operands those that are there
 * @param operandCount how many were given: what is meant must not depend on one of them being missing
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for operands that do not go together
 */
export async function planDestinations<O extends Operand>(
  naming: Naming,
  operands: readonly O[],
  operandCount: number,
  output: string,
): Promise<Destinations<O>> {
  const [only] = operands;
  refuseStdinAmongOthers(operands, operandCount);
  const toOne = { of: new Map(operands.map((operand) => [operand, output])), folder: undefined };
  if (output === standardStream) {
    if (operandCount === 1 && only?.kind !== 'directory') return toOne;
    throw invalidArgument('only one file goes to standard output', naming.severalHint);
  }
  if (output === '')
    throw invalidArgument(`${naming.place} is an empty name`, 'is a variable of the shell empty?');
  const intoFolder =
    operandCount > 1 ||
    only?.kind === 'directory' ||
    output.endsWith(sep) ||
    (await naming.isDirectory(output));
  if (!intoFolder) return toOne;
  const destinations = new Map(
    operands.map((operand) => [operand, inFolder(naming, operand, output, operandCount)]),
  );
  refuseCollisions(destinations);
  return { of: destinations, folder: output };
}

export function refuseStdinAmongOthers(operands: readonly Operand[], operandCount: number): void {
  if (operandCount > 1 && operands.some(({ kind }) => kind === 'stdin')) {
    throw invalidArgument('- (standard input) goes with no other source');
  }
}

export async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // what is wrong with it, writing to it will say
  }
}

function inFolder(naming: Naming, operand: Operand, folder: string, operandCount: number): string {
  if (operand.kind === 'stdin') {
    throw invalidArgument('standard input has no name to get in a folder', naming.fileHint);
  }
  if (operand.kind === 'directory')
    return operandCount === 1 ? folder : join(folder, basename(resolve(operand.given)));
  return join(folder, naming.inFolder(basename(operand.given)));
}

function refuseCollisions(destinations: ReadonlyMap<Operand, string>): void {
  const sources = new Map<string, string>();
  for (const [{ given }, destination] of destinations) {
    const other = sources.get(destination);
    if (other !== undefined) {
      throw invalidArgument(
        `${other} and ${given} would both become ${destination}`,
        'give them to separate commands',
      );
    }
    sources.set(destination, given);
  }
}
