/** What the command line touches of the world beside files: bin.ts gives the process's, tests give their own. */

import type { Readable, Writable } from 'node:stream';

import { VolsealError } from '../errors.ts';

export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface InputStream extends Readable {
  readonly isTTY?: boolean;
  /** Of a terminal: whether keys come one by one and unseen. */
  setRawMode?(raw: boolean): unknown;
}

export interface Io {
  readonly stdin: InputStream;
  /** Data alone. */
  readonly stdout: OutputStream;
  /** For people: errors, hints, warnings, progress. */
  readonly stderr: OutputStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborts with an {@link Interruption} as its reason. */
  readonly signal: AbortSignal;
}

/** Why a run was aborted: a signal of the operating system. */
export class Interruption extends Error {
  readonly exitCode: number;

  constructor(signalName: string, exitCode: number) {
    super(`interrupted by ${signalName}`);
    this.exitCode = exitCode;
  }
}

/** The same failure, said of standard input; `path` is `-`. */
export function inTermsOfStdin(thrown: unknown): unknown {
  if (!(thrown instanceof VolsealError) || thrown.path !== undefined) return thrown;
  const { code, message, hint, offset, retryable, cause } = thrown;
  return new VolsealError(code, `standard input: ${message}`, { path: '-', hint, offset, retryable, cause });
}
