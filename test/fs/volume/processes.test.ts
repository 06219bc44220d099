/** Several processes on one volume. */

import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { afterEach, expect, test } from 'vitest';

import { bundledProgram, type Child, startProgram } from '../../os/child-program.ts';
import { failureOf, volumeScratch } from './volumes.ts';

const { open, root } = volumeScratch();
const program = bundledProgram(new URL('volume-program.ts', import.meta.url));

interface Talking {
  readonly process: Child;
  line(): Promise<string>;
  say(line: string): void;
}

const children: Talking[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.process.kill('SIGKILL');
});

function start(what: string, path: string): Talking {
  const child = startProgram(program, what, path);
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const talking: Talking = {
    process: child,
    line: async () => String((await lines.next()).value),
    say: (line) => void child.stdin.write(`${line}\n`),
  };
  children.push(talking);
  return talking;
}

test('a file that another process writes to can be read, but not written or replaced; its pid is told', async () => {
  const path = await root();
  const volume = await open(path);
  const child = start('hold', path);
  const pid = Number((await child.line()).replace('pid ', ''));
  expect(pid).toBe(child.process.pid);
  // What it has synced is there, before anything is in its place in the file.
  expect(await volume.readFile('held', 'utf8')).toBe('held ');
  expect((await volume.stat('held')).size).toBe(5);
  child.say('and more');
  await child.line();
  expect(await volume.readFile('held', 'utf8')).toBe('held and more');
  expect((await volume.stat('held')).size).toBe(13);
  expect((await volume.lstat('held')).size).toBe(13);
  for (const work of [
    () => volume.appendFile('held', 'x'),
    () => volume.writeFile('held', 'x'),
    () => volume.writeFile('held', 'x', { immutable: true }),
    () => volume.open('held', 'r+'),
    () => volume.open('held', 'w'),
    () => volume.truncate('held'),
    () => volume.writeFile('other', 'x').then(() => volume.copyFile('other', 'held')),
    () => new Promise((_, reject) => volume.createWriteStream('held').on('error', reject)),
  ]) {
    const failure = (await failureOf(work())) as NodeJS.ErrnoException & { holderPid?: number };
    expect(failure.code).toBe('EBUSY');
    expect(failure.holderPid).toBe(pid);
    expect(failure.message).toContain(String(pid));
    expect(failure.path === 'held' || (failure as { dest?: string }).dest === 'held').toBe(true);
  }
  expect(await volume.readFile('held', 'utf8')).toBe('held and more');
  await volume.copyFile('held', 'copy');
  expect(await volume.readFile('copy', 'utf8')).toBe('held and more');
  child.say('end');
  expect(await child.line()).toBe('closed');
  await once(child.process, 'exit');
  await volume.writeFile('held', 'free');
  expect(await volume.readFile('held', 'utf8')).toBe('free');
}, 30_000);

test('what a killed process had synced is there, and the file is free', async () => {
  const path = await root();
  const volume = await open(path);
  const child = start('hold', path);
  await child.line();
  child.say('synced');
  await child.line();
  child.process.kill('SIGKILL');
  await once(child.process, 'exit');
  expect(await volume.readFile('held', 'utf8')).toBe('held synced');
  expect((await volume.stat('held')).size).toBe(11);
  await volume.appendFile('held', '!');
  expect(await volume.readFile('held', 'utf8')).toBe('held synced!');
}, 30_000);

test('a killed process leaves no journal behind when its file is replaced', async () => {
  const path = await root();
  const volume = await open(path);
  const child = start('hold', path);
  await child.line();
  child.process.kill('SIGKILL');
  await once(child.process, 'exit');
  expect(readdirSync(`${path}/.volseal/journal`)).toHaveLength(1);
  await volume.writeFile('held', 'new');
  expect(readdirSync(`${path}/.volseal/journal`)).toHaveLength(0);
  expect(await volume.readFile('held', 'utf8')).toBe('new');
}, 30_000);

test('reading beside a process that replaces and appends sees whole contents only', async () => {
  const path = await root();
  const volume = await open(path);
  await volume.writeFile('replaced', '0 ');
  await volume.writeFile('log', '');
  const child = start('replace', path);
  expect(await child.line()).toBe('started');
  let ended = false;
  void child.line().then(() => (ended = true));
  let reads = 0;
  let lastLength = 0;
  while (!ended) {
    const content = await volume.readFile('replaced', 'utf8');
    const [first = ''] = content.split(' ', 1);
    const round = Number(first);
    expect(content === `${first} `.repeat(1 + ((round * 7_919) % 30_000)) || content === '0 ').toBe(true);
    const log = await volume.readFile('log', 'utf8');
    expect(log.length % 10).toBe(0);
    expect(log.length).toBeGreaterThanOrEqual(lastLength);
    lastLength = log.length;
    const lines = log.split('\n').slice(0, -1);
    expect(lines.every((line, index) => Number(line) === index)).toBe(true);
    reads++;
  }
  expect(reads).toBeGreaterThan(5);
  expect((await volume.readFile('log', 'utf8')).length).toBe(1_500);
}, 60_000);
