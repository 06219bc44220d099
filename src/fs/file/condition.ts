/** Whether an open file can still be relied on. */

import { errnoError, hasErrno } from '../../errno.ts';
import { withPath } from '../../errors.ts';
import { SyncFailure } from '../journal/sync-failure.ts';

/**
 * After a sync that failed, or an I/O error, nobody knows what is on the disk: the kernel may have dropped what it could not
 * write, and says so once. From then on everything fails with that cause, until the file is opened again and read anew.
 */
export class Condition {
  readonly #path: string;
  #failure: { readonly cause: unknown } | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  get isSound(): boolean {
    return this.#failure === undefined;
  }

  check(syscall: string): void {
    if (this.#failure === undefined) return;
    const { cause } = this.#failure;
    throw errnoError((cause as NodeJS.ErrnoException).code ?? 'EIO', syscall, this.#path, undefined, {
      detail: 'it failed before; what is on the disk is only known after it was closed and opened again',
      cause,
    });
  }

  /** What to throw for an error. Takes note of it. */
  failed(error: unknown): unknown {
    const failure = error instanceof SyncFailure ? error.cause : error;
    if (error instanceof SyncFailure || hasErrno(error, 'EIO')) this.#failure ??= { cause: failure };
    return withPath(failure, this.#path);
  }
}
