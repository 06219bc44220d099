/** The run of `encrypt` and `decrypt`: each source all or nothing, and the others go on when one fails. */

import { VolsealError, withPath } from '../errors.ts';
import { invalidArgument } from '../options.ts';
import type { Destination, Source } from '../sealed/endpoints.ts';
import type { FileResult } from '../sealed/file.ts';
import type { FileOptions } from '../sealed/options.ts';
import {
  type Destinations,
  type Direction,
  lookAt,
  type Operand,
  planDestinations,
  standardStream,
} from './destinations.ts';
import { exitCodes, worseExitCode } from './exit-codes.ts';
import { Folders } from './folders.ts';
import { inTermsOfStdin, type Io } from './io.ts';
import { findItems, type Found, type Item } from './items.ts';
import { checkPlace, giveOwner } from './placement.ts';
import { count, printable } from './printable.ts';
import { ProgressMeter } from './progress.ts';
import { asVolsealError, type Reporter } from './report.ts';
import { Tally } from './tally.ts';

export interface TransferOptions {
  readonly output: string | undefined;
  readonly recursive: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly progress: boolean;
  /** How many small files are worked on at a time. */
  readonly jobs: number;
}

export type ConvertOptions = FileOptions & { readonly signal: AbortSignal };
/** `encryptFile` or `decryptFile` with its keys. */
export type Convert = (
  source: Source,
  destination: Destination,
  options: ConvertOptions,
) => Promise<FileResult>;

/** What would fail the next file in the same way. */
const endsTheRun: ReadonlySet<string> = new Set([
  'ERR_VOLSEAL_ABORTED',
  'ERR_VOLSEAL_HEADER_FULL',
  'ERR_VOLSEAL_NO_PRIMARY',
  'ERR_VOLSEAL_NO_SPACE',
  'ERR_VOLSEAL_PROVIDER_FAILED',
  'ERR_VOLSEAL_PROVIDER_UNAVAILABLE',
]);

/** From here on one file keeps processor and disk busy; more at a time would only take memory. */
const largeBytes = 4_194_304;

/**
 * Looks at the sources and says where their results go.
 * @throws VolsealError for operands that do not go together; one that is missing is reported instead
 */
export async function runTransfer(
  io: Io,
  reporter: Reporter,
  direction: Direction,
  sources: readonly string[],
  options: TransferOptions,
  convert: Convert,
): Promise<number> {
  const run = new TransferRun(io, reporter, direction, options, convert);
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
  const destinations = await planDestinations(direction, operands, sources.length, options.output);
  const toStdout = [...destinations.of.values()].includes(standardStream);
  if (toStdout && io.stdout.isTTY === true && options.output === undefined) {
    throw invalidArgument(
      'the result would go to the terminal',
      'name a file with -o, or give -o - to have it on the terminal all the same',
    );
  }
  if (toStdout) reporter.dataOnStdout();
  return run.run(destinations);
}

class TransferRun {
  readonly #io: Io;
  readonly #reporter: Reporter;
  readonly #direction: Direction;
  readonly #options: TransferOptions;
  readonly #convert: Convert;
  readonly #tally: Tally;
  readonly #folders = new Folders();
  readonly #failedDestinations: string[] = [];
  #meter: ProgressMeter | undefined;
  #exitCode: number = exitCodes.done;
  /** Why no further file is begun. */
  #endedBy: string | undefined;
  /** Large files wait for each other here. */
  #large: Promise<unknown> = Promise.resolve();

  constructor(io: Io, reporter: Reporter, direction: Direction, options: TransferOptions, convert: Convert) {
    this.#io = io;
    this.#reporter = reporter;
    this.#direction = direction;
    this.#options = options;
    this.#convert = convert;
    this.#tally = new Tally(reporter, direction);
  }

  async run(destinations: Destinations): Promise<number> {
    const { dryRun, jobs, progress } = this.#options;
    const totals = await this.#count(destinations);
    this.#tally.totalItems = totals.totalItems;
    this.#reporter.event('start', { command: this.#direction, ...totals });
    // A line that is rewritten would be in the way of whoever types the input.
    const typed =
      [...destinations.of.keys()].some(({ kind }) => kind === 'stdin') && this.#io.stdin.isTTY === true;
    this.#meter = new ProgressMeter(
      this.#reporter,
      `${this.#direction}ing`,
      totals,
      progress && !dryRun && !typed,
    );
    try {
      const found = findItems(this.#direction, destinations, dryRun ? undefined : this.#folders);
      await Promise.all(Array.from({ length: jobs }, () => this.#work(found)));
    } finally {
      this.#meter.stop();
    }
    for (const destination of this.#failedDestinations) await this.#folders.takeBack(destination);
    const { aborted } = this.#io.signal;
    if (aborted) this.#sayAborted();
    this.#tally.close(
      this.#exitCode,
      aborted ? 'interrupted' : this.#endedBy === undefined ? 'whole' : 'stopped',
    );
    return this.#exitCode;
  }

  failed(source: string, thrown: unknown): void {
    const error = asVolsealError(thrown);
    // What fails beside the file that ended the run, for it was under way too, needs no second word.
    const known = this.#endedBy === error.code && !this.#reporter.json;
    if (endsTheRun.has(error.code)) this.#endedBy ??= error.code;
    if (error.code === 'ERR_VOLSEAL_ABORTED') return; // see #sayAborted
    this.#tally.failedItems++;
    const code = known
      ? this.#reporter.exitCodeFor(error)
      : this.#reporter.failure(thrown, { event: 'error', source });
    this.#exitCode = worseExitCode(this.#exitCode, code);
  }

  #sayAborted(): void {
    const { doneItems, totalItems } = this.#tally;
    const done = totalItems > 1 ? `; ${doneItems} of ${count(totalItems, 'file')} done` : '';
    const error = new VolsealError(
      'ERR_VOLSEAL_ABORTED',
      `interrupted${done}; nothing unfinished was left behind`,
    );
    this.#exitCode = this.#reporter.failure(error, { event: 'error' });
  }

  /** Totals for the progress, by a look at everything first. */
  async #count(destinations: Destinations): Promise<{ totalItems: number; totalBytes?: number }> {
    let totalItems = 0;
    let totalBytes: number | undefined = 0;
    for await (const found of findItems(this.#direction, destinations, undefined)) {
      if (this.#io.signal.aborted) break;
      if (found.kind !== 'item') continue;
      totalItems++;
      const bytes = sizeOf(found.item);
      totalBytes = totalBytes === undefined || bytes === undefined ? undefined : totalBytes + bytes;
    }
    return totalBytes === undefined ? { totalItems } : { totalItems, totalBytes };
  }

  /** One of several workers that share what is found. */
  async #work(found: AsyncGenerator<Found, void, void>): Promise<void> {
    while (this.#endedBy === undefined && !this.#io.signal.aborted) {
      let next: IteratorResult<Found, void>;
      try {
        next = await found.next();
      } catch (error) {
        // The folder for the results cannot be made.
        this.failed(this.#options.output ?? standardStream, error);
        return;
      }
      if (next.done === true) return;
      if (next.value.kind === 'skipped') this.#tally.skipped(next.value);
      else if (next.value.kind === 'failed') this.failed(next.value.path, next.value.error);
      else await this.#do(next.value.item);
    }
  }

  async #do(item: Item): Promise<void> {
    const { source, destination } = item;
    try {
      const existing = await checkPlace(item, this.#options.force);
      if (this.#options.dryRun) {
        this.#reporter.event('would', { source, destination });
        if (!this.#reporter.json) this.#reporter.print(`${printable(source)} -> ${printable(destination)}`);
        this.#tally.doneItems++;
        return;
      }
      const isLarge = (sizeOf(item) ?? 0) >= largeBytes;
      const result = await (isLarge ? this.#inTurn(() => this.#transfer(item)) : this.#transfer(item));
      if (existing === undefined && !(await giveOwner(item))) {
        this.#reporter.warning(`${destination} belongs to root now, its source does not`);
      }
      this.#tally.done(item, result);
      this.#meter?.update(this.#tally.sourceBytes, this.#tally.doneItems);
    } catch (error) {
      if (destination !== standardStream) this.#failedDestinations.push(destination);
      this.failed(source, source === standardStream ? inTermsOfStdin(error) : withPath(error, source));
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#large.then(work);
    this.#large = turn.catch(() => {});
    return turn;
  }

  async #transfer(item: Item): Promise<FileResult> {
    const { stdin, stdout, signal } = this.#io;
    const wholeBytes = sizeOf(item);
    let counted = 0;
    const advance = (doneBytes: number): void => {
      const bytes = Math.min(doneBytes, wholeBytes ?? doneBytes);
      this.#tally.sourceBytes += bytes - counted;
      counted = bytes;
      this.#meter?.update(this.#tally.sourceBytes, this.#tally.doneItems);
    };
    const result = await this.#convert(
      item.source === standardStream ? stdin : item.source,
      item.destination === standardStream ? stdout : item.destination,
      { overwrite: this.#options.force, signal, onProgress: ({ doneBytes }) => advance(doneBytes) },
    );
    advance(wholeBytes ?? result.plainBytes);
    return result;
  }
}

/** Bytes of the source, where it tells. */
function sizeOf({ sourceStats }: Item): number | undefined {
  return sourceStats?.isFile() === true ? sourceStats.size : undefined;
}
