/** A run of the command line in this process, with streams of the test's own. */

import { PassThrough, Readable, Writable } from 'node:stream';
import { Interruption, type Io } from '../../src/cli/io.ts';
import { main } from '../../src/cli/main.ts';
import { secretFor } from './script.ts';

export interface RunOptions {
  readonly stdin?: Readable;
  readonly env?: Record<string, string>;
  /** Which of the outputs are terminals. */
  readonly terminals?: readonly ('stdout' | 'stderr')[];
  readonly signal?: AbortSignal;
}

export interface RunResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

class Output extends Writable {
  readonly isTTY: boolean;
  readonly columns = 100;
  readonly chunks: Buffer[] = [];

  constructor(isTTY: boolean) {
    super();
    this.isTTY = isTTY;
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.chunks.push(chunk);
    callback();
  }

  text(): string {
    return Buffer.concat(this.chunks).toString();
  }
}

export async function runMain(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
  const stdout = new Output(options.terminals?.includes('stdout') ?? false);
  const stderr = new Output(options.terminals?.includes('stderr') ?? false);
  const io: Io = {
    stdin: options.stdin ?? Readable.from([]),
    stdout,
    stderr,
    env: options.env ?? { VOLSEAL_SECRET_v1: secretFor('v1') },
    signal: options.signal ?? new AbortController().signal,
  };
  const code = await main(argv, io, '1.2.3');
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

/** Standard input that gives what it is given and then waits for ever. */
export function stalledInput(...chunks: Uint8Array[]): Readable {
  const stream = new PassThrough();
  for (const chunk of chunks) stream.write(chunk);
  return stream;
}

export function interruptedBy(
  signalName: string,
  exitCode: number,
): { controller: AbortController; interrupt(): void } {
  const controller = new AbortController();
  return { controller, interrupt: () => controller.abort(new Interruption(signalName, exitCode)) };
}
