/** Work on the same thing one after the other, work on different things at once. */

export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  /** Runs the work when all work on `key` that was given before has ended, well or badly. */
  take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key);
    const mine = before === undefined ? work() : before.then(work);
    const ended: Promise<void> = mine.then(
      () => this.#end(key, ended),
      () => this.#end(key, ended),
    );
    this.#last.set(key, ended);
    return mine;
  }

  #end(key: string, ended: Promise<void>): void {
    if (this.#last.get(key) === ended) this.#last.delete(key);
  }

  /** How many things are being worked on. */
  get size(): number {
    return this.#last.size;
  }
}
