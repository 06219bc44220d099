/** A process that writes is killed again and again; after each time everything that it had called safe is there. */

import { once } from 'node:events';

import { expect } from 'vitest';

import { initVolume, openVolume } from '../../../src/fs/volume/entry.ts';
import { testKeys } from '../../../src/testing.ts';
import { startProgram } from '../../os/child-program.ts';
import { SeededRandom } from '../../simulator/random.ts';
import { lineOf, pageBytes, pageOf, pages } from './kill-contents.ts';

/** What was acknowledged, by all runs so far. */
interface Told {
  lines: number;
  /** For each page of the book the number that was written to it last. */
  readonly pages: number[];
  whole: number | undefined;
}

const keys = testKeys();

async function makeVolume(root: string): Promise<void> {
  await initVolume(root, { keys, recovery: false, policy: { segmentBytes: 4_096 } });
  const volume = await openVolume(root, { keys });
  await volume.writeFile('log', '');
  await volume.writeFile('book', Buffer.alloc(pages * pageBytes));
  await volume.close();
}

/** Runs it until it has said so many lines and a moment more. */
async function runAndKill(
  program: string,
  root: string,
  told: Told,
  lines: number,
  momentMs: number,
): Promise<void> {
  const child = startProgram(program, root);
  let said = '';
  const enough = new Promise<void>((resolve) => {
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.split('\n').length > lines) resolve();
    });
  });
  await Promise.race([enough, once(child, 'exit')]);
  await new Promise((resolve) => setTimeout(resolve, momentMs));
  child.kill('SIGKILL');
  const [, signal] =
    child.signalCode === null ? ((await once(child, 'close')) as [null, string]) : [null, child.signalCode];
  expect(signal).toBe('SIGKILL');
  for (const line of said.split('\n').slice(0, -1)) {
    const [what, text] = line.split(' ');
    const number = Number(text);
    if (what === 'log') told.lines = number + 1;
    else if (what === 'book') told.pages[number % pages] = number;
    else told.whole = number;
  }
}

async function check(root: string, told: Told): Promise<void> {
  const volume = await openVolume(root, { keys });
  const log = (await volume.readFile('log', 'utf8')) as string;
  const lines = log.length / lineOf(0).length;
  expect(lines).toBeGreaterThanOrEqual(told.lines);
  expect(log).toBe(Array.from({ length: lines }, (_, number) => lineOf(number)).join(''));
  const book = (await volume.readFile('book')) as Buffer;
  expect(book.length).toBe(pages * pageBytes);
  for (let page = 0; page < pages; page++) {
    const content = book.subarray(page * pageBytes, (page + 1) * pageBytes);
    const written = Number.parseInt(content.toString('latin1'), 10);
    if (Number.isNaN(written)) {
      expect(told.pages[page]).toBeUndefined();
      continue;
    }
    expect(content.equals(pageOf(written))).toBe(true);
    expect(written % pages).toBe(page);
    expect(written).toBeGreaterThanOrEqual(told.pages[page] ?? 0);
  }
  if (told.whole !== undefined) {
    const whole = (await volume.readFile('whole', 'utf8')) as string;
    expect(whole).toHaveLength(20_000);
    expect(Number(whole.replaceAll('.', ''))).toBeGreaterThanOrEqual(told.whole);
  }
  // Nobody holds anything any more.
  const handles = await Promise.all(['log', 'book'].map((name) => volume.open(name, 'r+')));
  for (const handle of handles) await handle.close();
  await volume.close();
}

/** Returns how many lines of the log were acknowledged in all. */
export async function killAgainAndAgain(program: string, root: string, kills: number): Promise<number> {
  await makeVolume(root);
  const random = new SeededRandom(kills);
  const told: Told = { lines: 0, pages: [], whole: undefined };
  for (let round = 0; round < kills; round++) {
    await runAndKill(program, root, told, 1 + random.below(30), random.below(12));
    await check(root, told);
  }
  return told.lines;
}
