/** Where a run is, for whoever watches it: told now and then, not for every file. */

import type { RunProgress } from './report-types.ts';
import { type Clock, realClock } from './limits.ts';

const everyMs = 100;

export class ProgressMeter {
  totalFiles: number | undefined;
  readonly #tell: ((progress: RunProgress) => void) | undefined;
  readonly #clock: Clock;
  readonly #startedMs: number;
  /** Done before this run. */
  readonly #before: number;
  #files = 0;
  #toldMs: number;

  constructor(tell: ((progress: RunProgress) => void) | undefined, before: number, clock: Clock = realClock) {
    this.#tell = tell;
    this.#before = before;
    this.#clock = clock;
    this.#startedMs = clock.now();
    this.#toldMs = this.#startedMs;
  }

  /** @param bytes of headers, so far */
  file(bytes: number): void {
    this.#files++;
    if (this.#tell === undefined || this.#clock.now() - this.#toldMs < everyMs) return;
    this.say(bytes);
  }

  say(bytes: number): void {
    if (this.#tell === undefined) return;
    const nowMs = this.#clock.now();
    this.#toldMs = nowMs;
    const filesPerSecond = this.#files / Math.max(0.001, (nowMs - this.#startedMs) / 1_000);
    const files = this.#before + this.#files;
    const { totalFiles } = this;
    if (totalFiles === undefined) {
      this.#tell({ files, bytes, filesPerSecond });
      return;
    }
    const etaSeconds = Math.max(0, totalFiles - files) / Math.max(0.001, filesPerSecond);
    this.#tell({ files, totalFiles: Math.max(files, totalFiles), bytes, filesPerSecond, etaSeconds });
  }
}
