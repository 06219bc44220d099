/** What a run over many files has come to, counted and said. */

import { standardStream } from './destinations.ts';
import { count, formatBytes } from './printable.ts';
import type { Reporter } from './report.ts';
import type { Skipped, Words, WorkItem, WorkResult } from './work.ts';

export class Tally {
  /** Found by a look ahead; files may come and go meanwhile. */
  totalItems = 0;
  doneItems = 0;
  failedItems = 0;
  /** Progress of all files, in bytes of the sources. */
  sourceBytes = 0;
  readonly #reporter: Reporter;
  readonly #words: Words;
  readonly #startedMs: number = performance.now();
  #skipped = 0;
  /** Those that people hear the number of, by their reason. */
  readonly #skippedFor = new Map<string, number>();
  #sums: WorkResult;
  #last: WorkItem | undefined;

  constructor(reporter: Reporter, words: Words) {
    this.#reporter = reporter;
    this.#words = words;
    this.#sums = words.sums;
  }

  done(item: WorkItem, result: WorkResult): void {
    const { destination, source } = item;
    const { plainBytes, sealedBytes } = result;
    this.doneItems++;
    const sums = this.#sums;
    this.#sums = {
      ...(sums.plainBytes === undefined ? {} : { plainBytes: sums.plainBytes + (plainBytes ?? 0) }),
      ...(sums.sealedBytes === undefined ? {} : { sealedBytes: sums.sealedBytes + (sealedBytes ?? 0) }),
    };
    this.#last = item;
    this.#reporter.event('file', { source, destination, ...result });
  }

  skipped({ path, reason, told }: Skipped): void {
    this.#skipped++;
    this.#reporter.event('skipped', { path, reason });
    if (told === 'number') this.#skippedFor.set(reason, (this.#skippedFor.get(reason) ?? 0) + 1);
    if (told === 'each') this.#reporter.note(`skipped ${path}: ${reason}`);
  }

  /** The last event, and for people what they would miss. */
  close(exitCode: number, end: 'whole' | 'stopped' | 'interrupted'): void {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    this.#reporter.event('done', {
      items: this.doneItems,
      failed: this.failedItems,
      skipped: this.#skipped,
      ...this.#sums,
      seconds: Number(seconds.toFixed(3)),
      exitCode,
    });
    if (end === 'interrupted') return;
    const tried = this.doneItems + this.failedItems;
    if (end === 'stopped' && tried < this.totalItems) {
      this.#reporter.note(
        `stopped: the other ${count(this.totalItems - tried, 'file')} would fail in the same way`,
      );
    }
    for (const [reason, files] of this.#skippedFor)
      this.#reporter.note(`skipped ${count(files, 'file')} whose name ${reason}`);
    if (this.failedItems > 0 && tried > 1)
      this.#reporter.note(`${this.failedItems} of ${count(tried, 'file')} failed`);
    if (this.#reporter.onTerminal) this.#praise(tried, seconds);
  }

  /** Someone who watches is told what came of it. */
  #praise(tried: number, seconds: number): void {
    if (this.#last === undefined) return;
    const { destination, source } = this.#last;
    if (tried > 1) {
      const { plainBytes } = this.#sums;
      const size = plainBytes === undefined ? '' : `, ${formatBytes(plainBytes)}`;
      const rate = plainBytes === undefined || seconds <= 0 ? '' : `, ${formatBytes(plainBytes / seconds)}/s`;
      this.#reporter.note(`${this.#words.done} ${count(this.doneItems, 'file')}${size}${rate}`);
    } else if (destination === undefined) {
      this.#reporter.note(`${this.#words.done} ${source}`);
    } else if (destination !== standardStream) {
      this.#reporter.note(`${source === standardStream ? 'standard input' : source} -> ${destination}`);
    }
  }
}
