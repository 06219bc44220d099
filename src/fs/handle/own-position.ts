/** Where a handle is: transfers that name no position begin there, and move it by what they transfer. */

export class OwnPosition {
  #plainOffset = 0;
  /** Settles when the last of the transfers under way has ended. */
  #last: Promise<void> | undefined;

  /**
   * Does a transfer, which says by how much the position moves: at once when none is under way and it answers at once,
   * otherwise when those before it have ended. One that fails leaves the position where it was.
   */
  transfer(work: (plainOffset: number) => number | Promise<number>): number | Promise<number> {
    if (this.#last !== undefined) return this.#move(this.#last.then(() => work(this.#plainOffset)));
    const count = work(this.#plainOffset);
    if (typeof count !== 'number') return this.#move(count);
    this.#plainOffset += count;
    return count;
  }

  #move(counting: Promise<number>): Promise<number> {
    const moved = counting.then((count) => {
      this.#plainOffset += count;
      return count;
    });
    const end = (): void => {
      if (this.#last === ended) this.#last = undefined;
    };
    const ended: Promise<void> = moved.then(end, end);
    this.#last = ended;
    return moved;
  }
}
