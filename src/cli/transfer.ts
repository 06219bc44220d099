/** The run of `encrypt` and `decrypt`: each source all or nothing, and the others go on when one fails. */

import type { Stats } from 'node:fs';
import { chown, lstat, stat } from 'node:fs/promises';

import { VolsealError, withPath } from '../errors.ts';
import { invalidArgument } from '../options.ts';
import type { Destination, Source } from '../sealed/endpoints.ts';
import type { FileResult } from '../sealed/file.ts';
import type { FileOptions } from '../sealed/options.ts';
import { fromSystemError } from '../system-error.ts';
import {
  type Destinations,
  type Direction,
  lookAt,
  type Operand,
  planDestinations,
  sealedSuffix,
  standardStream,
} from './destinations.ts';
import { exitCodes, worseExitCode } from './exit-codes.ts';
import { Folders } from './folders.ts';
import { inTermsOfStdin, type Io } from './io.ts';
import { findItems, type Found, type Item } from './items.ts';
import { count, formatBytes, printable } from './printable.ts';
import { ProgressMeter } from './progress.ts';
import { asVolsealError, type Reporter } from './report.ts';

export interface TransferOptions {
  readonly output: string | undefined;
  readonly recursive: boolean;
  readonly force: boolean;
  readonly dryRun: boolean;
  readonly progress: boolean;
  /** How many files are worked on at a time. */
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
  if (folder !== undefined && !options.recursive)
    throw invalidArgument(`${folder.given} is a folder`, 'give -r to take all that is in it');
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
  readonly #folders = new Folders();
  readonly #failedDestinations: string[] = [];
  #meter: ProgressMeter | undefined;
  #exitCode: number = exitCodes.done;
  /** Why no further file is begun. */
  #endedBy: string | undefined;
  #totalItems = 0;
  #doneItems = 0;
  #doneBytes = 0;
  #failures = 0;
  #skippedByName = 0;
  #skipped = 0;
  #plainBytes = 0;
  #sealedBytes = 0;
  #last: Item | undefined;
  /** Large files wait for each other here. */
  #large: Promise<unknown> = Promise.resolve();

  constructor(io: Io, reporter: Reporter, direction: Direction, options: TransferOptions, convert: Convert) {
    this.#io = io;
    this.#reporter = reporter;
    this.#direction = direction;
    this.#options = options;
    this.#convert = convert;
  }

  async run(destinations: Destinations): Promise<number> {
    const startedMs = performance.now();
    const totals = await this.#count(destinations);
    this.#totalItems = totals.totalItems;
    this.#reporter.event('start', { command: this.#direction, ...totals });
    const progress = this.#options.progress && !this.#options.dryRun;
    this.#meter = new ProgressMeter(this.#reporter, `${this.#direction}ing`, totals, progress);
    try {
      const found = findItems(
        this.#direction,
        destinations,
        this.#options.dryRun ? undefined : this.#folders,
      );
      const workers = Array.from({ length: this.#options.jobs }, () => this.#work(found));
      await Promise.all(workers);
    } finally {
      this.#meter.stop();
    }
    for (const destination of this.#failedDestinations) await this.#folders.takeBack(destination);
    this.#sayAborted();
    this.#summary((performance.now() - startedMs) / 1_000);
    return this.#exitCode;
  }

  failed(source: string, thrown: unknown): void {
    const error = asVolsealError(thrown);
    // What files fail of that were under way beside the one that ended the run needs no second word.
    const known = this.#endedBy === error.code && !this.#reporter.json;
    if (endsTheRun.has(error.code)) this.#endedBy ??= error.code;
    if (error.code === 'ERR_VOLSEAL_ABORTED') return; // see #sayAborted
    this.#failures++;
    const code = known
      ? this.#reporter.exitCodeFor(error)
      : this.#reporter.failure(thrown, { event: 'error', source });
    this.#exitCode = worseExitCode(this.#exitCode, code);
  }

  /** Totals for the progress, by a look at everything first. */
  async #count(destinations: Destinations): Promise<{ totalItems: number; totalBytes?: number }> {
    let totalItems = 0;
    let totalBytes: number | undefined = 0;
    for await (const found of findItems(this.#direction, destinations, undefined)) {
      if (this.#io.signal.aborted) break;
      if (found.kind !== 'item') continue;
      totalItems++;
      const { sourceStats } = found.item;
      totalBytes =
        totalBytes === undefined || sourceStats?.isFile() !== true
          ? undefined
          : totalBytes + sourceStats.size;
    }
    return totalBytes === undefined ? { totalItems } : { totalItems, totalBytes };
  }

  async #work(found: AsyncGenerator<Found, void, void>): Promise<void> {
    for (;;) {
      if (this.#endedBy !== undefined || this.#io.signal.aborted) return;
      const next = await found.next();
      if (next.done === true) return;
      const { value } = next;
      if (value.kind === 'skipped') this.#skip(value.path, value.reason);
      else if (value.kind === 'failed') this.failed(value.path, value.error);
      else await this.#do(value.item);
    }
  }

  #skip(path: string, reason: string): void {
    this.#skipped++;
    this.#reporter.event('skipped', { path, reason: reason === 'name' ? this.#nameReason() : reason });
    if (reason === 'name') this.#skippedByName++;
    else if (reason === 'symbolic link' || reason === 'not a regular file')
      this.#reporter.note(`skipped ${path}: ${reason}`);
  }

  #nameReason(): string {
    return this.#direction === 'encrypt' ? `ends in ${sealedSuffix}` : `does not end in ${sealedSuffix}`;
  }

  async #do(item: Item): Promise<void> {
    const { source, destination } = item;
    const fullBytes = item.sourceStats?.isFile() === true ? item.sourceStats.size : undefined;
    let counted = 0;
    const advance = (doneBytes: number): void => {
      const bytes = Math.min(doneBytes, fullBytes ?? doneBytes);
      this.#doneBytes += bytes - counted;
      counted = bytes;
      this.#meter?.update(this.#doneBytes, this.#doneItems);
    };
    try {
      const existing = await this.#checkDestination(item);
      if (this.#options.dryRun) {
        this.#reporter.event('would', { source, destination });
        if (!this.#reporter.json) this.#reporter.print(`${printable(source)} -> ${printable(destination)}`);
        this.#doneItems++;
        return;
      }
      const transfer = (): Promise<FileResult> => this.#transfer(item, ({ doneBytes }) => advance(doneBytes));
      const result = await (fullBytes !== undefined && fullBytes >= largeBytes
        ? this.#inTurn(transfer)
        : transfer());
      if (existing === undefined) await this.#giveOwner(item);
      this.#doneItems++;
      advance(fullBytes ?? result.plainBytes);
      this.#plainBytes += result.plainBytes;
      this.#sealedBytes += result.sealedBytes;
      this.#last = item;
      this.#reporter.event('file', { source, destination, ...result });
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

  async #transfer(item: Item, onProgress: NonNullable<FileOptions['onProgress']>): Promise<FileResult> {
    const { stdin, stdout, signal } = this.#io;
    const fromStdin = item.source === standardStream;
    // A read that waits for a terminal or a pipe ends only with its stream.
    const stopReading = (): void => {
      stdin.destroy(new VolsealError('ERR_VOLSEAL_ABORTED', 'the operation was aborted'));
    };
    if (fromStdin) signal.addEventListener('abort', stopReading, { once: true });
    try {
      return await this.#convert(
        fromStdin ? stdin : item.source,
        item.destination === standardStream ? stdout : item.destination,
        {
          overwrite: this.#options.force,
          signal,
          onProgress,
        },
      );
    } finally {
      if (fromStdin) signal.removeEventListener('abort', stopReading);
    }
  }

  /** What is there already, if it may be replaced. */
  async #checkDestination({ destination, inTree, source, sourceStats }: Item): Promise<Stats | undefined> {
    if (destination === standardStream) return undefined;
    const existing = await lstat(destination).catch(() => undefined); // what is wrong with it, writing to it will say
    if (existing === undefined) return undefined;
    if (existing.isSymbolicLink() && inTree) {
      throw new VolsealError(
        'ERR_VOLSEAL_EXISTS',
        `${destination}: it is a symbolic link, which may lead anywhere`,
        { path: destination },
      );
    }
    const target = existing.isSymbolicLink() ? await stat(destination).catch(() => undefined) : existing;
    if (sourceStats !== undefined && target?.dev === sourceStats.dev && target.ino === sourceStats.ino) {
      throw invalidArgument(
        `${source} and its destination are the same file`,
        'name another destination with -o',
      );
    }
    if (!this.#options.force && target?.isFile() === true) {
      throw new VolsealError('ERR_VOLSEAL_EXISTS', `${destination}: it exists already`, {
        path: destination,
      });
    }
    return existing;
  }

  /** An operator on the Machine is root and the app is not: the app goes on owning what came of its files. */
  async #giveOwner({ destination, sourceStats }: Item): Promise<void> {
    if (
      process.geteuid?.() !== 0 ||
      destination === standardStream ||
      sourceStats?.isFile() !== true ||
      sourceStats.uid === 0
    )
      return;
    try {
      await chown(destination, sourceStats.uid, sourceStats.gid);
    } catch (error) {
      throw fromSystemError(error, destination);
    }
  }

  #sayAborted(): void {
    if (!this.#io.signal.aborted) return;
    const done = this.#totalItems > 1 ? `; ${this.#doneItems.toLocaleString('en-US')} of ${count(this.#totalItems, 'file')} done` : '';
    const error = new VolsealError('ERR_VOLSEAL_ABORTED', `interrupted${done}; nothing unfinished was left behind`);
    this.#exitCode = this.#reporter.failure(error, { event: 'error' });
  }

  #summary(seconds: number): void {
    const done = {
      items: this.#doneItems,
      failed: this.#failures,
      skipped: this.#skipped,
      plainBytes: this.#plainBytes,
      sealedBytes: this.#sealedBytes,
      seconds: Math.round(seconds * 1_000) / 1_000,
      exitCode: this.#exitCode,
    };
    this.#reporter.event('done', done);
    const items = this.#doneItems + this.#failures;
    if (this.#endedBy !== undefined && !this.#io.signal.aborted && items < this.#totalItems) {
      this.#reporter.note(
        `stopped: the other ${count(this.#totalItems - items, 'file')} would fail in the same way`,
      );
    }
    if (this.#skippedByName > 0) {
      this.#reporter.note(`skipped ${count(this.#skippedByName, 'file')} whose name ${this.#nameReason()}`);
    }
    if (this.#failures > 0 && items > 1)
      this.#reporter.note(`${this.#failures.toLocaleString('en-US')} of ${count(items, 'file')} failed`);
    if (!this.#reporter.onTerminal || this.#options.dryRun || this.#last === undefined) return;
    const { destination, source } = this.#last;
    if (items > 1) {
      const rate = seconds > 0 ? `, ${formatBytes(this.#plainBytes / seconds)}/s` : '';
      this.#reporter.note(
        `${this.#direction}ed ${count(this.#doneItems, 'file')}, ${formatBytes(this.#plainBytes)}${rate}`,
      );
    } else if (destination !== standardStream) {
      this.#reporter.note(`${source} -> ${destination}`);
    }
  }
}
