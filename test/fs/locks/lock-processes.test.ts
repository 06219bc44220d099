/** Locks between real processes, cluster workers and threads, and what is left when they are killed. */

import cluster from 'node:cluster';
import { once } from 'node:events';
import { mkdirSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Worker } from 'node:worker_threads';

import { describe, expect, it } from 'vitest';

import { FileLocks } from '../../../src/fs/locks/file-locks.ts';
import { nodeSystem } from '../../../src/os/node-system.ts';
import { bundledProgram, type Child, startProgram } from '../../os/child-program.ts';
import { scratch } from '../../sealed/scratch.ts';

const program = bundledProgram(new URL('lock-program.ts', import.meta.url));
const { fresh } = scratch();

function place(): string {
  const directory = fresh();
  mkdirSync(`${directory}/locks`, { recursive: true });
  return directory;
}

const locksIn = (directory: string): FileLocks => new FileLocks(nodeSystem, `${directory}/locks`);

async function firstLine(child: Child): Promise<unknown> {
  for await (const line of createInterface(child.stdout)) return JSON.parse(line);
  return expect.unreachable('the child said nothing');
}

/** What contenders said, until each has done its rounds; one that is killed is followed by another. */
async function contend(directory: string, rounds: number, killEvery: number): Promise<Map<unknown, number>> {
  const said = new Map<unknown, number>();
  const count = (what: unknown): void => void said.set(what, (said.get(what) ?? 0) + 1);
  let mayDie = 12;
  const run = async (): Promise<void> => {
    const kill = mayDie-- > 0 ? killEvery : 0;
    const child = startProgram(program, 'contend', directory, String(rounds), String(kill));
    const lines = createInterface(child.stdout);
    lines.on('line', (line) => count(JSON.parse(line)));
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    if (signal === null) return;
    count(signal);
    await run();
  };
  await Promise.all([run(), run(), run(), run()]);
  return said;
}

describe('processes', () => {
  it('many at once, and many that are killed with the lock in their hands', async () => {
    const directory = place();
    const said = await contend(directory, 20, 8);
    expect([...said.keys()].filter((what) => String(what).startsWith('violation'))).toEqual([]);
    expect(said.get('done')).toBe(4);
    expect(said.get('SIGKILL')).toBeGreaterThan(3);
    const locks = locksIn(directory);
    await (await locks.acquire('x.write', { path: 'x' })).release();
    await locks.sweep();
    await locks.close();
    expect(readdirSync(`${directory}/locks`)).toEqual([]);
  }, 60_000);

  it('a second one learns the pid of the holder, and has it once that is killed', async () => {
    const directory = place();
    const locks = locksIn(directory);
    const child = startProgram(program, 'hold', directory);
    expect(await firstLine(child)).toBe('held');
    const { pid } = child;
    const error = await locks.acquire('x.write', { path: 'x' }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'EBUSY',
      holderPid: pid,
      message: `EBUSY: resource busy or locked, open 'x' (held by process ${pid})`,
    });
    expect(await locks.holder('x.write')).toMatchObject({ pid });
    const waiting = locks.acquire('x.write', { path: 'x', waitMs: 20_000 });
    child.kill('SIGKILL');
    await (await waiting).release();
    expect(await locks.holder('x.write')).toBeUndefined();
  });

  it('a waiting process does not end before it has the lock', async () => {
    const directory = place();
    const lock = await locksIn(directory).acquire('x.write', { path: 'x' });
    const child = startProgram(program, 'contend', directory, '1', '0');
    child.stdin.end();
    setTimeout(() => void lock.release(), 300);
    expect(await firstLine(child)).toBe('done');
  });
});

describe('node:cluster', () => {
  it('keeps workers apart as any processes', async () => {
    const directory = place();
    cluster.setupPrimary({ exec: program, args: ['hold', directory], execArgv: [], silent: true });
    const said = async (worker: ReturnType<typeof cluster.fork>): Promise<unknown> => {
      const [line] = (await once(worker.process.stdout as NodeJS.ReadableStream, 'data')) as [Buffer];
      return JSON.parse(line.toString());
    };
    const first = cluster.fork();
    expect(await said(first)).toBe('held');
    const second = cluster.fork();
    expect(await said(second)).toEqual({ code: 'EBUSY', holderPid: first.process.pid });
    first.process.kill('SIGKILL');
    await once(first, 'exit');
    const third = cluster.fork();
    expect(await said(third)).toBe('held');
    second.process.kill('SIGKILL');
    third.process.kill('SIGKILL');
    await Promise.all([once(second, 'exit'), once(third, 'exit')]);
  });
});

describe('worker threads', () => {
  it('keep each other and the main thread out', async () => {
    const directory = place();
    const workers = [1, 2, 3].map(
      () => new Worker(program, { workerData: ['contend', directory, '12', '0'] }),
    );
    const said = await Promise.all(
      workers.map(async (worker) => ((await once(worker, 'message')) as [unknown])[0]),
    );
    expect(said).toEqual(['done', 'done', 'done']);
    await Promise.all(workers.map((worker) => worker.terminate()));
  });

  it.runIf(process.platform === 'linux')('the lock of a thread that was ended is free', async () => {
    const directory = place();
    const worker = new Worker(program, { workerData: ['hold', directory] });
    expect(((await once(worker, 'message')) as [unknown])[0]).toBe('held');
    const locks = locksIn(directory);
    await expect(locks.acquire('x.write', { path: 'x' })).rejects.toMatchObject({
      code: 'EBUSY',
      holderPid: process.pid,
    });
    await worker.terminate();
    await (await locks.acquire('x.write', { path: 'x' })).release();
  });
});
