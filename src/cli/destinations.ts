/** Where the result of each source goes: names only, nothing is created here. */

import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, join, resolve, sep } from 'node:path';

import { invalidArgument } from '../options.ts';
import { fromSystemError } from '../system-error.ts';

export type Direction = 'encrypt' | 'decrypt';

export const standardStream = '-';
export const sealedSuffix = '.vsl';

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

/** The name that a result gets, or undefined for a file that the command does not take without being told a name. */
export function resultName(direction: Direction, name: string): string | undefined {
  const isSealed = name.endsWith(sealedSuffix) && basename(name) !== sealedSuffix;
  if (direction === 'encrypt') return isSealed ? undefined : name + sealedSuffix;
  return isSealed ? name.slice(0, -sealedSuffix.length) : undefined;
}

/** The destination of each operand: of a file the file, of a folder the folder that becomes its mirror. */
export interface Destinations {
  readonly of: ReadonlyMap<Operand, string>;
  /** The folder that everything goes into, where -o names one; to be made if it is not there. */
  readonly folder: string | undefined;
}

/**
 * @param operands those that are there
 * @param operandCount how many were given: what is meant must not depend on one of them being missing
 * @param output what -o says
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for operands that do not go together
 */
export async function planDestinations(
  direction: Direction,
  operands: readonly Operand[],
  operandCount: number,
  output: string | undefined,
): Promise<Destinations> {
  const [only] = operands;
  if (operandCount > 1 && operands.some(({ kind }) => kind === 'stdin')) {
    throw invalidArgument('- (standard input) goes with no other source');
  }
  if (output === undefined)
    return {
      of: new Map(operands.map((operand) => [operand, beside(direction, operand)])),
      folder: undefined,
    };
  if (output === standardStream) {
    if (operandCount === 1 && only?.kind !== 'directory')
      return { of: new Map(operands.map((operand) => [operand, output])), folder: undefined };
    throw invalidArgument(
      'only one file goes to standard output',
      direction === 'decrypt' ? 'volseal cat joins several' : 'name a folder with -o',
    );
  }
  if (output === '') throw invalidArgument('-o is an empty name', 'is a variable of the shell empty?');
  const intoFolder =
    operandCount > 1 || only?.kind === 'directory' || output.endsWith(sep) || (await isDirectory(output));
  if (!intoFolder) return { of: new Map(operands.map((operand) => [operand, output])), folder: undefined };
  const destinations = new Map(
    operands.map((operand) => [operand, inFolder(direction, operand, output, operandCount)]),
  );
  refuseCollisions(destinations);
  return { of: destinations, folder: output };
}

async function isDirectory(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false; // what is wrong with it, writing to it will say
  }
}

function beside(direction: Direction, operand: Operand): string {
  if (operand.kind === 'stdin') return standardStream;
  if (operand.kind === 'directory') return operand.given;
  const name = resultName(direction, operand.given);
  if (name !== undefined) return name;
  throw direction === 'encrypt'
    ? invalidArgument(
        `${operand.given} has the name of a sealed file already`,
        'to seal it all the same, name the destination with -o',
      )
    : invalidArgument(
        `${operand.given} does not end in ${sealedSuffix}, so its result has no name`,
        'name the destination with -o',
      );
}

function inFolder(direction: Direction, operand: Operand, folder: string, operandCount: number): string {
  if (operand.kind === 'stdin')
    throw invalidArgument('standard input has no name to get in a folder', 'name a file with -o');
  if (operand.kind === 'directory')
    return operandCount === 1 ? folder : join(folder, basename(resolve(operand.given)));
  const name = basename(operand.given);
  // In a folder of its own even a file with another name may keep it.
  return join(folder, resultName(direction, name) ?? (direction === 'encrypt' ? name + sealedSuffix : name));
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
