/** What a run over many files has come to, counted and said. */

import type { FileResult } from '../sealed/file.ts';
import { type Direction, sealedSuffix, standardStream } from './destinations.ts';
import type { Found, Item } from './items.ts';
import { count, formatBytes } from './printable.ts';
import type { Reporter } from './report.ts';

export class Tally {
  /** Found by a look ahead; files may come and go meanwhile. */
  totalItems = 0;
  doneItems = 0;
  failedItems = 0;
  /** Progress of all files, in bytes of the sources. */
  sourceBytes = 0;
  readonly #reporter: Reporter;
  readonly #direction: Direction;
  readonly #startedMs: number = performance.now();
  #skipped = 0;
  #skippedByName = 0;
  #plainBytes = 0;
  #sealedBytes = 0;
  #last: Item | undefined;

  constructor(reporter: Reporter, direction: Direction) {
    this.#reporter = reporter;
    this.#direction = direction;
  }

  done(item: Item, result: FileResult): void {
    this.doneItems++;
    this.#plainBytes += result.plainBytes;
    this.#sealedBytes += result.sealedBytes;
    this.#last = item;
    this.#reporter.event('file', { source: item.source, destination: item.destination, ...result });
  }

  skipped({ path, reason }: Found & { kind: 'skipped' }): void {
    this.#skipped++;
    this.#reporter.event('skipped', { path, reason: reason === 'name' ? this.#nameReason() : reason });
    if (reason === 'name') this.#skippedByName++;
    if (reason !== 'symbolic link' && reason !== 'not a regular file') return;
    this.#reporter.note(`skipped ${path}: ${reason}`);
  }

  #nameReason(): string {
    return this.#direction === 'encrypt' ? `ends in ${sealedSuffix}` : `does not end in ${sealedSuffix}`;
  }

  /** The last event, and for people what they would miss. */
  close(exitCode: number, end: 'whole' | 'stopped' | 'interrupted'): void {
    const seconds = (performance.now() - this.#startedMs) / 1_000;
    this.#reporter.event('done', {
      items: this.doneItems,
      failed: this.failedItems,
      skipped: this.#skipped,
      plainBytes: this.#plainBytes,
      sealedBytes: this.#sealedBytes,
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
    if (this.#skippedByName > 0) {
      this.#reporter.note(`skipped ${count(this.#skippedByName, 'file')} whose name ${this.#nameReason()}`);
    }
    if (this.failedItems > 0 && tried > 1)
      this.#reporter.note(`${this.failedItems} of ${count(tried, 'file')} failed`);
    if (this.#reporter.onTerminal) this.#praise(tried, seconds);
  }

  /** Someone who watches is told what came of it. */
  #praise(tried: number, seconds: number): void {
    if (this.#last === undefined) return;
    const { destination, source } = this.#last;
    if (tried > 1) {
      const rate = seconds > 0 ? `, ${formatBytes(this.#plainBytes / seconds)}/s` : '';
      this.#reporter.note(
        `${this.#direction}ed ${count(this.doneItems, 'file')}, ${formatBytes(this.#plainBytes)}${rate}`,
      );
    } else if (destination !== standardStream) {
      this.#reporter.note(`${source === standardStream ? 'standard input' : source} -> ${destination}`);
    }
  }
}
