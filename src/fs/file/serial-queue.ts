/** Tasks one after the other, in the order in which they came. */

export class SerialQueue {
  readonly #waiting: (() => void)[] = [];
  #busy = false;

  /** Whether a task would start at once. */
  get idle(): boolean {
    return !this.#busy;
  }

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
    }
    // Handed over without becoming idle in between: nobody can push in.
    this.#busy = true;
    try {
      return await task();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#busy = false;
      else next();
    }
  }
}
