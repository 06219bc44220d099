/** What `encrypt` and `decrypt` call their results: `.vsl` comes and goes. */

import { basename } from 'node:path';

import { invalidArgument } from '../options.ts';
import {
  type Destinations,
  isDirectory,
  type Naming,
  type Operand,
  planDestinations,
  refuseStdinAmongOthers,
  standardStream,
} from './destinations.ts';

export type Direction = 'encrypt' | 'decrypt';

const sealedSuffix = '.vsl';

/** The name that a result gets, or undefined for a file that the command does not take without being told a name. */
export function resultName(direction: Direction, name: string): string | undefined {
  const isSealed = name.endsWith(sealedSuffix) && basename(name) !== sealedSuffix;
  if (direction === 'encrypt') return isSealed ? undefined : name + sealedSuffix;
  return isSealed ? name.slice(0, -sealedSuffix.length) : undefined;
}

/** Why a file in a folder is not taken. */
export function nameReason(direction: Direction): string {
  return direction === 'encrypt' ? `ends in ${sealedSuffix}` : `does not end in ${sealedSuffix}`;
}

const namings: Readonly<Record<Direction, Naming>> = {
  encrypt: {
    place: '-o',
    fileHint: 'name a file with -o',
    severalHint: 'name a folder with -o',
    isDirectory,
    // In a folder of its own even a file with another name may keep it.
    inFolder: (name) => resultName('encrypt', name) ?? name + sealedSuffix,
  },
  decrypt: {
    place: '-o',
    fileHint: 'name a file with -o',
    severalHint: 'volseal cat joins several',
    isDirectory,
    inFolder: (name) => resultName('decrypt', name) ?? name,
  },
};

/**
 * @param operands those that are there
 * @param operandCount how many were given
 * @param output what -o says
 * @throws VolsealError `ERR_VOLSEAL_INVALID_ARGUMENT` for operands that do not go together
 */
export async function planTransfer(
  direction: Direction,
  operands: readonly Operand[],
  operandCount: number,
  output: string | undefined,
): Promise<Destinations> {
  if (output !== undefined) return planDestinations(namings[direction], operands, operandCount, output);
  refuseStdinAmongOthers(operands, operandCount);
  return {
    of: new Map(operands.map((operand) => [operand, beside(direction, operand)])),
    folder: undefined,
  };
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
