/**
 * A process or worker thread that takes locks.
 *
 * `contend DIRECTORY ROUNDS KILL_EVERY`: takes the lock, looks that nobody else is in there, releases it, ROUNDS times;
 * in one of KILL_EVERY rounds it kills itself with the lock in its hands. Prints `violation …` or `done`.
 * `hold DIRECTORY`: takes it, says so and keeps it.
 */

import { readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';

import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { isAlive, ownIdentity, type ProcessIdentity } from '../../../src/os/process-identity.ts';

const [command, directory = '', rounds = '0', killEvery = '0'] =
  parentPort === null ? process.argv.slice(2) : (workerData as string[]);
const name = 'x.write';
const locks = new FileLocks(nodeSystem, `${directory}/locks`);
const inside = `${directory}/inside`;
const me = JSON.stringify(ownIdentity());

function say(what: unknown): void {
  if (parentPort === null) process.stdout.write(`${JSON.stringify(what)}\n`);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a MessagePort has no origins
  else parentPort.postMessage(what);
}

function whoIsInside(): string | undefined {
  try {
    return readFileSync(inside, 'utf8');
  } catch {
    return undefined;
  }
}

/** Someone who was killed in there has gone; what they had half written is not JSON. */
function livesInside(text: string | undefined): boolean {
  try {
    return text !== undefined && isAlive(JSON.parse(text) as ProcessIdentity);
  } catch {
    return false;
  }
}

async function contend(): Promise<void> {
  for (let round = 0; round < Number(rounds); round++) {
    const lock = await locks.acquire(name, { path: 'x', waitMs: 30_000 });
    const before = whoIsInside();
    if (livesInside(before)) say(`violation: ${before} was inside`);
    writeFileSync(inside, me);
    await new Promise(setImmediate);
    if (Number(killEvery) > 0 && Math.random() * Number(killEvery) < 1) process.kill(process.pid, 'SIGKILL');
    const after = whoIsInside();
    if (after !== me) say(`violation: ${after} came in`);
    unlinkSync(inside);
    await lock.release();
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 5));
  }
  await locks.close();
  say('done');
}

async function hold(): Promise<void> {
  try {
    await locks.acquire(name, { path: 'x' });
    say('held');
  } catch (error) {
    say({
      code: (error as NodeJS.ErrnoException).code,
      holderPid: (error as { holderPid?: number }).holderPid,
    });
  }
  if (parentPort === null) process.stdin.resume();
  else parentPort.on('message', () => {});
}

void (command === 'contend' ? contend() : hold());
