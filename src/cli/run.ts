/** Long work on many files: each all or nothing, the others go on when one fails, told as it goes. */

import { VolsealError, withPath } from '../errors.ts';
import { standardStream } from './destinations.ts';
import { exitCodes, worseExitCode } from './exit-codes.ts';
import { inTermsOfStdin, type Io } from './io.ts';
import { count, printable } from './printable.ts';
import { ProgressMeter } from './progress.ts';
import { asVolsealError, type Reporter } from './report.ts';
import { Tally } from './tally.ts';
import type { Found, Words, Work, WorkItem, WorkResult } from './work.ts';

export interface RunOptions {
  readonly dryRun: boolean;
  readonly progress: boolean;
  /** How many small files are worked on at a time. */
  readonly jobs: number;
}

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

export class Run<I extends WorkItem> {
  readonly #io: Io;
  readonly #reporter: Reporter;
  readonly #options: RunOptions;
  readonly #tally: Tally;
  readonly #failedDestinations: string[] = [];
  #meter: ProgressMeter | undefined;
  #exitCode: number = exitCodes.done;
  /** Why no further file is begun. */
  #endedBy: string | undefined;
  /** Large files wait for each other here. */
  #large: Promise<unknown> = Promise.resolve();

  constructor(io: Io, reporter: Reporter, words: Words, options: RunOptions) {
    this.#io = io;
    this.#reporter = reporter;
    this.#options = options;
    this.#tally = new Tally(reporter, words);
  }

  /** Does everything and gives the exit code. */
  async run(work: Work<I>): Promise<number> {
    const { dryRun, jobs, progress } = this.#options;
    const totals = await this.#count(work);
    this.#tally.totalItems = totals.totalItems;
    this.#reporter.event('start', { command: work.words.command, ...totals });
    // A line that is rewritten would be in the way of whoever types the input.
    const typed = work.readsStdin && this.#io.stdin.isTTY === true;
    this.#meter = new ProgressMeter(this.#reporter, work.words.doing, totals, progress && !dryRun && !typed);
    try {
      const found = work.find(!dryRun);
      await Promise.all(Array.from({ length: jobs }, () => this.#work(work, found)));
    } finally {
      this.#meter.stop();
    }
    for (const destination of this.#failedDestinations) await work.takeBack(destination);
    const { aborted } = this.#io.signal;
    if (aborted) this.#sayAborted();
    this.#tally.close(
      this.#exitCode,
      aborted ? 'interrupted' : this.#endedBy === undefined ? 'whole' : 'stopped',
    );
    return this.#exitCode;
  }

  /** Reports a failure and goes on; also before `run`, for what was named and is not there. */
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
  async #count(work: Work<I>): Promise<{ totalItems: number; totalBytes?: number }> {
    let totalItems = 0;
    let totalBytes: number | undefined = 0;
    for await (const found of work.find(false)) {
      if (this.#io.signal.aborted) break;
      if (found.kind !== 'item') continue;
      totalItems++;
      const { bytes } = found.item;
      totalBytes = totalBytes === undefined || bytes === undefined ? undefined : totalBytes + bytes;
    }
    return totalBytes === undefined ? { totalItems } : { totalItems, totalBytes };
  }

  /** One of several workers that share what is found. */
  async #work(work: Work<I>, found: AsyncGenerator<Found<I>, void, void>): Promise<void> {
    while (this.#endedBy === undefined && !this.#io.signal.aborted) {
      let next: IteratorResult<Found<I>, void>;
      try {
        next = await found.next();
      } catch (error) {
        // The folder for the results cannot be made.
        this.failed(work.subject, error);
        return;
      }
      if (next.done === true) return;
      if (next.value.kind === 'skipped') this.#tally.skipped(next.value);
      else if (next.value.kind === 'failed') this.failed(next.value.path, next.value.error);
      else await this.#do(work, next.value.item);
    }
  }

  async #do(work: Work<I>, item: I): Promise<void> {
    const { destination, source } = item;
    try {
      if (this.#options.dryRun) {
        await work.check(item);
        this.#would(item);
        return;
      }
      const isLarge = (item.bytes ?? 0) >= largeBytes;
      const result = await (isLarge
        ? this.#inTurn(() => this.#perform(work, item))
        : this.#perform(work, item));
      this.#tally.done(item, result);
      this.#meter?.update(this.#tally.sourceBytes, this.#tally.doneItems);
    } catch (error) {
      if (destination !== undefined && destination !== standardStream)
        this.#failedDestinations.push(destination);
      this.failed(source, source === standardStream ? inTermsOfStdin(error) : withPath(error, source));
    }
  }

  #would({ destination, source }: I): void {
    this.#reporter.event('would', destination === undefined ? { source } : { source, destination });
    if (!this.#reporter.json) {
      const result = destination === undefined ? '' : ` -> ${printable(destination)}`;
      this.#reporter.print(`${printable(source)}${result}`);
    }
    this.#tally.doneItems++;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#large.then(work);
    this.#large = turn.catch(() => {});
    return turn;
  }

  async #perform(work: Work<I>, item: I): Promise<WorkResult> {
    let counted = 0;
    const advance = (doneBytes: number): void => {
      const bytes = Math.min(doneBytes, item.bytes ?? doneBytes);
      this.#tally.sourceBytes += bytes - counted;
      counted = bytes;
      this.#meter?.update(this.#tally.sourceBytes, this.#tally.doneItems);
    };
    const result = await work.perform(item, advance);
    advance(item.bytes ?? result.plainBytes ?? 0);
    return result;
  }
}
