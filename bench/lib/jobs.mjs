/** Starts worker.mjs, once for each job. */

import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const worker = fileURLToPath(new URL('../worker.mjs', import.meta.url));
/** A job that hangs would otherwise hang the run. The slowest honest one takes seconds. */
const timeoutMs = 15 * 60_000;

let running;

/** Stops the job under way, if there is one. */
export function stopJob() {
  running?.kill('SIGKILL');
}

/** `{ figures }`, `{ skipped: reason }` or `{ failed: reason }`. */
export function runJob(execPath, job, limit) {
  const plain = [execPath, [worker, JSON.stringify(job)]];
  const [program, args] = limit === undefined ? plain : limit.wrap(...plain);
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env: cleanEnv() });
    running = child;
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    const texts = { 2: '', 3: '' };
    for (const descriptor of [2, 3]) {
      child.stdio[descriptor].setEncoding('utf8').on('data', (text) => {
        texts[descriptor] += text;
      });
    }
    child.on('error', (error) => {
      clearTimeout(timer);
      resolve({ failed: error.message });
    });
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      running = undefined;
      if (texts[3] !== '') {
        const result = JSON.parse(texts[3]);
        resolve(result.failed === undefined ? result : { ...result, detail: texts[2] });
      } else {
        resolve({ failed: `the process ended with ${signal ?? `exit code ${code}`}`, detail: texts[2] });
      }
    });
  });
}

/** Nothing of the caller's set-up may change what is measured. */
function cleanEnv() {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^(NODE_|VOLSEAL_|UV_|npm_)/.test(name)) delete env[name];
  }
  return env;
}
