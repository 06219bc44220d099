/**
 * Rotation by the command line beside an app that writes, either of them killed at any time; and what must be true whenever
 * one looks.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'vitest';

import { initVolume, openVolume } from '../../src/fs/volume/entry.ts';
import type { Volume } from '../../src/fs/volume/volume.ts';
import type { KeyProvider } from '../../src/kms/provider.ts';
import { bin, node } from '../cli/script.ts';
import { lineOf, pageBytes, pageOf, pages } from '../fs/crash/kill-contents.ts';
import { type Child, startProgram } from '../os/child-program.ts';
import { SeededRandom } from '../simulator/random.ts';
import { liveEnv, liveKeys, namesInTurn, onlyKey, otherLabel, wholeOf } from './live-contents.ts';

export interface LiveReport {
  readonly kills: { app: number; rotation: number };
  /** Lines of the log that the app called safe. */
  lines: number;
  /** Commands that ran to their end, by their exit code. */
  readonly ended: Map<number, number>;
  /** Volume keys that were destroyed. */
  destroyed: number;
  /** Secrets that were gone over to. */
  secrets: number;
}

interface Told {
  lines: number;
  readonly pages: number[];
  whole: number | undefined;
  readonly moved: number[];
}

class LiveRotation {
  readonly report: LiveReport = {
    kills: { app: 0, rotation: 0 },
    lines: 0,
    ended: new Map(),
    destroyed: 0,
    secrets: 0,
  };
  readonly #program: string;
  readonly #root: string;
  readonly #random: SeededRandom;
  readonly #told: Told = { lines: 0, pages: [], whole: undefined, moved: [] };
  #app: Child | undefined;
  #said = '';
  #label = 'a';

  constructor(program: string, root: string, seed: number) {
    this.#program = program;
    this.#root = root;
    this.#random = new SeededRandom(seed);
  }

  async make(): Promise<void> {
    await initVolume(this.#root, { keys: onlyKey('a'), recovery: false, policy: { segmentBytes: 4_096 } });
    const volume = await openVolume(this.#root, { keys: onlyKey('a') });
    await volume.writeFile('log', '');
    await volume.writeFile('book', Buffer.alloc(pages * pageBytes));
    for (let i = 0; i < 60; i++) await volume.outputFile(`still/${i % 5}/${i}`, wholeOf(i));
    await volume.close();
  }

  startApp(): void {
    this.#app = startProgram(this.#program, this.#root);
    this.#app.stdout.on('data', (chunk: Buffer) => (this.#said += chunk.toString()));
  }

  /** @param isKilled or else it is asked to end */
  async stopApp(isKilled: boolean): Promise<void> {
    const app = this.#app as Child;
    this.#app = undefined;
    if (isKilled) app.kill('SIGKILL');
    else app.stdin.write('end\n');
    if (app.exitCode === null && app.signalCode === null) await once(app, 'close');
    // It must not have ended by itself, for want of a key or because of a lock.
    expect([app.exitCode, app.signalCode]).toEqual(isKilled ? [null, 'SIGKILL'] : [0, null]);
    if (isKilled) this.report.kills.app++;
    const lines = this.#said.split('\n').slice(0, -1);
    this.#said = '';
    for (const line of lines) {
      const [what, text] = line.split(' ');
      const number = Number(text);
      if (what === 'log') this.#told.lines = number + 1;
      else if (what === 'book') this.#told.pages[number % pages] = number;
      else if (what === 'moved') this.#told.moved[number % namesInTurn] = number;
      else this.#told.whole = number;
    }
    this.report.lines = this.#told.lines;
  }

  /**
   * One whole rotation, or as much of it as comes about.
   * @param mayKill whether the commands and the app are killed now and then
   */
  async rotate(mayKill: boolean): Promise<void> {
    if (this.#random.below(3) === 0) {
      const to = otherLabel(this.#label);
      if ((await this.#run(['rotate', 'secret', '--to', to, '--offline'], mayKill)) === 0) {
        this.#label = to;
        this.report.secrets++;
      }
    } else await this.#run(['rotate', 'volume-key'], mayKill);
    await this.#run(['rewrap', '--jobs', String(1 + this.#random.below(4))], mayKill);
    const volume = await openVolume(this.#root, { keys: liveKeys(), readonly: true });
    const old = volume.keyring.volumeKeys.filter(({ state }) => state === 'active');
    await volume.close();
    for (const { version } of old) {
      if ((await this.#run(['retire', `vk:${version}`], mayKill)) === 0) this.report.destroyed++;
    }
    if (mayKill && this.#random.below(2) === 0) {
      await this.stopApp(true);
      await this.checkContent();
      this.startApp();
    }
  }

  /** Everything to its end, nobody being killed any more; the proof is the audit's. */
  async finish(): Promise<void> {
    const other = otherLabel(this.#label);
    for (const args of [
      ['rotate', 'secret', '--to', other, '--offline'],
      ['rotate', 'volume-key'],
      ['rewrap'],
    ])
      expect(await this.#run(args, false), args.join(' ')).toBe(0);
    this.#label = other;
    const volume = await openVolume(this.#root, { keys: onlyKey(other), readonly: true });
    const old = volume.keyring.volumeKeys.filter(({ state }) => state === 'active');
    await volume.close();
    for (const { version } of old)
      expect(await this.#run(['retire', `vk:${version}`], false), `retire ${version}`).toBe(0);
    expect(await this.#run(['audit'], false)).toBe(0);
  }

  async #run(args: readonly string[], mayKill: boolean): Promise<number | null> {
    const child = spawn(node, [bin, ...args, '--volume', this.#root, '--json'], {
      env: { PATH: process.env['PATH'], ...liveEnv },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk: Buffer) => (said += chunk.toString()));
    const isKilled = mayKill && this.#random.below(2) === 0;
    if (isKilled) await killAfter(child, this.#random.below(400));
    if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    if (child.signalCode !== null) {
      this.report.kills.rotation++;
      return null;
    }
    const code = child.exitCode as number;
    this.report.ended.set(code, (this.report.ended.get(code) ?? 0) + 1);
    // Done, or something has to wait, or is held: never a file that fails, and never a defect.
    expect([0, 7, 9], `${args.join(' ')}\n${said}`).toContain(code);
    return code;
  }

  /** What the app called safe is there, and everything that is there is whole. */
  async checkContent(keys: KeyProvider = liveKeys()): Promise<void> {
    const volume = await openVolume(this.#root, { keys });
    await this.#checkLog(volume);
    const book = await volume.readFile('book');
    for (let page = 0; page < pages; page++) {
      const content = book.subarray(page * pageBytes, (page + 1) * pageBytes);
      const written = Number.parseInt(content.toString('latin1'), 10);
      if (!Number.isNaN(written)) expect(content.equals(pageOf(written))).toBe(true);
      const told = this.#told.pages[page];
      if (told !== undefined) expect(written).toBeGreaterThanOrEqual(told);
    }
    for (const [name, told] of this.#told.moved.entries()) {
      if (told === undefined) continue;
      const folder = (await volume.exists('moved')) ? 'moved' : 'moved-away';
      const content = await volume.readFile(`${folder}/${name}`, 'utf8');
      expect(Number(content.replaceAll('.', ''))).toBeGreaterThanOrEqual(told);
    }
    for (const name of await volume.readdir('/', { recursive: true })) {
      if (!(await volume.stat(`/${name}`)).isFile() || name === 'log' || name === 'book') continue;
      const content = await volume.readFile(`/${name}`, 'utf8');
      expect(content, name).toBe(wholeOf(Number(content.replaceAll('.', ''))));
    }
    await volume.close();
  }

  async #checkLog(volume: Volume): Promise<void> {
    const log = await volume.readFile('log', 'utf8');
    const lines = log.length / lineOf(0).length;
    expect(lines).toBeGreaterThanOrEqual(this.#told.lines);
    expect(log).toBe(Array.from({ length: lines }, (_, number) => lineOf(number)).join(''));
  }

  /** The secret of before opens nothing, the one of now everything. */
  async checkKeys(): Promise<void> {
    await expect(openVolume(this.#root, { keys: onlyKey(otherLabel(this.#label)) })).rejects.toMatchObject({
      code: 'ERR_VOLSEAL_KEY_MISSING',
    });
    await this.checkContent(onlyKey(this.#label));
    const left = readdirSync(this.#root, { recursive: true }).filter((name) =>
      String(name).includes('.volseal-tmp'),
    );
    expect(left).toEqual([]);
    expect(readdirSync(join(this.#root, '.volseal', 'locks'))).toEqual([]);
  }
}

async function killAfter(child: ChildProcess, ms: number): Promise<void> {
  await Promise.race([once(child, 'close'), new Promise((resolve) => setTimeout(resolve, ms))]);
  child.kill('SIGKILL');
}

/** So many rotations with kills, then one to its end. */
export async function rotateUnderFire(
  program: string,
  root: string,
  options: { readonly rounds: number; readonly seed: number; readonly calmMs: number },
): Promise<LiveReport> {
  const rotation = new LiveRotation(program, root, options.seed);
  await rotation.make();
  rotation.startApp();
  const calmUntilMs = performance.now() + options.calmMs;
  while (performance.now() < calmUntilMs) await rotation.rotate(false);
  for (let round = 0; round < options.rounds; round++) await rotation.rotate(true);
  await rotation.finish();
  await rotation.stopApp(false);
  await rotation.checkContent();
  await rotation.checkKeys();
  return rotation.report;
}
