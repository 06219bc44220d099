/** What the command line touches of the world beside files: bin.ts gives the process's, tests give their own. */

import type { Readable, Writable } from 'node:stream';

export interface OutputStream extends Writable {
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Io {
  readonly stdin: Readable;
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
