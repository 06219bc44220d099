/** Numbers that look random and come again with the same seed (mulberry32). */

export class SeededRandom {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** A whole number from 0 to `count` - 1. */
  below(count: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * count);
  }

  shuffled<T>(values: readonly T[]): T[] {
    const shuffled = [...values];
    for (let left = shuffled.length; left > 1; left--) {
      const chosen = this.below(left);
      const value = shuffled[chosen] as T;
      shuffled[chosen] = shuffled[left - 1] as T;
      shuffled[left - 1] = value;
    }
    return shuffled;
  }
}
