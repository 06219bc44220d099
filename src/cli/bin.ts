#!/usr/bin/env node
/**
 * The program: the only file that looks at the process, handles signals and sets the exit code. `--version` is
 * answered before anything is loaded.
 */

import { readFileSync } from 'node:fs';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const argv = process.argv.slice(2);

if (argv.length === 1 && (argv[0] === '--version' || argv[0] === '-V')) {
  process.stdout.write(`${version}\n`);
} else {
  void start();
}

async function start(): Promise<void> {
  const [{ main }, { Interruption }] = await Promise.all([import('./main.ts'), import('./io.ts')]);
  const controller = new AbortController();
  for (const [signal, exitCode] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    process.on(signal, () => {
      // The first one asks for an orderly end, the second is meant.
      if (controller.signal.aborted) process.exit(exitCode);
      controller.abort(new Interruption(signal, exitCode));
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
  if (controller.signal.aborted) process.exit();
}
