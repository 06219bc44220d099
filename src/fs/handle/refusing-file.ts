/** What stands in for a file that nothing can be done with any more. */

import type { HandleTarget } from './handle-target.ts';

/** Refuses every call with the error that is made for its system call. */
export function refusingFile(errorOf: (syscall: string) => unknown): HandleTarget {
  const refuse = (syscall: string) => (): Promise<never> => Promise.reject(errorOf(syscall));
  return {
    plainBytes: 0,
    read: refuse('read'),
    write: refuse('write'),
    append: refuse('write'),
    truncate: refuse('ftruncate'),
    sync: refuse('fsync'),
    stat: refuse('fstat'),
    utimes: refuse('futime'),
    chmod: refuse('fchmod'),
    chown: refuse('fchown'),
    close: async () => {},
  };
}
