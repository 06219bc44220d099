/**
 * How far long work is: a line that is rewritten in place on a terminal, a line now and then elsewhere, events with
 * --json. Short work says nothing.
 */

import { count, formatBytes, formatDuration } from './printable.ts';
import type { Reporter } from './report.ts';

const terminalIntervalMs = 150;
const terminalDelayMs = 400;
const lineIntervalMs = 5_000;
const eventIntervalMs = 1_000;
/** The rate is that of the last few seconds. */
const windowMs = 5_000;

export interface ProgressTotals {
  /** Missing when the sources do not tell. */
  readonly totalBytes?: number;
  /** Missing where nobody has counted them. */
  readonly totalItems?: number;
}

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
  readonly items: number;
}

export class ProgressMeter {
  readonly #reporter: Reporter;
  readonly #verb: string;
  #totals: ProgressTotals;
  readonly #startedMs: number = performance.now();
  readonly #timer: NodeJS.Timeout | undefined;
  #samples: Sample[] = [];
  #doneBytes = 0;
  #doneItems = 0;

  /**
   * @param verb such as `encrypting`
   * @param enabled false for --no-progress
   */
  constructor(reporter: Reporter, verb: string, totals: ProgressTotals, enabled: boolean) {
    this.#reporter = reporter;
    this.#verb = verb;
    this.#totals = totals;
    this.#samples.push({ atMs: this.#startedMs, bytes: 0, items: 0 });
    if (!enabled || (reporter.quiet && !reporter.json)) return;
    const intervalMs = reporter.json
      ? eventIntervalMs
      : reporter.onTerminal
        ? terminalIntervalMs
        : lineIntervalMs;
    this.#timer = setInterval(() => this.#tick(), intervalMs).unref();
  }

  /** For work that is counted while it goes on. */
  expect(totals: ProgressTotals): void {
    this.#totals = totals;
  }

  update(doneBytes: number, doneItems: number): void {
    this.#doneBytes = doneBytes;
    this.#doneItems = doneItems;
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#reporter.status('');
  }

  #tick(): void {
    const nowMs = performance.now();
    this.#samples.push({ atMs: nowMs, bytes: this.#doneBytes, items: this.#doneItems });
    while ((this.#samples[1]?.atMs ?? nowMs) < nowMs - windowMs) this.#samples.shift();
    const bytesPerSecond = this.#rate('bytes');
    const etaSeconds = this.#eta(bytesPerSecond);
    if (this.#reporter.json) {
      this.#reporter.event('progress', {
        doneBytes: this.#doneBytes,
        totalBytes: this.#totals.totalBytes,
        doneItems: this.#doneItems,
        totalItems: this.#totals.totalItems,
        bytesPerSecond: Math.round(bytesPerSecond),
        etaSeconds: etaSeconds === undefined ? undefined : Math.round(etaSeconds),
      });
    } else if (!this.#reporter.onTerminal) {
      this.#reporter.note(this.#line(bytesPerSecond, etaSeconds));
    } else if (nowMs - this.#startedMs >= terminalDelayMs) {
      this.#reporter.status(this.#line(bytesPerSecond, etaSeconds));
    }
  }

  #rate(of: 'bytes' | 'items'): number {
    const [first] = this.#samples;
    const last = this.#samples.at(-1);
    if (first === undefined || last === undefined || last.atMs <= first.atMs) return 0;
    return ((last[of] - first[of]) / (last.atMs - first.atMs)) * 1_000;
  }

  #eta(bytesPerSecond: number): number | undefined {
    const { totalBytes, totalItems } = this.#totals;
    if (totalBytes !== undefined) {
      return bytesPerSecond <= 0 ? undefined : Math.max(0, totalBytes - this.#doneBytes) / bytesPerSecond;
    }
    // Work that is not about bytes goes by its files.
    const itemsPerSecond = this.#rate('items');
    if (totalItems === undefined || this.#doneBytes > 0 || itemsPerSecond <= 0) return undefined;
    return Math.max(0, totalItems - this.#doneItems) / itemsPerSecond;
  }

  #line(bytesPerSecond: number, etaSeconds: number | undefined): string {
    const { totalBytes, totalItems } = this.#totals;
    const parts = [this.#verb];
    if (totalItems === undefined) parts.push(count(this.#doneItems, 'file'));
    else if (totalItems > 1)
      parts.push(`${this.#doneItems.toLocaleString('en-US')} of ${count(totalItems, 'file')}`);
    if (totalBytes !== undefined) {
      const percent = totalBytes === 0 ? 100 : Math.floor((this.#doneBytes / totalBytes) * 100);
      parts.push(`${percent}%`, `${formatBytes(this.#doneBytes)} of ${formatBytes(totalBytes)}`);
    } else if (this.#doneBytes > 0 || this.#doneItems === 0) {
      parts.push(formatBytes(this.#doneBytes));
    }
    if (this.#doneBytes > 0 || this.#doneItems === 0)
      parts.push(`${(bytesPerSecond / 1_048_576).toFixed(1)} MiB/s`);
    else parts.push(`${Math.round(this.#rate('items')).toLocaleString('en-US')} files/s`);
    if (etaSeconds !== undefined) parts.push(`ETA ${formatDuration(etaSeconds)}`);
    return parts.join('  ');
  }
}
