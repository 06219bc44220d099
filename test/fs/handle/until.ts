/** Waits for what happens soon, turn by turn: the timers of a test framework are too slow for hundreds of waits. */

const longestMs = 5_000;

export async function until(condition: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + longestMs;
  while (!condition()) {
    if (performance.now() > giveUpAt) throw new Error(`not within ${longestMs} ms: ${String(condition)}`);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}
