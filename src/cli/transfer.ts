/** The work of `encrypt` and `decrypt`. */

import { invalidArgument } from '../options.ts';
import type { Destination, Source } from '../sealed/endpoints.ts';
import type { FileResult } from '../sealed/file.ts';
import type { FileOptions } from '../sealed/options.ts';
import { type Destinations, lookAt, type Operand, standardStream } from './destinations.ts';
import { Folders } from './folders.ts';
import type { Io } from './io.ts';
import { findItems, type Item } from './items.ts';
import { checkPlace, giveOwner } from './placement.ts';
import type { Reporter } from './report.ts';
import { type Direction, nameReason, planTransfer, resultName } from './result-names.ts';
import { Run, type RunOptions } from './run.ts';
import { fileSystem } from './walk.ts';
import type { Found, Words, Work } from './work.ts';

export interface TransferOptions extends RunOptions {
  readonly output: string | undefined;
  readonly recursive: boolean;
  readonly force: boolean;
}

export type ConvertOptions = FileOptions & { readonly signal: AbortSignal };
/** `encryptFile` or `decryptFile` with its keys. */
export type Convert = (
  source: Source,
  destination: Destination,
  options: ConvertOptions,
) => Promise<FileResult>;

/** What else a command wants to know of a source and its destination before anything is done. */
export type Examine = (item: Item) => Promise<void>;

const sums = { plainBytes: 0, sealedBytes: 0 };
const words: Readonly<Record<Direction, Words>> = {
  encrypt: { command: 'encrypt', doing: 'encrypting', done: 'encrypted', sums },
  decrypt: { command: 'decrypt', doing: 'decrypting', done: 'decrypted', sums },
};

/**
 * Looks at the sources, says where their results go, and makes them.
 * @throws VolsealError for operands that do not go together; one that is missing is reported instead
 */
export async function runTransfer(
  io: Io,
  reporter: Reporter,
  direction: Direction,
  sources: readonly string[],
  options: TransferOptions,
  convert: Convert,
  examine: Examine,
): Promise<number> {
  const run = new Run<Item>(io, reporter, words[direction], options);
  const operands: Operand[] = [];
  for (const source of sources) {
    try {
      operands.push(await lookAt(source));
    } catch (error) {
      run.failed(source, error);
    }
  }
  const folder = operands.find(({ kind }) => kind === 'directory');
  if (folder !== undefined && !options.recursive) {
    throw invalidArgument(`${folder.given} is a folder`, 'give -r to take all that is in it');
  }
  const destinations = await planTransfer(direction, operands, sources.length, options.output);
  const toStdout = [...destinations.of.values()].includes(standardStream);
  if (toStdout && io.stdout.isTTY === true && options.output === undefined) {
    throw invalidArgument(
      'the result would go to the terminal',
      'name a file with -o, or give -o - to have it on the terminal all the same',
    );
  }
  if (toStdout) reporter.dataOnStdout();
  return run.run(transferWork(io, reporter, direction, destinations, options, convert, examine));
}

function transferWork(
  io: Io,
  reporter: Reporter,
  direction: Direction,
  destinations: Destinations,
  { force, output }: TransferOptions,
  convert: Convert,
  examine: Examine,
): Work<Item> {
  const folders = new Folders();
  const check = async (item: Item): Promise<boolean> => {
    await examine(item);
    return (await checkPlace(item, force)) !== undefined;
  };
  return {
    words: words[direction],
    subject: output ?? standardStream,
    readsStdin: [...destinations.of.keys()].some(({ kind }) => kind === 'stdin'),
    find(making: boolean): AsyncGenerator<Found<Item>, void, void> {
      return findItems({
        destinations,
        folders: making ? folders : undefined,
        treeOf: () => fileSystem,
        nameInMirror: (relative) => resultName(direction, relative),
        nameReason: nameReason(direction),
      });
    },
    async check(item) {
      await check(item);
    },
    async perform(item, advance) {
      const exists = await check(item);
      const result = await convert(
        item.source === standardStream ? io.stdin : item.source,
        item.destination === standardStream ? io.stdout : item.destination,
        { overwrite: force, signal: io.signal, onProgress: ({ doneBytes }) => advance(doneBytes) },
      );
      if (!exists && !(await giveOwner(item))) {
        reporter.warning(`${item.destination} belongs to root now, its source does not`);
      }
      return result;
    },
    takeBack: (destination) => folders.takeBack(destination),
  };
}
