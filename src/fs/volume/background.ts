/** Work that no caller waits for, and that a volume ends before it is closed. */

export class Background {
  readonly #going = new Set<Promise<void>>();

  /** Its failures are of no interest to anybody. */
  run(work: Promise<unknown>): void {
    const going: Promise<void> = work
      .then(
        () => {},
        () => {},
      )
      .finally(() => this.#going.delete(going));
    this.#going.add(going);
  }

  /** Resolves when nothing goes on. */
  async whenIdle(): Promise<void> {
    while (this.#going.size > 0) await Promise.all(this.#going);
  }
}
