/** Trying again what fails because somebody else is just using it, as `fs.rm` does on request. */

import { hasErrno } from '../../errno.ts';

export interface Retries {
  readonly maxRetries: number;
  /** By so much each wait is longer than the one before. */
  readonly retryDelayMs: number;
}

const passing = ['EBUSY', 'EMFILE', 'ENFILE', 'ENOTEMPTY', 'EPERM'] as const;

export async function withRetries<T>(
  { maxRetries, retryDelayMs }: Retries,
  work: () => Promise<T>,
): Promise<T> {
  for (let retry = 1; ; retry++) {
    try {
      return await work();
    } catch (error) {
      if (retry > maxRetries || !hasErrno(error, ...passing)) throw error;
    }
    await new Promise((resolve) => {
      setTimeout(resolve, retry * retryDelayMs);
    });
  }
}
