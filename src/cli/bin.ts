#!/usr/bin/env node
/**
 * The program: the only file that looks at the process, handles signals and sets the exit code. `--version` is
 * answered before anything is loaded.
 */

import { readFileSync, writeSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  printVersion();
} else {
  void start();
}

/** Setting up `process.stdout` takes as long as all the rest of this. */
function printVersion(): void {
  try {
    writeSync(1, `${version}\n`);
  } catch {
    process.stdout.on('error', () => {}); // whoever reads it may be gone
    process.stdout.write(`${version}\n`);
  }
}

const exitCodes = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;
type EndingSignal = keyof typeof exitCodes;
/** What an aborted run may still have open, such as a pipe that nobody writes to, holds the process up no longer. */
const graceMs = 200;

/** Dies of the signal as if it had never been handled. `process.exit` would wait for reads that may wait for ever. */
function dieOf(signal: EndingSignal): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

async function start(): Promise<void> {
  const [{ main }, { Interruption }] = await Promise.all([import('./main.ts'), import('./io.ts')]);
  const controller = new AbortController();
  let ending: EndingSignal | undefined;
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // The first one asks for an orderly end, the second is meant.
      if (ending !== undefined) dieOf(signal);
      ending = signal;
      controller.abort(new Interruption(signal, exitCodes[signal]));
    });
  }
  const io = {
    // A getter: looking at standard input opens it.
    get stdin() {
      return process.stdin;
    },
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    signal: controller.signal,
  };
  process.exitCode = await main(argv, io, version);
  if (ending !== undefined) setTimeout(dieOf, graceMs, ending).unref();
}
