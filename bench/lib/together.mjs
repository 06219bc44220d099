/**
 * Contenders that are measured together, in one process, a few milliseconds each in turn: whatever slows the machine down
 * for a while slows all of them down alike, so that their ratio holds.
 */

const sliceMs = 25;

export class Together {
  #expected;
  #jobs = [];

  /** @param expected how many are going to ask to be measured, or {@link leave} */
  constructor(expected) {
    this.#expected = expected;
  }

  /**
   * Resolves with what `run` gave in all its turns.
   * @param run does its work for so many milliseconds, at least once: `{ calls, seconds, cpuSeconds }`
   */
  measure(run, { warmMs, timeMs }) {
    return new Promise((resolve, reject) => {
      const total = { calls: 0, seconds: 0, cpuSeconds: 0 };
      this.#jobs.push({ run, warmMs, turns: Math.ceil(timeMs / sliceMs), total, resolve, reject });
      this.#startWhenAll();
    });
  }

  /** For one that has failed, or has nothing to measure. */
  leave() {
    this.#expected -= 1;
    this.#startWhenAll();
  }

  #startWhenAll() {
    if (this.#jobs.length > 0 && this.#jobs.length === this.#expected)
      void this.#runAll(this.#jobs.splice(0));
  }

  async #runAll(jobs) {
    let going = jobs;
    const each = async (work) => {
      for (const job of going) {
        try {
          await work(job);
        } catch (error) {
          going = going.filter((one) => one !== job);
          job.reject(error);
        }
      }
    };
    await each(({ run, warmMs }) => (warmMs > 0 ? run(warmMs) : undefined));
    for (let turn = 0; turn < Math.max(...jobs.map(({ turns }) => turns)); turn++) {
      await each(async ({ run, total }) => {
        const figures = await run(sliceMs);
        for (const name of Object.keys(total)) total[name] += figures[name];
      });
    }
    for (const { resolve, total } of going) resolve(total);
  }
}
